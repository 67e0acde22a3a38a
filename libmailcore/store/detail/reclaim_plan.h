// Which files of the journal nobody needs any more: computed from what there is, never remembered.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/journal/journal.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <vector>

namespace mailcore::store::detail {

/// What is there, and who may need it.
struct Holdings {
    std::vector<journal::SegmentFacts> segments; ///< in order of their numbers
    std::vector<journal::Snapshot> snapshots;    ///< oldest first
    journal::Position applied = 0;               ///< what the index on disk has
    /// Octets of bodies in a segment that rows name now.
    std::function<std::uint64_t(journal::SegmentNumber)> live;
    /// Segments of bodies that the log names from where the newest snapshot began.
    std::set<journal::SegmentNumber> named;
};

struct Dispensable {
    std::vector<journal::SegmentNumber> segments;
    std::vector<journal::SegmentNumber> snapshots;
};

/// What may go if every moment since `horizon` ago is to be kept restorable; 0: only the present.
///
/// The kept snapshot is the newest one that had ended by then (0: the newest). A segment is needed
/// if it holds log behind the beginning of that one, or behind what the index has; if rows name
/// bodies in it; and, for earlier moments, if a kept snapshot's rows or the log behind it did.
/// Where no snapshot is old enough yet, all is needed. The log's last segment always is.
[[nodiscard]] Dispensable dispensable(const Holdings& holdings, WallTime now,
                                      std::chrono::seconds horizon);

/// Which segments are worth emptying, so that they become dispensable: less than half of one is
/// needed, or it holds something dead and is older than `age`.
struct Worth {
    WallTime now;
    std::chrono::seconds age{};
    bool all = false; ///< whatever holds anything dead
};
[[nodiscard]] std::vector<journal::SegmentNumber> worth_emptying(const Holdings& holdings,
                                                                 const Worth& worth);

} // namespace mailcore::store::detail
