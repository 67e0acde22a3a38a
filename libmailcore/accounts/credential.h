// What proves who somebody is: passwords, SCRAM keys, app passwords.
#pragma once

#include "libmailcore/accounts/domain.h"
#include "libmailcore/base/random.h"
#include "libmailcore/base/secret.h"
#include "libmailcore/sasl/scram.h"
#include "libmailcore/store/access.h"

#include <string>
#include <vector>

namespace mailcore::accounts {

using sasl::ScramKeys;

/// An account's credentials. `version` changes with each change of any of them, and what was
/// remembered of an older version is void.
struct Credentials {
    std::uint64_t version = 0;
    std::string password_hash;    ///< PHC; empty: no password, only app passwords
    std::vector<ScramKeys> scram; ///< at most one of a hash; none: no SCRAM with it
    WallTime changed;

    [[nodiscard]] const ScramKeys* scram_keys(sasl::ScramHash hash) const;
    friend bool operator==(const Credentials&, const Credentials&) = default;
};

/// One more password of an account, made by us for one device or program. It is random, so a plain
/// hash of it is enough, and costs nothing to check.
struct AppPassword {
    std::uint64_t id = 0;
    std::string label;
    std::string digest; ///< SHA-256, 32 octets
    store::Rights rights = store::Rights::all();
    WallTime created;
    friend bool operator==(const AppPassword&, const AppPassword&) = default;
};
inline constexpr std::size_t app_passwords_max = 64;

/// 20 letters and digits in groups of four with hyphens: 100 random bits without look-alikes.
[[nodiscard]] Secret make_app_password(Random& random);
/// SHA-256 of what counts of it: without hyphens and spaces, letters in lower case.
[[nodiscard]] std::string app_password_digest(const Secret& password);

/// NotFound: no such account.
TxnTask<Result<Credentials>> read_credentials(ReadTransaction& txn, AccountId id);
/// Puts hash and keys of `credentials` under the next version, which it answers.
TxnTask<Result<std::uint64_t>> set_credentials(WriteTransaction& txn, AccountId id,
                                               Credentials credentials);
/// LimitExceeded: `app_passwords_max`. Answers its id. Logins with other credentials stay valid.
TxnTask<Result<std::uint64_t>> add_app_password(WriteTransaction& txn, AccountId id,
                                                AppPassword password);
/// Takes the next version: whoever is logged in has to log in again. NotFound.
TxnTask<Result<void>> remove_app_password(WriteTransaction& txn, AccountId id, std::uint64_t which);
TxnTask<Result<std::vector<AppPassword>>> list_app_passwords(ReadTransaction& txn, AccountId id);

} // namespace mailcore::accounts
