// Making an index anew: from a snapshot and the log behind it.
//
// `fill_index` is the one way to get the rows of an earlier moment while the store is in use: give
// it an empty index (IndexFiles::make, or one in a folder of your own) and where to end. It holds
// the journal's files meanwhile; bodies are not touched: the blobs' rows say where they lie, and
// hold `Journal::hold_files` for as long as you read them.
#pragma once

#include "libmailcore/base/file.h"
#include "libmailcore/base/result.h"
#include "libmailcore/journal/journal.h"
#include "libmailcore/kv/index.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>

namespace mailcore::store::detail {

using Damaged = std::function<void(const std::string&)>;
/// Whether the log alone leads to all rows.
using LogReachesBack = std::function<Result<bool>()>;
Result<bool> reaches_back(const journal::Journal& journal);

/// Where filling ends: before the first frame that lies beyond either.
struct FillUntil {
    journal::Position position = std::numeric_limits<journal::Position>::max();
    std::optional<WallTime> time; ///< that frames were written by
};

/// What an index was filled from.
struct Filled {
    journal::SegmentNumber snapshot = 0; ///< 0: from the log alone
    journal::Position from = 0;          ///< where replaying began
    journal::Mark reached;               ///< behind the last frame replayed
    std::uint64_t frames = 0;            ///< replayed
};

/// Where the rows are and how much memory may be used.
struct FillSource {
    base::FileSystem& files;
    std::string journal_folder;
    std::size_t table_octets_max = std::size_t{32} << 20;
};

/// Fills an empty index with the rows as they were at `until`: the newest snapshot that had ended
/// by then, then the log. Rows of whatever is damaged are missing; `damaged` is told what. A
/// snapshot that is damaged is used only if there is no other way. Blocks, for long.
Result<Filled> fill_index(const FillSource& source, journal::Journal& journal, kv::Index& index,
                          const FillUntil& until, const Damaged& damaged);

/// For an index that is missing when the journal is not open yet: fills it from the newest snapshot
/// and returns from where the log has to be replayed over it, to its end. Nothing: there is no
/// snapshot, and the whole log is to be replayed.
Result<std::optional<journal::Mark>>
fill_from_snapshot(const FillSource& source, const journal::StoreId& store, kv::Index& index,
                   const LogReachesBack& log_reaches_back, const Damaged& damaged);

} // namespace mailcore::store::detail
