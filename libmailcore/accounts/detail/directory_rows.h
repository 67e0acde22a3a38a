// The rows of the directory: their keys, and their values as octets and back.
#pragma once

#include "libmailcore/accounts/account.h"
#include "libmailcore/accounts/credential.h"
#include "libmailcore/store/keys.h"

#include <string>
#include <variant>

namespace mailcore::accounts::detail {

/// Second octet of keys in the space `Directory`. Never reused.
enum class Table : char {
    DomainName = 'n',  ///< name -> id
    Domain = 'D',      ///< id
    Address = 'a',     ///< domain, local part's key -> whose it is
    Account = 'A',     ///< id
    Credentials = 'C', ///< account
    AppPassword = 'P', ///< account, id
    Removed = 'x',     ///< account whose mail is still being removed
    Postmaster = 'p',  ///< one row
};

[[nodiscard]] store::Key key(Table table);

/// What an address leads to. More kinds will follow: groups, lists.
struct AddressOfAccount {
    AccountId account;
};
using AddressEntry = std::variant<AddressOfAccount, Alias>;

[[nodiscard]] std::string encode_id(std::uint64_t id);
[[nodiscard]] Result<std::uint64_t> decode_id(std::string_view row);
[[nodiscard]] std::string encode(const Domain& domain);
[[nodiscard]] Result<Domain> decode_domain(DomainId id, std::string_view row);
[[nodiscard]] std::string encode(const Account& account);
[[nodiscard]] Result<Account> decode_account(AccountId id, std::string_view row);
[[nodiscard]] std::string encode(const AddressEntry& entry);
/// The domain of an alias's own address is not in its row.
[[nodiscard]] Result<AddressEntry> decode_address(std::string_view row);
[[nodiscard]] std::string encode(const Credentials& credentials);
[[nodiscard]] Result<Credentials> decode_credentials(std::string_view row);
[[nodiscard]] std::string encode(const AppPassword& password);
[[nodiscard]] Result<AppPassword> decode_app_password(std::uint64_t id, std::string_view row);
[[nodiscard]] std::string encode(const Address& address);
[[nodiscard]] Result<Address> decode_bare_address(std::string_view row);

/// Longer rows are refused before they are put.
inline constexpr std::size_t row_octets_max = 32 * 1024;

/// The row of a domain of ours, itself or as an alias of another; nothing: not ours.
TxnTask<Result<std::optional<Domain>>> effective_domain(ReadTransaction& txn, std::string name);
/// Whose an address is, in a domain that is no alias; nothing: nobody's.
TxnTask<Result<std::optional<AddressEntry>>> find_address(ReadTransaction& txn, DomainId domain,
                                                          std::string local);
TxnTask<Result<std::optional<Address>>> postmaster(ReadTransaction& txn);

} // namespace mailcore::accounts::detail
