#include "libmailcore/admin/detail/operations.h"
#include "libmailcore/admin/detail/request.h"

#include "libmailcore/mime/date.h"
#include "libmailcore/store/account.h"

#include <algorithm>

namespace mailcore::admin::detail {

namespace {

using accounts::Account;
using accounts::Address;
using store::ReadTransaction;
using store::TxnTask;
using store::WriteTransaction;

Result<Address> parse_address(const std::string& text) {
    const auto address = Address::parse(text);
    if (!address || address->domain.empty())
        return fail(ErrorKind::Rejected, "not an address: " + text);
    return *address;
}

/// The account behind an address of its own.
TxnTask<Result<Account>> find_account(ReadTransaction& txn, Address wanted) {
    store::AccountId after;
    while (true) {
        MAILCORE_CO_TRY(const auto batch, accounts::list_accounts(txn, after, 256));
        for (const auto& account : batch) {
            if (account.address == wanted) co_return account;
            for (const auto& other : account.more_addresses)
                if (other == wanted) co_return account;
        }
        if (batch.empty()) co_return fail(ErrorKind::NotFound, "no account " + wanted.to_string());
        after = batch.back().id;
    }
}

Json to_json(const Account& account, const store::Quota& quota) {
    Json more = Json::array();
    for (const auto& address : account.more_addresses) more.push_back(address.to_string());
    return Json{{"id", account.id.value},
                {"address", account.address.to_string()},
                {"addresses", more},
                {"name", account.name},
                {"status", accounts::to_string(account.status)},
                {"administrator", account.administrator},
                {"messages", quota.usage.messages},
                {"octets", quota.usage.octets},
                {"quota_octets", quota.limits.octets_max},
                {"quota_messages", quota.limits.messages_max},
                {"created", mime::format_utc(account.created)}};
}

Task<Result<Json>> described(Context& context, Account account) {
    MAILCORE_CO_TRY(const auto quota, context.store.read([id = account.id](ReadTransaction& txn) {
        return store::quota(txn, id);
    }));
    co_return to_json(account, quota);
}

} // namespace

Task<Result<Account>> account_in(store::Store& store, std::string text) {
    MAILCORE_CO_TRY(const auto address, ready(parse_address(text)));
    auto awaited =
        store.read([address](ReadTransaction& txn) { return find_account(txn, address); });
    co_return co_await std::move(awaited);
}

Task<Result<Account>> account_of(Context& context, std::string text) {
    MAILCORE_CO_TRY(const auto address, ready(parse_address(text)));
    // One look where the directory knows it; it does not tell of disabled ones.
    MAILCORE_CO_AWAIT(const auto known, context.directory.lookup(address));
    const auto* to = known ? std::get_if<accounts::ToAccount>(&*known) : nullptr;
    if (to && to->detail.empty()) {
        MAILCORE_CO_AWAIT(auto account, context.directory.account(to->account));
        if (account &&
            (account->address == address ||
             std::ranges::find(account->more_addresses, address) != account->more_addresses.end()))
            co_return std::move(*account);
    }
    auto awaited = account_in(context.store, std::move(text));
    co_return co_await std::move(awaited);
}

Task<Result<std::string>> account_add(Context& context, std::string text) {
    Request request(text);
    Account account;
    const auto address_text = request.text("address");
    Secret password{request.text("password")};
    account.name = request.text_or("name", "");
    account.administrator = request.flag("administrator");
    store::QuotaLimits limits{request.number_or("quota_octets", 0),
                              request.number_or("quota_messages", 0)};
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(account.address, ready(parse_address(address_text)));
    MAILCORE_CO_TRY(const auto id, context.store.write([account, limits](WriteTransaction& txn) {
        return accounts::add_account(txn, account, limits);
    }));
    auto set = co_await context.directory.set_password(id, std::move(password));
    if (!set) {
        // An account that nobody can log in to is not what was asked for.
        MAILCORE_CO_AWAIT(auto removed, context.store.write([id](WriteTransaction& txn) {
            return accounts::remove_account(txn, id);
        }));
        if (!removed) co_return std::unexpected(removed.error());
        co_return std::unexpected(set.error());
    }
    co_return text_of(Json{{"id", id.value}, {"address", account.address.to_string()}});
}

Task<Result<std::string>> account_list(Context& context, std::string text) {
    Request request(text);
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    Json list = Json::array();
    store::AccountId after;
    while (true) {
        MAILCORE_CO_TRY(const auto batch, context.store.read([after](ReadTransaction& txn) {
            return accounts::list_accounts(txn, after, 256);
        }));
        if (batch.empty()) break;
        for (const auto& account : batch) {
            MAILCORE_CO_TRY(auto row, described(context, account));
            list.push_back(std::move(row));
        }
        after = batch.back().id;
    }
    co_return text_of(Json{{"accounts", std::move(list)}});
}

Task<Result<std::string>> account_show(Context& context, std::string text) {
    Request request(text);
    const auto address = request.text("address");
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(auto account, account_of(context, address));
    MAILCORE_CO_TRY(const auto row, described(context, std::move(account)));
    co_return text_of(row);
}

Task<Result<std::string>> account_passwd(Context& context, std::string text) {
    Request request(text);
    const auto address = request.text("address");
    Secret password{request.text("password")};
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(const auto account, account_of(context, address));
    MAILCORE_CO_TRY(context.directory.set_password(account.id, std::move(password)));
    co_return std::string("{}");
}

Task<Result<std::string>> account_status(Context& context, std::string text) {
    Request request(text);
    const auto address = request.text("address");
    const auto status = request.text("status");
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(auto account, account_of(context, address));
    if (status == "active")
        account.status = accounts::AccountStatus::Active;
    else if (status == "frozen")
        account.status = accounts::AccountStatus::Frozen;
    else if (status == "disabled")
        account.status = accounts::AccountStatus::Disabled;
    else
        co_return fail(ErrorKind::Rejected, "status: expected active, frozen or disabled");
    MAILCORE_CO_TRY(context.store.write(
        [account](WriteTransaction& txn) { return accounts::set_account(txn, account); }));
    co_return std::string("{}");
}

namespace {
TxnTask<Result<void>> change_quota(WriteTransaction& txn, store::AccountId id,
                                   store::QuotaLimits limits) {
    store::AccountEdit edit(txn, store::Access::owner(id), id);
    MAILCORE_CO_TRY(edit.begin());
    MAILCORE_CO_TRY(store::set_quota(edit, limits));
    MAILCORE_CO_TRY(edit.save());
    co_return Result<void>{};
}
} // namespace

Task<Result<std::string>> account_quota(Context& context, std::string text) {
    Request request(text);
    const auto address = request.text("address");
    const store::QuotaLimits limits{request.number_or("quota_octets", 0),
                                    request.number_or("quota_messages", 0)};
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(const auto account, account_of(context, address));
    MAILCORE_CO_TRY(context.store.write([id = account.id, limits](WriteTransaction& txn) {
        return change_quota(txn, id, limits);
    }));
    co_return std::string("{}");
}

Task<Result<std::string>> account_remove(Context& context, std::string text) {
    Request request(text);
    const auto address = request.text("address");
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(const auto account, account_of(context, address));
    MAILCORE_CO_TRY(context.store.write(
        [id = account.id](WriteTransaction& txn) { return accounts::remove_account(txn, id); }));
    // Its mail goes in bounded steps, so that nobody waits behind one large transaction.
    for (bool more = true; more;) {
        MAILCORE_CO_TRY(more,
                        context.store.write(
                            [](WriteTransaction& txn) { return accounts::reclaim_accounts(txn); },
                            store::Urgency::Reclaim));
    }
    co_return std::string("{}");
}

Task<Result<std::string>> domain_add(Context& context, std::string text) {
    Request request(text);
    accounts::Domain domain;
    domain.name = request.text("name");
    domain.catch_all = request.text_or("catch_all", "");
    domain.detail_separators = request.text_or("separators", "+");
    const auto alias_of = request.text_or("alias_of", "");
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    if (!alias_of.empty()) {
        MAILCORE_CO_TRY(const auto found, context.store.read([alias_of](ReadTransaction& txn) {
            return accounts::find_domain(txn, alias_of);
        }));
        if (!found) co_return fail(ErrorKind::NotFound, "no domain " + alias_of);
        domain.alias_of = found->id;
    }
    MAILCORE_CO_TRY(const auto id, context.store.write([domain](WriteTransaction& txn) {
        return accounts::add_domain(txn, domain);
    }));
    co_return text_of(Json{{"id", id.value}, {"name", domain.name}});
}

Task<Result<std::string>> domain_list(Context& context, std::string text) {
    Request request(text);
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    Json list = Json::array();
    std::string after;
    while (true) {
        MAILCORE_CO_TRY(const auto batch, context.store.read([after](ReadTransaction& txn) {
            return accounts::list_domains(txn, after, 256);
        }));
        if (batch.empty()) break;
        for (const auto& domain : batch)
            list.push_back(Json{{"id", domain.id.value},
                                {"name", domain.name},
                                {"disabled", domain.disabled},
                                {"alias_of", domain.alias_of.value},
                                {"catch_all", domain.catch_all},
                                {"separators", domain.detail_separators}});
        after = batch.back().name;
    }
    co_return text_of(Json{{"domains", std::move(list)}});
}

Task<Result<std::string>> domain_set(Context& context, std::string text) {
    Request request(text);
    const auto name = request.text("name");
    const bool has_catch_all = request.has("catch_all");
    const auto catch_all = request.text_or("catch_all", "");
    const bool has_disabled = request.has("disabled");
    const bool disabled = request.flag("disabled");
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(auto found, context.store.read([name](ReadTransaction& txn) {
        return accounts::find_domain(txn, name);
    }));
    if (!found) co_return fail(ErrorKind::NotFound, "no domain " + name);
    if (has_catch_all) found->catch_all = catch_all;
    if (has_disabled) found->disabled = disabled;
    MAILCORE_CO_TRY(context.store.write(
        [domain = *found](WriteTransaction& txn) { return accounts::set_domain(txn, domain); }));
    co_return std::string("{}");
}

Task<Result<std::string>> domain_remove(Context& context, std::string text) {
    Request request(text);
    const auto name = request.text("name");
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(const auto found, context.store.read([name](ReadTransaction& txn) {
        return accounts::find_domain(txn, name);
    }));
    if (!found) co_return fail(ErrorKind::NotFound, "no domain " + name);
    MAILCORE_CO_TRY(context.store.write(
        [id = found->id](WriteTransaction& txn) { return accounts::remove_domain(txn, id); }));
    co_return std::string("{}");
}

Task<Result<std::string>> alias_set(Context& context, std::string text) {
    Request request(text);
    const auto address = request.text("address");
    const auto targets = request.texts("targets");
    accounts::Alias alias;
    alias.description = request.text_or("description", "");
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(alias.address, ready(parse_address(address)));
    for (const auto& target : targets) {
        MAILCORE_CO_TRY(auto parsed, ready(parse_address(target)));
        alias.targets.push_back(std::move(parsed));
    }
    MAILCORE_CO_TRY(context.store.write(
        [alias](WriteTransaction& txn) { return accounts::set_alias(txn, alias); }));
    co_return std::string("{}");
}

Task<Result<std::string>> alias_list(Context& context, std::string text) {
    Request request(text);
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    Json list = Json::array();
    MAILCORE_CO_TRY(const auto domains, context.store.read([](ReadTransaction& txn) {
        return accounts::list_domains(txn, "", 10'000);
    }));
    for (const auto& domain : domains) {
        std::string after;
        while (true) {
            MAILCORE_CO_TRY(const auto batch,
                            context.store.read([id = domain.id, after](ReadTransaction& txn) {
                                return accounts::list_aliases(txn, id, after, 256);
                            }));
            if (batch.empty()) break;
            for (const auto& alias : batch) {
                Json targets = Json::array();
                for (const auto& target : alias.targets) targets.push_back(target.to_string());
                list.push_back(Json{{"address", alias.address.to_string()},
                                    {"targets", targets},
                                    {"description", alias.description}});
            }
            after = batch.back().address.local;
        }
    }
    co_return text_of(Json{{"aliases", std::move(list)}});
}

Task<Result<std::string>> alias_remove(Context& context, std::string text) {
    Request request(text);
    const auto address_text = request.text("address");
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(const auto address, ready(parse_address(address_text)));
    MAILCORE_CO_TRY(context.store.write(
        [address](WriteTransaction& txn) { return accounts::remove_alias(txn, address); }));
    co_return std::string("{}");
}

} // namespace mailcore::admin::detail
