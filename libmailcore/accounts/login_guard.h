// Failed logins make further ones slower, and then refused.
#pragma once

#include "libmailcore/base/address.h"
#include "libmailcore/base/clock.h"

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mailcore::accounts {

struct LoginGuardOptions {
    /// After this long without another failure it is forgotten. Default: 15 minutes.
    std::chrono::seconds failure_memory{15 * 60};
    /// Failures of one user name that cost nothing. Default: 3.
    unsigned free_failures = 3;
    /// What the next attempt waits for; doubled with each failure. Default: 1 s.
    std::chrono::milliseconds delay_first{1'000};
    /// The longest wait; an attempt that would have to wait longer is refused. Default: 16 s.
    std::chrono::milliseconds delay_max{16'000};
    /// Failures from one address (of IPv6: one /64) after which it is refused. Default: 50.
    unsigned address_failures_max = 50;
    /// How long an address from which a user got in is his own. Default: a day.
    std::chrono::seconds known_memory{24 * 60 * 60};
    /// User names and addresses that are remembered, each. The one that failed longest ago is
    /// forgotten first. Default: 10000.
    std::size_t entries_max = 10'000;
};

/// Counts failures by user name, whether or not there is such a user, and by address. Attempts of
/// one user name take turns: many connections at once are no faster than one. An address from which
/// the user got in is not made to wait for others' failures. This machine's own addresses, where a
/// proxy or web mail may speak for many people, are never refused as a whole. Bounded. Any thread.
class LoginGuard {
  public:
    explicit LoginGuard(LoginGuardOptions options = {}) : options_(options) {}

    struct Admission {
        bool refused = false;
        Instant at; ///< when to go on; in the past: at once
    };
    Admission admit(std::string_view user, const IpAddress& peer, Instant now);
    void failed(std::string_view user, const IpAddress& peer, Instant now);
    void succeeded(std::string_view user, const IpAddress& peer, Instant now);

    struct Counts {
        std::size_t users = 0;
        std::size_t addresses = 0;
        std::size_t known = 0;
    };
    [[nodiscard]] Counts counts() const;

  private:
    struct Entry {
        std::string key;
        unsigned failures = 0;
        Instant last;
        Instant next; ///< when the next attempt may begin
    };
    /// Entries by key, the one touched longest ago first.
    struct Table {
        std::list<Entry> order;
        std::unordered_map<std::string_view, std::list<Entry>::iterator>
            by_key; // views into `order`
        Entry* find(std::string_view key, Instant now, std::chrono::seconds memory);
        Entry& touch(std::string_view key, Instant now, std::size_t entries_max);
        void erase(std::string_view key);
    };
    /// After that many failures, more than the free ones.
    [[nodiscard]] std::chrono::milliseconds delay(unsigned failures) const;

    LoginGuardOptions options_;
    mutable std::mutex mutex_;
    Table users_;
    Table addresses_;
    Table known_; // "user, address" that succeeded
};

} // namespace mailcore::accounts
