// Writing a snapshot of the index while the store is in use.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/journal/journal.h"
#include "libmailcore/kv/overlay.h"

#include <cstdint>
#include <functional>
#include <set>

namespace mailcore::store::detail {

/// What it is made of and by. All outlives it.
struct SnapshotParts {
    const kv::Overlay& overlay;
    journal::Journal& journal;
    const base::Clock& clock;
    /// Where the log stands, at least as far as what is published.
    std::function<journal::Mark()> mark;
    /// Told how many octets were read or written; its failure ends the work.
    std::function<Result<void>(std::uint64_t octets)> pace;
};

/// Reads all rows in bounded batches, each from a view of its own, so that nothing is pinned
/// meanwhile, and writes them in order. `named` is called at the end, for the snapshot's own list.
/// LimitExceeded: no room; nothing was changed. Blocks. One at a time.
Result<journal::Snapshot>
take_snapshot(const SnapshotParts& parts,
              const std::function<std::set<journal::SegmentNumber>()>& named);

} // namespace mailcore::store::detail
