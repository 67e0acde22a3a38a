#include "libmailcore/accounts/account.h"

#include "libmailcore/accounts/detail/directory_rows.h"
#include "libmailcore/codec/bytes.h"

#include <algorithm>

namespace mailcore::accounts {

namespace {

using detail::Table;

std::string account_key(AccountId id) { return detail::key(Table::Account).id(id).str(); }

bool same(const Address& a, const Address& b) {
    return a.domain == b.domain && local_part_key(a.local) == local_part_key(b.local);
}

/// Key of an address's row. NotFound: its domain is not ours. Rejected: no address.
TxnTask<Result<std::string>> address_key(ReadTransaction& txn, Address address) {
    const auto folded = local_part_key(address.local);
    if (!folded) co_return fail(ErrorKind::Rejected, "no address");
    MAILCORE_CO_TRY(const auto domain, find_domain(txn, address.domain));
    if (!domain) co_return fail(ErrorKind::NotFound, "the domain is not ours");
    if (domain->alias_of.value != 0)
        co_return fail(ErrorKind::Rejected,
                       "the domain is an alias: its addresses are those of another");
    co_return detail::key(Table::Address).id(domain->id).text(*folded).str();
}

TxnTask<Result<void>> take_address(WriteTransaction& txn, AccountId id, const Address& address) {
    MAILCORE_CO_TRY(auto key, address_key(txn, address));
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    if (row) co_return fail(ErrorKind::Conflict, "the address is taken");
    const detail::AddressEntry entry = detail::AddressOfAccount{id};
    txn.put(std::move(key), detail::encode(entry));
    co_return Result<void>{};
}

Result<void> put_account(WriteTransaction& txn, const Account& account) {
    if (account.more_addresses.size() + 1 > account_addresses_max)
        return fail(ErrorKind::LimitExceeded, "addresses of an account");
    auto row = detail::encode(account);
    if (row.size() > detail::row_octets_max)
        return fail(ErrorKind::LimitExceeded, "an account's row");
    txn.put(account_key(account.id), std::move(row));
    return {};
}

} // namespace

std::string_view to_string(AccountStatus status) {
    switch (status) {
    case AccountStatus::Active: return "active";
    case AccountStatus::Frozen: return "frozen";
    case AccountStatus::Disabled: return "disabled";
    }
    return "";
}

TxnTask<Result<AccountId>> add_account(WriteTransaction& txn, Account account,
                                       store::QuotaLimits quota) {
    account.id = AccountId{txn.next_id()};
    account.created = txn.now();
    MAILCORE_CO_TRY(take_address(txn, account.id, account.address));
    for (const auto& address : account.more_addresses) {
        MAILCORE_CO_TRY(take_address(txn, account.id, address));
    }
    const auto put = put_account(txn, account);
    if (!put) co_return std::unexpected(put.error());
    const Credentials none;
    MAILCORE_CO_TRY(set_credentials(txn, account.id, none));
    MAILCORE_CO_TRY(store::create_account(txn, account.id, quota));
    co_return account.id;
}

TxnTask<Result<void>> set_account(WriteTransaction& txn, Account account) {
    MAILCORE_CO_TRY(auto row, read_account(txn, account.id));
    row.name = std::move(account.name);
    row.status = account.status;
    row.detail_folder = account.detail_folder;
    row.administrator = account.administrator;
    co_return put_account(txn, row);
}

TxnTask<Result<void>> add_address(WriteTransaction& txn, AccountId id, Address address) {
    MAILCORE_CO_TRY(auto account, read_account(txn, id));
    MAILCORE_CO_TRY(take_address(txn, id, address));
    account.more_addresses.push_back(std::move(address));
    co_return put_account(txn, account);
}

TxnTask<Result<void>> remove_address(WriteTransaction& txn, AccountId id, Address address) {
    MAILCORE_CO_TRY(auto account, read_account(txn, id));
    if (same(account.address, address))
        co_return fail(ErrorKind::Rejected, "an account keeps its first address");
    const auto gone = std::erase_if(account.more_addresses,
                                    [&](const Address& own) { return same(own, address); });
    if (gone == 0) co_return fail(ErrorKind::NotFound, "address");
    MAILCORE_CO_TRY(auto key, address_key(txn, address));
    txn.erase(std::move(key));
    co_return put_account(txn, account);
}

TxnTask<Result<void>> set_first_address(WriteTransaction& txn, AccountId id, Address address) {
    MAILCORE_CO_TRY(auto account, read_account(txn, id));
    if (same(account.address, address)) co_return Result<void>{};
    for (auto& own : account.more_addresses) {
        if (!same(own, address)) continue;
        std::swap(own, account.address);
        co_return put_account(txn, account);
    }
    co_return fail(ErrorKind::NotFound, "address");
}

TxnTask<Result<void>> remove_account(WriteTransaction& txn, AccountId id) {
    MAILCORE_CO_TRY(const auto account, read_account(txn, id));
    auto addresses = account.more_addresses;
    addresses.push_back(account.address);
    for (const auto& address : addresses) {
        MAILCORE_CO_TRY(auto key, address_key(txn, address));
        txn.erase(std::move(key));
    }
    MAILCORE_CO_TRY(const auto passwords, list_app_passwords(txn, id));
    for (const auto& password : passwords)
        txn.erase(detail::key(Table::AppPassword).id(id).u64(password.id).str());
    txn.erase(detail::key(Table::Credentials).id(id).str());
    txn.erase(account_key(id));
    txn.put(detail::key(Table::Removed).id(id).str(), detail::encode_id(id.value));
    co_return Result<void>{};
}

TxnTask<Result<bool>> reclaim_accounts(WriteTransaction& txn, std::size_t rows_max) {
    const auto all = detail::key(Table::Removed);
    const auto end = all.end();
    MAILCORE_CO_TRY(const auto rows, txn.range(all.str(), end, 2));
    if (rows.empty()) co_return false;
    const auto id = detail::decode_id(rows.front().value);
    if (!id) co_return std::unexpected(id.error());
    MAILCORE_CO_TRY(const auto more, store::erase_account(txn, AccountId{*id}, rows_max));
    if (!more) txn.erase(rows.front().key);
    co_return more || rows.size() > 1;
}

TxnTask<Result<Account>> read_account(ReadTransaction& txn, AccountId id) {
    const auto key = account_key(id);
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    if (!row) co_return fail(ErrorKind::NotFound, "account");
    co_return detail::decode_account(id, *row);
}

TxnTask<Result<std::vector<Account>>> list_accounts(ReadTransaction& txn, AccountId after,
                                                    std::size_t accounts_max) {
    const auto from = account_key(AccountId{after.value + 1});
    const auto end = detail::key(Table::Account).end();
    MAILCORE_CO_TRY(const auto rows, txn.range(from, end, accounts_max));
    std::vector<Account> accounts;
    for (const auto& row : rows) {
        codec::Reader id(std::string_view(row.key).substr(row.key.size() - 8));
        auto account = detail::decode_account(AccountId{id.u64be()}, row.value);
        if (!account) co_return std::unexpected(account.error());
        accounts.push_back(*std::move(account));
    }
    co_return accounts;
}

TxnTask<Result<void>> set_alias(WriteTransaction& txn, Alias alias) {
    if (alias.targets.empty()) co_return fail(ErrorKind::Rejected, "an alias leads somewhere");
    if (alias.targets.size() > alias_targets_max)
        co_return fail(ErrorKind::LimitExceeded, "targets of an alias");
    for (const auto& target : alias.targets)
        if (!Address::of(target.local, target.domain))
            co_return fail(ErrorKind::Rejected, "no address");
    MAILCORE_CO_TRY(auto key, address_key(txn, alias.address));
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    if (row) {
        const auto entry = detail::decode_address(*row);
        if (!entry) co_return std::unexpected(entry.error());
        if (!std::holds_alternative<Alias>(*entry))
            co_return fail(ErrorKind::Conflict, "the address is an account's");
    }
    const detail::AddressEntry entry = std::move(alias);
    auto value = detail::encode(entry);
    if (value.size() > detail::row_octets_max)
        co_return fail(ErrorKind::LimitExceeded, "targets of an alias");
    txn.put(std::move(key), std::move(value));
    co_return Result<void>{};
}

TxnTask<Result<void>> remove_alias(WriteTransaction& txn, Address address) {
    MAILCORE_CO_TRY(auto key, address_key(txn, address));
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    if (!row) co_return fail(ErrorKind::NotFound, "alias");
    const auto entry = detail::decode_address(*row);
    if (!entry) co_return std::unexpected(entry.error());
    if (!std::holds_alternative<Alias>(*entry)) co_return fail(ErrorKind::NotFound, "alias");
    txn.erase(std::move(key));
    co_return Result<void>{};
}

TxnTask<Result<std::vector<Alias>>> list_aliases(ReadTransaction& txn, DomainId domain,
                                                 std::string after, std::size_t aliases_max) {
    MAILCORE_CO_TRY(const auto owner, read_domain(txn, domain));
    const auto all = detail::key(Table::Address).id(domain);
    const auto end = all.end();
    auto from = all.str();
    if (const auto folded = local_part_key(after)) from += *folded + '\0';
    std::vector<Alias> aliases;
    while (aliases.size() < aliases_max) {
        MAILCORE_CO_TRY(const auto rows, txn.range(from, end, 256));
        for (const auto& row : rows) {
            auto entry = detail::decode_address(row.value);
            if (!entry) co_return std::unexpected(entry.error());
            auto* alias = std::get_if<Alias>(&*entry);
            if (!alias || aliases.size() == aliases_max) continue;
            alias->address.domain = owner.name;
            aliases.push_back(std::move(*alias));
        }
        if (rows.size() < 256) break;
        from = rows.back().key + '\0';
    }
    co_return aliases;
}

TxnTask<Result<void>> set_postmaster(WriteTransaction& txn, std::optional<Address> address) {
    auto key = detail::key(Table::Postmaster).str();
    if (!address) {
        txn.erase(std::move(key));
        co_return Result<void>{};
    }
    if (!Address::of(address->local, address->domain))
        co_return fail(ErrorKind::Rejected, "no address");
    txn.put(std::move(key), detail::encode(*address));
    co_return Result<void>{};
}

} // namespace mailcore::accounts
