// A Scheduler in virtual time: nothing happens but what a test lets happen.
#pragma once

#include "libmailcore/base/scheduler.h"

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <optional>

namespace mailcore::sim {

/// Runs posted work and timers when told to, and offloaded work as if the pool took no time.
/// `post` and `offload` may be called from any thread, the rest from one.
class VirtualScheduler final : public Scheduler {
  public:
    [[nodiscard]] Instant now() const override { return now_; }
    [[nodiscard]] WallTime wall_now() const override;
    void post(Work work) override;
    TimerId start_timer(Instant at, Work work) override;
    void cancel_timer(TimerId timer) override;
    void offload(Work work) override;

    /// Runs all that is ready now, and what becomes ready by it. Returns how many items that were.
    std::size_t run_ready();
    /// Goes from timer to timer up to `at`, running all that becomes ready.
    void run_until(Instant at);
    /// Runs the next timer and what follows from it; false if there is none.
    bool step();
    /// When the next timer is due; nothing: there is none.
    [[nodiscard]] std::optional<Instant> next_timer() const;
    [[nodiscard]] std::size_t timers() const { return timers_.size(); }
    /// Makes the time of day jump; monotonic time does not notice.
    void jump_wall(std::chrono::microseconds by) { wall_offset_ += by; }

  private:
    struct Timer {
        TimerId id;
        Work work;
    };
    Instant now_{std::chrono::hours{1}};
    std::chrono::microseconds wall_offset_{std::chrono::seconds{1'700'000'000}};
    std::mutex mutex_;
    std::deque<Work> ready_;
    std::deque<Work> offloaded_;
    std::multimap<Instant, Timer> timers_;
    TimerId last_timer_;
};

} // namespace mailcore::sim
