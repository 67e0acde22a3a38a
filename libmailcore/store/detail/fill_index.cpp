#include "libmailcore/store/detail/fill_index.h"

#include "libmailcore/store/detail/blob_rows.h"
#include "libmailcore/store/detail/index_files.h"

#include <fmt/format.h>
#include <ranges>
#include <utility>
#include <vector>

namespace mailcore::store::detail {

namespace {

using Snapshots = std::vector<journal::Snapshot>;

/// The newest whole one. If none is whole: none where the log can do without, else the newest, for
/// what can be read of it.
Result<std::optional<journal::Snapshot>>
choose(const FillSource& source, const journal::StoreId& store, const Snapshots& oldest_first,
       const LogReachesBack& log_reaches_back, const Damaged& damaged) {
    if (oldest_first.empty()) return std::nullopt;
    for (const auto& each : oldest_first | std::views::reverse) {
        MAILCORE_TRY(const bool whole,
                     journal::read_snapshot(
                         source.files, source.journal_folder, store, each,
                         [](std::string_view, std::string_view) -> Result<void> { return {}; },
                         damaged));
        if (whole) return each;
    }
    MAILCORE_TRY(const bool log_will_do, log_reaches_back());
    if (log_will_do) return std::nullopt;
    damaged(fmt::format("no snapshot is whole: what can be read of snapshot {} is used",
                        oldest_first.back().number));
    return oldest_first.back();
}

Result<void> load(const FillSource& source, const journal::StoreId& store,
                  const journal::Snapshot& snapshot, kv::Index& index) {
    IndexFiller filler(index, source.table_octets_max);
    const auto row = [&filler](std::string_view key, std::string_view value) -> Result<void> {
        filler.table().put(key, value, 1);
        return filler.flush_if_full();
    };
    // What is damaged has been named when it was chosen.
    MAILCORE_TRY(journal::read_snapshot(source.files, source.journal_folder, store, snapshot, row,
                                        [](const std::string&) {}));
    return filler.flush();
}

} // namespace

Result<bool> reaches_back(const journal::Journal& journal) {
    MAILCORE_TRY(const auto reaches, journal.reaches());
    return !reaches.empty() && reaches.front().from == 0 && !reaches.front().last;
}

Result<Filled> fill_index(const FillSource& source, journal::Journal& journal, kv::Index& index,
                          const FillUntil& until, const Damaged& damaged) {
    const auto held = journal.hold_files();
    auto snapshots = journal.snapshots();
    std::erase_if(snapshots, [&until](const journal::Snapshot& each) {
        return each.end.to.position > until.position ||
               (until.time && each.end.ended > *until.time);
    });
    Filled filled;
    MAILCORE_TRY(const auto chosen, choose(
                                        source, journal.store_id(), snapshots,
                                        [&journal] { return reaches_back(journal); }, damaged));
    if (chosen) {
        MAILCORE_TRY(load(source, journal.store_id(), *chosen, index));
        filled.snapshot = chosen->number;
        filled.from = chosen->end.from.position;
        filled.reached = chosen->end.from;
    }
    const auto to = std::min(until.position, journal.end());
    bool beyond = false;
    const auto wanted = [&](const journal::FrameInfo& frame) {
        beyond = beyond || (until.time && frame.written > *until.time);
        if (beyond) return false;
        if (frame.end != filled.reached.position) ++filled.frames;
        filled.reached = frame.mark();
        return true;
    };
    MAILCORE_TRY(
        replay_into(journal, filled.from, to, index, source.table_octets_max, wanted, damaged));
    return filled;
}

Result<std::optional<journal::Mark>>
fill_from_snapshot(const FillSource& source, const journal::StoreId& store, kv::Index& index,
                   const LogReachesBack& log_reaches_back, const Damaged& damaged) {
    MAILCORE_TRY(const auto found,
                 journal::find_snapshots(source.files, source.journal_folder, store));
    MAILCORE_TRY(const auto chosen,
                 choose(source, store, found.finished, log_reaches_back, damaged));
    if (!chosen) return std::nullopt;
    MAILCORE_TRY(load(source, store, *chosen, index));
    return chosen->end.from;
}

} // namespace mailcore::store::detail
