#include "libmailcore/queue/retry.h"

#include <algorithm>

namespace mailcore::queue {

std::chrono::seconds RetrySchedule::wait_after(std::uint32_t attempts, Random& random) const {
    if (waits.empty()) return std::chrono::minutes{30};
    const auto index = std::min<std::size_t>(attempts > 0 ? attempts - 1 : 0, waits.size() - 1);
    const auto wait = waits[index];
    return wait +
           std::chrono::seconds{random.below(static_cast<std::uint64_t>(wait.count()) / 8 + 1)};
}

} // namespace mailcore::queue
