#include "libmailcore/accounts/domain.h"

#include "libmailcore/accounts/address.h"
#include "libmailcore/accounts/detail/directory_rows.h"
#include "libmailcore/codec/domain_name.h"

namespace mailcore::accounts {

namespace {

using detail::Table;

/// Of a domain's settings; the name is checked elsewhere.
Result<void> check_settings(const Domain& domain) {
    if (!domain.catch_all.empty() && !Address::parse(domain.catch_all))
        return fail(ErrorKind::Rejected, "the catch-all is no address");
    for (const char c : domain.detail_separators)
        if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7F ||
            c == '@')
            return fail(ErrorKind::Rejected, "no character to divide user from detail");
    if (domain.detail_separators.size() > 8)
        return fail(ErrorKind::Rejected, "too many detail separators");
    return {};
}

TxnTask<Result<void>> check_alias(ReadTransaction& txn, DomainId alias, DomainId target) {
    if (target.value == 0) co_return Result<void>{};
    MAILCORE_CO_TRY(const auto other, read_domain(txn, target));
    if (other.alias_of.value != 0 || target == alias)
        co_return fail(ErrorKind::Rejected, "an alias of an alias");
    // Nor may it have aliases of its own.
    MAILCORE_CO_TRY(const auto domains, list_domains(txn, std::string(), 100'000));
    for (const auto& domain : domains)
        if (alias.value != 0 && domain.alias_of == alias)
            co_return fail(ErrorKind::Rejected, "the domain has aliases itself");
    co_return Result<void>{};
}

TxnTask<Result<bool>> has_addresses(ReadTransaction& txn, DomainId id) {
    const auto all = detail::key(Table::Address).id(id);
    const auto end = all.end();
    MAILCORE_CO_TRY(const auto rows, txn.range(all.str(), end, 1));
    co_return !rows.empty();
}

} // namespace

TxnTask<Result<DomainId>> add_domain(WriteTransaction& txn, Domain domain) {
    auto name = codec::canonical_domain(domain.name);
    if (!name) co_return fail(ErrorKind::Rejected, "no domain name");
    const auto settings = check_settings(domain);
    if (!settings) co_return std::unexpected(settings.error());
    domain.name = *std::move(name);
    MAILCORE_CO_TRY(const auto there, find_domain(txn, domain.name));
    if (there) co_return fail(ErrorKind::Conflict, "the domain exists");
    MAILCORE_CO_TRY(check_alias(txn, DomainId{}, domain.alias_of));
    domain.id = DomainId{txn.next_id()};
    domain.created = txn.now();
    txn.put(detail::key(Table::DomainName).text(domain.name).str(),
            detail::encode_id(domain.id.value));
    txn.put(detail::key(Table::Domain).id(domain.id).str(), detail::encode(domain));
    co_return domain.id;
}

TxnTask<Result<void>> set_domain(WriteTransaction& txn, Domain domain) {
    MAILCORE_CO_TRY(const auto old, read_domain(txn, domain.id));
    const auto settings = check_settings(domain);
    if (!settings) co_return std::unexpected(settings.error());
    if (domain.alias_of != old.alias_of) {
        MAILCORE_CO_TRY(check_alias(txn, domain.id, domain.alias_of));
        MAILCORE_CO_TRY(const auto own, has_addresses(txn, domain.id));
        if (own) co_return fail(ErrorKind::Conflict, "the domain still has addresses of its own");
    }
    domain.name = old.name;
    domain.created = old.created;
    txn.put(detail::key(Table::Domain).id(domain.id).str(), detail::encode(domain));
    co_return Result<void>{};
}

TxnTask<Result<void>> remove_domain(WriteTransaction& txn, DomainId id) {
    MAILCORE_CO_TRY(const auto domain, read_domain(txn, id));
    MAILCORE_CO_TRY(const auto own, has_addresses(txn, id));
    if (own) co_return fail(ErrorKind::Conflict, "the domain still has addresses");
    MAILCORE_CO_TRY(const auto domains, list_domains(txn, std::string(), 100'000));
    for (const auto& other : domains)
        if (other.alias_of == id)
            co_return fail(ErrorKind::Conflict, "another domain is an alias of it");
    txn.erase(detail::key(Table::DomainName).text(domain.name).str());
    txn.erase(detail::key(Table::Domain).id(id).str());
    co_return Result<void>{};
}

TxnTask<Result<std::optional<Domain>>> find_domain(ReadTransaction& txn, std::string name) {
    const auto canonical = codec::canonical_domain(name);
    if (!canonical) co_return std::optional<Domain>();
    const auto name_key = detail::key(Table::DomainName).text(*canonical).str();
    MAILCORE_CO_TRY(const auto row, txn.get(name_key));
    if (!row) co_return std::optional<Domain>();
    const auto id = detail::decode_id(*row);
    if (!id) co_return std::unexpected(id.error());
    MAILCORE_CO_TRY(auto domain, read_domain(txn, DomainId{*id}));
    co_return std::optional<Domain>(std::move(domain));
}

TxnTask<Result<Domain>> read_domain(ReadTransaction& txn, DomainId id) {
    const auto key = detail::key(Table::Domain).id(id).str();
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    if (!row) co_return fail(ErrorKind::NotFound, "domain");
    co_return detail::decode_domain(id, *row);
}

TxnTask<Result<std::vector<Domain>>> list_domains(ReadTransaction& txn, std::string after,
                                                  std::size_t domains_max) {
    const auto all = detail::key(Table::DomainName);
    const auto end = all.end();
    auto from = all.str();
    if (!after.empty()) from += after + '\0';
    std::vector<Domain> domains;
    MAILCORE_CO_TRY(const auto rows, txn.range(from, end, domains_max));
    for (const auto& row : rows) {
        const auto id = detail::decode_id(row.value);
        if (!id) co_return std::unexpected(id.error());
        MAILCORE_CO_TRY(auto domain, read_domain(txn, DomainId{*id}));
        domains.push_back(std::move(domain));
    }
    co_return domains;
}

} // namespace mailcore::accounts
