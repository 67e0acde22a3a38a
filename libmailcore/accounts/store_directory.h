// The directory that is kept in the store.
#pragma once

#include "libmailcore/accounts/directory.h"
#include "libmailcore/accounts/hashing_queue.h"
#include "libmailcore/accounts/login_cache.h"
#include "libmailcore/accounts/login_guard.h"
#include "libmailcore/base/log.h"
#include "libmailcore/crypto/password.h"
#include "libmailcore/store/store.h"

namespace mailcore::accounts {

struct StoreDirectoryOptions {
    /// Where a user name without "@" belongs. Empty: such names are denied.
    std::string default_domain;
    crypto::PasswordCost password_cost;
    /// The kinds of SCRAM that a password is good for. A new one gets keys for each at once, an
    /// older one at its next login that shows the password.
    std::vector<sasl::ScramHash> scram{sasl::ScramHash::Sha256};
    std::uint32_t scram_iterations = sasl::scram_iterations_default;
    /// Of a password that is being set. Default: 8 to 1024 octets.
    std::size_t password_octets_min = 8;
    std::size_t password_octets_max = 1'024;
    LoginGuardOptions guard;
    LoginCacheOptions cache;
    HashingQueueOptions hashing;
};

/// Directory over a store. The store, the source of randomness (any thread: SystemRandom) and the
/// log's sink outlive it. Operations on domains, accounts and aliases are the transaction functions
/// of account.h and domain.h; those here need hashing, or what is remembered in memory. Any thread.
class StoreDirectory final : public Directory {
  public:
    StoreDirectory(store::Store& store, Random& random, StoreDirectoryOptions options,
                   Log log = {});

    Task<Result<Lookup>> lookup(Address address) override;
    Task<Result<bool>> is_local(std::string domain) override;
    Task<Result<LoginAnswer>> authenticate(Login login) override;
    Task<Result<ScramLogin>> begin_scram(Login login, sasl::ScramHash hash) override;
    Task<Result<LoginAnswer>> end_scram(Login login, ScramLogin begun, LoginOutcome proof) override;
    Task<Result<LoginAnswer>> admit(Login login) override;
    Task<Result<bool>> still_valid(AccountId account, std::uint64_t credential_version) override;
    Task<Result<Account>> account(AccountId id) override;
    Task<Result<bool>> may_send_as(AccountId account, Address sender) override;

    /// Rejected: too short or too long. Every login with the old one is void.
    Task<Result<void>> set_password(AccountId id, Secret password);
    /// Makes an app password, stores its digest, and answers it: the only time that it can be seen.
    Task<Result<Secret>> make_app_password(AccountId id, std::string label, store::Rights rights);
    Task<Result<void>> revoke_app_password(AccountId id, std::uint64_t which);

    /// For metrics.
    [[nodiscard]] std::size_t cached_logins() const { return cache_.size(); }
    [[nodiscard]] std::size_t waiting_logins() const { return hashing_.waiting(); }

  private:
    struct Candidate;
    [[nodiscard]] std::optional<Address> user_address(std::string_view user) const;
    Task<Result<Candidate>> find_candidate(std::string user);
    Task<Result<bool>> wait_for_turn(std::string user, IpAddress peer);
    Task<Result<LoginAnswer>> conclude(Login login, Candidate candidate, LoginAnswer answer);
    /// What is kept of a password.
    struct Kept {
        std::string hash; ///< PHC
        std::vector<ScramKeys> scram;
    };
    Task<Result<Kept>> derive(Secret password);
    [[nodiscard]] bool lacks_scram_keys(const Credentials& credentials) const;
    Task<Result<void>> renew_credentials(AccountId id, std::uint64_t version, Secret password);

    store::Store& store_;
    Random& random_;
    StoreDirectoryOptions options_;
    Log log_;
    LoginGuard guard_;
    LoginCache cache_;
    HashingQueue hashing_;
    std::string decoy_hash_; // nobody's: what is checked for users that do not exist
};

} // namespace mailcore::accounts
