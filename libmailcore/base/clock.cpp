#include "libmailcore/base/clock.h"

namespace mailcore::base {

Instant SystemClock::now() const {
    return Instant{std::chrono::steady_clock::now().time_since_epoch()};
}

WallTime SystemClock::wall_now() const {
    return WallTime{std::chrono::floor<std::chrono::microseconds>(
        std::chrono::system_clock::now().time_since_epoch())};
}

} // namespace mailcore::base
