// What the rest of the server asks about people: where an address leads, and who is logging in.
#pragma once

#include "libmailcore/accounts/account.h"
#include "libmailcore/accounts/credential.h"
#include "libmailcore/base/address.h"
#include "libmailcore/base/task.h"

#include <variant>

namespace mailcore::accounts {

/// An account of ours.
struct ToAccount {
    AccountId account;
    Address address;    ///< the account's own first address
    std::string detail; ///< of "user+detail"; empty: none
    DetailFolder detail_folder = DetailFolder::Ignored;
};
/// An alias, a catch-all or the postmaster of a domain without one.
struct ToAddresses {
    std::vector<Address> targets;
    bool catch_all = false;
};
struct ToRemote {};   ///< a domain that is not ours
struct ToNobody {};   ///< our domain, and nobody has that address
struct ToDisabled {}; ///< our domain, or the account, takes no mail for now

using Lookup = std::variant<ToAccount, ToAddresses, ToRemote, ToNobody, ToDisabled>;

/// Where an address leads in the end.
struct Expansion {
    struct Local {
        AccountId account;
        Address recipient; ///< the account's first address
        Address original;  ///< the address that led there last: for Delivered-To
        std::string detail;
        DetailFolder detail_folder = DetailFolder::Ignored;
    };
    std::vector<Local> local;    ///< each account once
    std::vector<Address> remote; ///< each address once
    std::vector<Address>
        unknown; ///< of our domains, with nobody behind: targets of an outdated alias
    std::vector<Address> disabled;
    bool cut =
        false; ///< a loop, deeper than `expansion_depth_max`, or wider than `expansion_targets_max`
};
inline constexpr std::size_t expansion_depth_max = 10;
inline constexpr std::size_t expansion_targets_max = 10'000;

/// A login by password. `service` is for the log ("imap", "smtp" ...).
struct Login {
    std::string user; ///< an address of the account; without "@": in `default_domain`
    Secret password;
    std::string service;
    IpAddress peer;
};

enum class LoginOutcome : std::uint8_t {
    Accepted,
    Denied,    ///< whatever the reason: no such user, wrong password, disabled
    Throttled, ///< too many failures from there or for that account: not even looked at
};
struct LoginAnswer {
    LoginOutcome outcome = LoginOutcome::Denied;
    AccountId account;    ///< if accepted
    Address address;      ///< the account's first address
    store::Rights rights; ///< the most that this login may do
    std::uint64_t credential_version = 0;
    std::uint64_t app_password = 0; ///< which one was used; 0: the account's password
};

/// What SCRAM goes on with. For a user that does not exist, may not log in or has no keys the
/// exchange has to pretend, which is `sasl`'s business (sasl::ServerOptions::fake_salt_key; RFC
/// 5802 §7).
struct ScramLogin {
    LoginOutcome outcome = LoginOutcome::Denied; ///< Accepted: go on; Throttled
    ScramKeys keys;
    AccountId account; ///< 0: nobody; there are no keys
    Address address;
    store::Rights rights;
    std::uint64_t credential_version = 0;
};

/// People and addresses, wherever they are kept: in the store, or in LDAP. May be used from several
/// Schedulers at once; each call returns to the Scheduler it was made on.
class Directory {
  public:
    virtual ~Directory() = default;

    /// Where one address leads, one step.
    virtual Task<Result<Lookup>> lookup(Address address) = 0;
    /// Whether mail for `domain` is ours.
    virtual Task<Result<bool>> is_local(std::string domain) = 0;

    /// Answers after as long as an attempt has to take: an unknown user costs what a wrong password
    /// does, failures cost more and more. Unavailable: too many passwords are being checked
    /// already.
    virtual Task<Result<LoginAnswer>> authenticate(Login login) = 0;
    /// `login.password` is not looked at.
    virtual Task<Result<ScramLogin>> begin_scram(Login login, sasl::ScramHash hash) = 0;
    /// Has to be told how each `begin_scram` that went on ended.
    virtual Task<Result<LoginAnswer>> end_scram(Login login, ScramLogin begun,
                                                LoginOutcome proof) = 0;
    /// Somebody who has proved to be `login.user` in another way: by his certificate.
    /// `login.password` is not looked at.
    virtual Task<Result<LoginAnswer>> admit(Login login) = 0;
    /// Whether somebody who logged in with these credentials still may do things: asked now and
    /// then by long sessions.
    virtual Task<Result<bool>> still_valid(AccountId account, std::uint64_t credential_version) = 0;

    /// NotFound.
    virtual Task<Result<Account>> account(AccountId id) = 0;
    /// Whether `account` may send as `sender`: one of its addresses, with or without detail, or an
    /// alias that leads to it.
    virtual Task<Result<bool>> may_send_as(AccountId account, Address sender) = 0;
};

/// Follows aliases to their ends.
Task<Result<Expansion>> expand(Directory& directory, Address address);

} // namespace mailcore::accounts
