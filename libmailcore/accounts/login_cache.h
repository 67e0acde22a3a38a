// Passwords that were right a moment ago need not be hashed again.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/random.h"
#include "libmailcore/base/secret.h"
#include "libmailcore/store/ids.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

namespace mailcore::accounts {

struct LoginCacheOptions {
    /// How long a right password is remembered. 0: never. Default: 5 minutes.
    std::chrono::seconds memory{5 * 60};
    /// Passwords remembered; the oldest goes first. Default: 10000.
    std::size_t entries_max = 10'000;
};

/// Remembers HMAC-SHA-256(a key of this process, account | credential version | password) of
/// passwords that were right. Never failures, never on disk. A changed credential has another
/// version and is not found. Any thread.
class LoginCache {
  public:
    LoginCache(Random& random, LoginCacheOptions options = {});
    ~LoginCache();

    [[nodiscard]] bool contains(store::AccountId account, std::uint64_t version,
                                const Secret& password, Instant now);
    void add(store::AccountId account, std::uint64_t version, const Secret& password, Instant now);
    /// Forgets everything of an account.
    void drop(store::AccountId account);
    [[nodiscard]] std::size_t size() const;

  private:
    using Digest = std::array<unsigned char, 32>;
    struct Entry {
        Digest digest;
        store::AccountId account;
        Instant until;
    };
    struct HashDigest {
        std::size_t operator()(const Digest& digest) const noexcept;
    };
    [[nodiscard]] Digest digest(store::AccountId account, std::uint64_t version,
                                const Secret& password) const;

    LoginCacheOptions options_;
    Secret key_;
    mutable std::mutex mutex_;
    std::list<Entry> order_; // oldest first
    std::unordered_map<Digest, std::list<Entry>::iterator, HashDigest> by_digest_;
};

} // namespace mailcore::accounts
