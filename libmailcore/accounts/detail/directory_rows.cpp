#include "libmailcore/accounts/detail/directory_rows.h"

#include "libmailcore/base/overloaded.h"
#include "libmailcore/codec/bytes.h"

#include <algorithm>

namespace mailcore::accounts::detail {

namespace {

using codec::Reader;
using codec::Writer;

constexpr std::uint64_t row_version = 1;

enum class EntryKind : std::uint8_t { Account = 1, Alias = 2 };

bool known_version(Reader& reader) { return reader.varint() == row_version; }

void put_time(Writer& writer, WallTime time) { writer.svarint(time.time_since_epoch().count()); }
WallTime take_time(Reader& reader) {
    return WallTime{base::CivilClock::duration{reader.svarint()}};
}

void put_address(Writer& writer, const Address& address) {
    writer.text(address.local).text(address.domain);
}
Address take_address(Reader& reader) {
    Address address;
    address.local = reader.text();
    address.domain = reader.text();
    return address;
}

DetailFolder take_folder(Reader& reader) {
    const auto value = reader.u8();
    return value <= static_cast<std::uint8_t>(DetailFolder::IfExists)
               ? static_cast<DetailFolder>(value)
               : DetailFolder::Default;
}

std::unexpected<Error> corrupt(std::string what) {
    return fail(ErrorKind::Corrupt, std::move(what));
}

} // namespace

store::Key key(Table table) {
    store::Key key(store::Space::Directory);
    key.u8(static_cast<std::uint8_t>(table));
    return key;
}

std::string encode_id(std::uint64_t id) {
    std::string row;
    Writer(row).varint(row_version).varint(id);
    return row;
}

Result<std::uint64_t> decode_id(std::string_view row) {
    Reader reader(row);
    const bool known = known_version(reader);
    const auto id = reader.varint();
    if (!known || !reader.at_end()) return corrupt("directory row of one id");
    return id;
}

std::string encode(const Domain& domain) {
    std::string row;
    Writer writer(row);
    writer.varint(row_version)
        .text(domain.name)
        .varint(domain.tenant)
        .u8(domain.disabled ? 1 : 0)
        .varint(domain.alias_of.value)
        .text(domain.catch_all)
        .text(domain.detail_separators)
        .u8(static_cast<std::uint8_t>(domain.detail_folder));
    put_time(writer, domain.created);
    return row;
}

Result<Domain> decode_domain(DomainId id, std::string_view row) {
    Reader reader(row);
    Domain domain;
    domain.id = id;
    if (!known_version(reader)) return corrupt("domain row of unknown version");
    domain.name = reader.text();
    domain.tenant = reader.varint();
    domain.disabled = reader.u8() != 0;
    domain.alias_of.value = reader.varint();
    domain.catch_all = reader.text();
    domain.detail_separators = reader.text();
    domain.detail_folder = take_folder(reader);
    domain.created = take_time(reader);
    if (!reader.at_end()) return corrupt("domain row");
    return domain;
}

std::string encode(const Account& account) {
    std::string row;
    Writer writer(row);
    writer.varint(row_version);
    put_address(writer, account.address);
    writer.varint(account.more_addresses.size());
    for (const auto& address : account.more_addresses) put_address(writer, address);
    writer.text(account.name)
        .u8(static_cast<std::uint8_t>(account.status))
        .u8(static_cast<std::uint8_t>(account.detail_folder))
        .u8(account.administrator ? 1 : 0);
    put_time(writer, account.created);
    return row;
}

Result<Account> decode_account(AccountId id, std::string_view row) {
    Reader reader(row);
    Account account;
    account.id = id;
    if (!known_version(reader)) return corrupt("directory's account row of unknown version");
    account.address = take_address(reader);
    account.more_addresses.resize(reader.count(2));
    for (auto& address : account.more_addresses) address = take_address(reader);
    account.name = reader.text();
    const auto status = reader.u8();
    // What is not understood is not let in.
    account.status = status <= static_cast<std::uint8_t>(AccountStatus::Disabled)
                         ? static_cast<AccountStatus>(status)
                         : AccountStatus::Disabled;
    account.detail_folder = take_folder(reader);
    account.administrator = reader.u8() != 0;
    account.created = take_time(reader);
    if (!reader.at_end()) return corrupt("directory's account row");
    return account;
}

std::string encode(const AddressEntry& entry) {
    std::string row;
    Writer writer(row);
    writer.varint(row_version);
    std::visit(
        base::overloaded{
            [&](const AddressOfAccount& owner) {
                writer.u8(static_cast<std::uint8_t>(EntryKind::Account))
                    .varint(owner.account.value);
            },
            [&](const Alias& alias) {
                writer.u8(static_cast<std::uint8_t>(EntryKind::Alias)).text(alias.address.local);
                writer.varint(alias.targets.size());
                for (const auto& target : alias.targets) put_address(writer, target);
                writer.text(alias.description);
            },
        },
        entry);
    return row;
}

Result<AddressEntry> decode_address(std::string_view row) {
    Reader reader(row);
    if (!known_version(reader)) return corrupt("address row of unknown version");
    const auto kind = reader.u8();
    if (kind == static_cast<std::uint8_t>(EntryKind::Account)) {
        const AccountId id{reader.varint()};
        if (!reader.at_end()) return corrupt("address row");
        return AddressOfAccount{id};
    }
    if (kind != static_cast<std::uint8_t>(EntryKind::Alias))
        return corrupt("address row of unknown kind");
    Alias alias;
    alias.address.local = reader.text();
    alias.targets.resize(reader.count(2));
    for (auto& target : alias.targets) target = take_address(reader);
    alias.description = reader.text();
    if (!reader.at_end()) return corrupt("alias row");
    return alias;
}

std::string encode(const Credentials& credentials) {
    std::string row;
    std::string scram; // the keys of each hash, one a line
    for (const auto& keys : credentials.scram)
        scram += (scram.empty() ? "" : "\n") + keys.to_string();
    Writer writer(row);
    writer.varint(row_version)
        .varint(credentials.version)
        .text(credentials.password_hash)
        .text(scram);
    put_time(writer, credentials.changed);
    return row;
}

Result<Credentials> decode_credentials(std::string_view row) {
    Reader reader(row);
    Credentials credentials;
    if (!known_version(reader)) return corrupt("credentials of unknown version");
    credentials.version = reader.varint();
    credentials.password_hash = reader.text();
    auto scram = reader.text();
    credentials.changed = take_time(reader);
    if (!reader.at_end()) return corrupt("credentials");
    while (!scram.empty()) {
        const auto line = scram.substr(0, scram.find('\n'));
        scram.remove_prefix(std::min(line.size() + 1, scram.size()));
        auto keys = ScramKeys::parse(line);
        if (!keys || credentials.scram_keys(keys->hash)) return corrupt("SCRAM keys");
        credentials.scram.push_back(*std::move(keys));
    }
    return credentials;
}

std::string encode(const AppPassword& password) {
    std::string row;
    Writer writer(row);
    writer.varint(row_version)
        .text(password.label)
        .text(password.digest)
        .varint(password.rights.bits());
    put_time(writer, password.created);
    return row;
}

Result<AppPassword> decode_app_password(std::uint64_t id, std::string_view row) {
    Reader reader(row);
    AppPassword password;
    password.id = id;
    if (!known_version(reader)) return corrupt("app password of unknown version");
    password.label = reader.text();
    password.digest = reader.text();
    password.rights = store::Rights::from_bits(static_cast<std::uint16_t>(reader.varint()));
    password.created = take_time(reader);
    if (!reader.at_end()) return corrupt("app password");
    return password;
}

std::string encode(const Address& address) {
    std::string row;
    Writer writer(row);
    writer.varint(row_version);
    put_address(writer, address);
    return row;
}

Result<Address> decode_bare_address(std::string_view row) {
    Reader reader(row);
    const bool known = known_version(reader);
    auto address = take_address(reader);
    if (!known || !reader.at_end()) return corrupt("row of one address");
    return address;
}

TxnTask<Result<std::optional<Domain>>> effective_domain(ReadTransaction& txn, std::string name) {
    MAILCORE_CO_TRY(auto domain, find_domain(txn, name));
    if (domain && !domain->disabled && domain->alias_of.value != 0) {
        MAILCORE_CO_TRY(domain, read_domain(txn, domain->alias_of));
    }
    co_return domain;
}

TxnTask<Result<std::optional<AddressEntry>>> find_address(ReadTransaction& txn, DomainId domain,
                                                          std::string local) {
    const auto folded = local_part_key(local);
    if (!folded) co_return std::optional<AddressEntry>();
    const auto row_key = key(Table::Address).id(domain).text(*folded).str();
    MAILCORE_CO_TRY(const auto row, txn.get(row_key));
    if (!row) co_return std::optional<AddressEntry>();
    auto entry = decode_address(*row);
    if (!entry) co_return std::unexpected(entry.error());
    co_return std::optional<AddressEntry>(*std::move(entry));
}

TxnTask<Result<std::optional<Address>>> postmaster(ReadTransaction& txn) {
    const auto set_key = key(Table::Postmaster).str();
    MAILCORE_CO_TRY(const auto set, txn.get(set_key));
    if (set) {
        auto address = decode_bare_address(*set);
        if (!address) co_return std::unexpected(address.error());
        co_return std::optional<Address>(*std::move(address));
    }
    // The oldest administrator among the first accounts, else the oldest account.
    MAILCORE_CO_TRY(const auto accounts, list_accounts(txn, AccountId{}, 100));
    for (const auto& account : accounts)
        if (account.administrator && account.status != AccountStatus::Disabled)
            co_return std::optional<Address>(account.address);
    for (const auto& account : accounts)
        if (account.status != AccountStatus::Disabled)
            co_return std::optional<Address>(account.address);
    co_return std::optional<Address>();
}

} // namespace mailcore::accounts::detail
