// Two kinds of time that do not convert into each other, and the clock that tells both.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

namespace mailcore::base {

/// Time that never goes back and means nothing outside the process: deadlines and durations.
struct MonotonicClock {
    using rep = std::int64_t;
    using period = std::nano;
    using duration = std::chrono::nanoseconds;
    using time_point = std::chrono::time_point<MonotonicClock>;
    static constexpr bool is_steady = true;
};
using Instant = MonotonicClock::time_point;

/// Time of day, UTC, to the microsecond: what is written into messages and rows. It may jump.
struct CivilClock {
    using rep = std::int64_t;
    using period = std::micro;
    using duration = std::chrono::microseconds;
    using time_point = std::chrono::time_point<CivilClock>;
    static constexpr bool is_steady = false;
};
using WallTime = CivilClock::time_point;

/// Seconds since 1970-01-01T00:00:00Z, and back.
[[nodiscard]] constexpr std::int64_t unix_seconds(WallTime time) {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}
/// The nearest there is: what was read from somewhere may be any number.
[[nodiscard]] constexpr WallTime wall_time(std::int64_t unix_seconds) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 1'000'000;
    return WallTime{std::chrono::seconds{std::clamp(unix_seconds, -most, most)}};
}

/// Where time comes from. Any thread.
class Clock {
  public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual Instant now() const = 0;
    [[nodiscard]] virtual WallTime wall_now() const = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
  public:
    [[nodiscard]] Instant now() const override;
    [[nodiscard]] WallTime wall_now() const override;
};

} // namespace mailcore::base

namespace mailcore {
using base::Instant;
using base::WallTime;
} // namespace mailcore
