// What keeps a store in shape while it is in use: snapshots of the index, emptying segments that
// are mostly dead, removing what nobody needs, reading everything once in a while.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/journal/journal.h"
#include "libmailcore/store/detail/blob_rows.h"
#include "libmailcore/store/detail/reclaim_plan.h"
#include "libmailcore/store/journal_store.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace mailcore::store::detail {

/// The upkeep of one store. One piece of work at a time, whoever asks for it (a scrub, which takes
/// long, goes on beside); blocks its caller. With StoreThreads::Own `run` is its own thread.
class Upkeep {
  public:
    /// `state` outlives it and is open.
    explicit Upkeep(JournalStore::State& state);

    /// Does what is due, again and again, until `stop`.
    void run();
    /// Ends what is under way, soon. Any thread.
    void stop();
    /// Does what is due, now or if it was not looked after for the interval.
    enum class When : std::uint8_t { Due, Now };
    void look(When when);

    Result<void> snapshot();
    Result<ReclaimReport> compact(Reclaim how);
    Result<ScrubReport> scrub();
    /// `run` scrubs as soon as it can.
    void request_scrub();
    /// Fills what of the status is its own. Any thread.
    void describe(StoreStatus& status) const;

  private:
    using Blobs = std::vector<std::pair<BlobId, BlobRow>>;

    Result<void> round();
    Result<void> go_on(Result<void> done, std::string_view what);
    Result<void> scrub_if_due();
    Result<void> take_snapshot();
    [[nodiscard]] bool snapshot_due(const Holdings& holdings) const;
    [[nodiscard]] bool short_of_space() const;
    Result<Holdings> holdings();
    Result<void> learn_named();
    Result<void> begin_log_segment();
    Result<void> empty(const std::vector<journal::SegmentNumber>& segments, ReclaimReport& report);
    Result<void> move(const Blobs& bodies, ReclaimReport& report);
    Result<void> drop(std::chrono::seconds horizon, ReclaimReport& report);
    Result<bool> still_there(BlobId blob, const BlobRow& row);
    Result<void> scrub_bodies(ScrubReport& report);
    Result<void> scrub_snapshots(ScrubReport& report);
    [[nodiscard]] Result<std::optional<WallTime>> last_scrub() const;
    /// Waits as long as work on so many octets may take; an error: the store is being closed.
    Result<void> pace(std::uint64_t octets, std::uint64_t octets_a_second);
    std::string damaged(BlobId blob, const BlobRow& row, const Result<bool>& whole);

    JournalStore::State& state_;
    std::mutex one_at_a_time_;          // over the following, and all the work
    std::uint64_t octets_a_second_ = 0; ///< of the work under way; 0: as fast as it goes
    bool named_known_ = false;
    std::uint64_t records_at_snapshot_ = 0;
    std::set<journal::SegmentNumber> stuck_; ///< hold bodies that are damaged

    mutable std::mutex mutex_; // over the following
    std::condition_variable wake_;
    bool stopping_ = false, scrub_wanted_ = false;
    Instant looked_;
    std::set<BlobId> damaged_;         ///< bodies, each named once
    std::optional<WallTime> scrubbed_; ///< when the last scrub ended, as far as known
    std::uint64_t scrub_octets_ = 0;   ///< of the one under way
    bool scrubbing_ = false;
};

} // namespace mailcore::store::detail
