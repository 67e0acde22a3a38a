// Accounts and the addresses that lead to them.
#pragma once

#include "libmailcore/accounts/address.h"
#include "libmailcore/accounts/domain.h"
#include "libmailcore/store/account.h"

namespace mailcore::accounts {

enum class AccountStatus : std::uint8_t {
    Active = 0,
    Frozen,   ///< receives mail, cannot log in
    Disabled, ///< neither; its mail is refused
};
[[nodiscard]] std::string_view to_string(AccountStatus status);

/// One account. A value.
struct Account {
    AccountId id;    ///< given by `add_account`
    Address address; ///< the one it sends and logs in with
    std::vector<Address>
        more_addresses; ///< as good as the first for receiving, sending and logging in
    std::string name;   ///< of the person, for people
    AccountStatus status = AccountStatus::Active;
    DetailFolder detail_folder = DetailFolder::Default;
    bool administrator = false;
    WallTime created;
    friend bool operator==(const Account&, const Account&) = default;
};
inline constexpr std::size_t account_addresses_max = 100;

/// Makes the account, its addresses and, in the same transaction, its mailboxes
/// (`store::create_account`). Conflict: an address is taken. NotFound: a domain is not ours.
/// Rejected: a bad address.
TxnTask<Result<AccountId>> add_account(WriteTransaction& txn, Account account,
                                       store::QuotaLimits quota);
/// Takes name, status, folder rule and rights from `account`; addresses have their own functions.
TxnTask<Result<void>> set_account(WriteTransaction& txn, Account account);
TxnTask<Result<void>> add_address(WriteTransaction& txn, AccountId id, Address address);
/// Rejected: the account's own first address.
TxnTask<Result<void>> remove_address(WriteTransaction& txn, AccountId id, Address address);
/// One of its addresses becomes the first.
TxnTask<Result<void>> set_first_address(WriteTransaction& txn, AccountId id, Address address);
/// Takes away the account, its addresses and credentials at once; its mail by `reclaim_accounts`.
TxnTask<Result<void>> remove_account(WriteTransaction& txn, AccountId id);
/// Goes on removing mail of removed accounts, about `rows_max` rows. False: nothing is left.
TxnTask<Result<bool>> reclaim_accounts(WriteTransaction& txn, std::size_t rows_max = 2'000);

/// NotFound: none, or removed.
TxnTask<Result<Account>> read_account(ReadTransaction& txn, AccountId id);
/// By id, those behind `after`, at most `accounts_max`.
TxnTask<Result<std::vector<Account>>> list_accounts(ReadTransaction& txn, AccountId after,
                                                    std::size_t accounts_max);

/// An address that stands for others, here or elsewhere.
struct Alias {
    Address address;
    std::vector<Address> targets; ///< 1 to `alias_targets_max`
    std::string description;
    friend bool operator==(const Alias&, const Alias&) = default;
};
inline constexpr std::size_t alias_targets_max = 500;

/// Adds or replaces. Conflict: the address is an account's. NotFound: its domain is not ours.
/// LimitExceeded: too many targets; a list is what is wanted then.
TxnTask<Result<void>> set_alias(WriteTransaction& txn, Alias alias);
/// NotFound.
TxnTask<Result<void>> remove_alias(WriteTransaction& txn, Address address);
/// Of one domain, by local part, those behind `after`, at most `aliases_max`.
TxnTask<Result<std::vector<Alias>>> list_aliases(ReadTransaction& txn, DomainId domain,
                                                 std::string after, std::size_t aliases_max);

/// Where mail to "postmaster" goes in domains that have no such address (RFC 5321 §4.5.1). Not set:
/// to the oldest account that is an administrator, else to the oldest of all.
TxnTask<Result<void>> set_postmaster(WriteTransaction& txn, std::optional<Address> address);

} // namespace mailcore::accounts
