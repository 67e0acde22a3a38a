// Keys for session tickets (RFC 8446 §4.6.1, RFC 5077), shared by all loops and kept across
// reloads.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/random.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>

namespace mailcore::tls {

/// Makes a new ticket key every `period` and remembers the one before, so that a ticket lives one
/// to two periods and a stolen key opens no more than that. Tickets of TLS 1.2 sessions have no
/// other forward secrecy. Any thread. `random` outlives it.
class TicketKeys {
  public:
    struct Key {
        std::array<unsigned char, 4> name{};
        std::array<unsigned char, 32> octets{};
    };
    struct Pair {
        Key current;
        Key previous;
        std::uint64_t generation = 0; ///< changes when `current` does; never 0
    };

    explicit TicketKeys(Random& random, std::chrono::seconds period = std::chrono::hours(12));
    ~TicketKeys();
    TicketKeys(const TicketKeys&) = delete;
    TicketKeys& operator=(const TicketKeys&) = delete;

    /// The keys to use at `now`. A clock that goes back changes nothing.
    [[nodiscard]] Pair at(WallTime now);
    /// How long a ticket may live at most: two periods, and never more than the seven days of
    /// RFC 8446 §4.6.1.
    [[nodiscard]] std::chrono::seconds lifetime() const;

  private:
    Key make_key();

    Random& random_;
    const std::chrono::seconds period_;
    std::mutex mutex_;
    Pair pair_;
    WallTime since_;
};

} // namespace mailcore::tls
