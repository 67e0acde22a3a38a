// When an undeliverable message is tried again, reported as delayed, and given up.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/random.h"

#include <chrono>
#include <vector>

namespace mailcore::queue {

/// The schedule of one kind of destination. Lowering a time affects queued mail at once.
struct RetrySchedule {
    /// Waits before the second, third ... attempt; the last one repeats (RFC 5321 §4.5.4.1: 30
    /// minutes or more in the long run; sooner at first, since most trouble is short).
    std::vector<std::chrono::seconds> waits{std::chrono::minutes{1},  std::chrono::minutes{5},
                                            std::chrono::minutes{15}, std::chrono::minutes{30},
                                            std::chrono::minutes{60}, std::chrono::minutes{120},
                                            std::chrono::minutes{240}};
    /// After this a report of delay is sent, once, to who wants one.
    std::chrono::seconds delay_report_after{std::chrono::hours{4}};
    /// How long a message stays queued before it is returned (RFC 5321 §4.5.4.1: at least 4 to 5
    /// days).
    std::chrono::seconds lifetime{std::chrono::hours{24 * 5}};
    /// The same for a report or any other message with the null sender.
    std::chrono::seconds lifetime_null_sender{std::chrono::hours{24}};

    /// The wait after `attempts` failed ones (1: the first has failed), up to an eighth longer by
    /// chance so that what failed together is not tried together.
    [[nodiscard]] std::chrono::seconds wait_after(std::uint32_t attempts, Random& random) const;
};

} // namespace mailcore::queue
