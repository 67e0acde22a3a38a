// How much memory is left, and who is let in while there is enough.
#pragma once

#include "libmailcore/base/clock.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace mailcore::base {

/// Tells what is in use. Any thread; costs microseconds.
class MemoryMeter {
  public:
    virtual ~MemoryMeter() = default;
    /// Octets.
    [[nodiscard]] virtual std::uint64_t used() = 0;
    /// Gives back what is held and not used, as far as there is such a thing.
    virtual void give_back() = 0;
};

/// Refuses before memory runs out, in three steps, so that what is being done can be finished and
/// who is idle stays: first new connections, then new messages, at last messages that are coming in
/// already. It measures when it is asked and the last measurement is old: who asks often pays for
/// one in `interval`. Any thread.
class MemoryGate {
  public:
    enum class Admission : std::uint8_t {
        Connection, ///< up to 80 % of the ceiling
        Message,    ///< up to 88 %
        Octets,     ///< of a message that was admitted: up to 95 %
    };
    struct Options {
        /// The ceiling. 0: none, everybody is let in.
        std::uint64_t octets_max = 0;
        std::chrono::milliseconds interval{10};
        /// `give_back` is asked for no more often than this.
        std::chrono::milliseconds give_back_interval{1'000};
    };

    /// `clock` and `meter` outlive it.
    MemoryGate(Options options, const Clock& clock, MemoryMeter& meter);

    /// False: refuse, with the protocol's word for "later". It is counted.
    [[nodiscard]] bool admits(Admission what);
    /// Octets that must be freed until new messages are let in again; 0: they are now.
    [[nodiscard]] std::uint64_t excess();

    [[nodiscard]] std::uint64_t octets_max() const { return options_.octets_max; }
    /// Refused so far.
    [[nodiscard]] std::uint64_t refused(Admission what) const {
        return refused_[static_cast<std::size_t>(what)].load(std::memory_order_relaxed);
    }

  private:
    [[nodiscard]] std::uint64_t limit(Admission what) const;
    [[nodiscard]] std::uint64_t used();

    const Options options_;
    const Clock& clock_;
    MemoryMeter& meter_;
    std::atomic<std::uint64_t> used_ = 0;
    std::atomic<Instant> measure_at_{Instant::min()};
    std::atomic<Instant> give_back_at_{Instant::min()};
    std::array<std::atomic<std::uint64_t>, 3> refused_{};
};

} // namespace mailcore::base
