#include "libmailcore/store/detail/upkeep.h"

#include "libmailcore/codec/bytes.h"
#include "libmailcore/store/detail/engine_rows.h"
#include "libmailcore/store/detail/journal_store_state.h"
#include "libmailcore/store/detail/take_snapshot.h"

#include <algorithm>
#include <fmt/format.h>

namespace mailcore::store::detail {

namespace {

constexpr std::size_t rows_a_step = 1000, bodies_a_move = 500, damaged_max = 100'000;
constexpr std::uint64_t octets_a_move = std::uint64_t{4} << 20;
constexpr std::chrono::seconds look_again_when_full{5};
constexpr std::uint8_t upkeep_row_version = 1;

std::string encode_scrubbed(WallTime when) {
    std::string value;
    codec::Writer(value)
        .u8(upkeep_row_version)
        .u64le(static_cast<std::uint64_t>(when.time_since_epoch().count()));
    return value;
}

} // namespace

Upkeep::Upkeep(JournalStore::State& state) : state_(state), looked_(state.clock.now()) {}

// When

void Upkeep::run() {
    while (true) {
        {
            std::unique_lock guard(mutex_);
            const auto wait =
                short_of_space() ? look_again_when_full : state_.options.upkeep_interval;
            wake_.wait_for(guard, wait, [this] { return stopping_ || scrub_wanted_; });
            if (stopping_) return;
        }
        look(When::Now);
    }
}

void Upkeep::stop() {
    const std::scoped_lock guard(mutex_);
    stopping_ = true;
    wake_.notify_all();
}

void Upkeep::request_scrub() {
    const std::scoped_lock guard(mutex_);
    scrub_wanted_ = true;
    wake_.notify_all();
}

void Upkeep::look(When when) {
    {
        const std::scoped_lock guard(mutex_);
        const auto now = state_.clock.now();
        if (when == When::Due && now < looked_ + state_.options.upkeep_interval) return;
        looked_ = now;
    }
    auto done = round();
    if (done) done = scrub_if_due();
    if (!done)
        MAILCORE_LOG(state_.log, Warning, "store.upkeep.failed",
                     {{"folder", state_.folder}, {"error", done.error().detail}});
}

/// Only the disk: that changes come too fast is no reason to give up the past.
bool Upkeep::short_of_space() const {
    const auto free = state_.files.free_octets(state_.folder);
    return free && *free < state_.options.free_octets_min;
}

Result<void> Upkeep::pace(std::uint64_t octets, std::uint64_t octets_a_second) {
    std::unique_lock guard(mutex_);
    const auto stopped = [this] { return stopping_; };
    if (octets > 0 && octets_a_second > 0 && state_.options.threads == StoreThreads::Own)
        wake_.wait_for(guard, std::chrono::microseconds{octets * 1'000'000 / octets_a_second},
                       stopped);
    if (stopping_) return fail(ErrorKind::Unavailable, "the store is being closed");
    return {};
}

/// Names it, once.
std::string Upkeep::damaged(BlobId blob, const BlobRow& row, const Result<bool>& whole) {
    auto what = fmt::format("body {} in segment {} at {}: {}", blob.value, row.place.segment,
                            row.place.offset, whole ? "its digest is wrong" : whole.error().detail);
    bool fresh = false;
    {
        const std::scoped_lock guard(mutex_);
        fresh = damaged_.size() < damaged_max && damaged_.insert(blob).second;
    }
    if (fresh) state_.report(what);
    return what;
}

/// Unless it is the disk that is full: then what can be done without it may help.
Result<void> Upkeep::go_on(Result<void> done, std::string_view what) {
    if (done || done.error().kind != ErrorKind::LimitExceeded) return done;
    MAILCORE_LOG(state_.log, Warning, "store.upkeep.no-room",
                 {{"folder", state_.folder}, {"what", what}, {"error", done.error().detail}});
    return {};
}

Result<void> Upkeep::round() {
    const std::scoped_lock guard(one_at_a_time_);
    if (!state_.journal->failure().empty()) return {};
    const auto& options = state_.options;
    octets_a_second_ = options.upkeep_octets_a_second;
    ReclaimReport report;
    const auto now = state_.clock.wall_now();
    MAILCORE_TRY(const auto there, holdings());
    // A log that is hardly written to is closed too, so that what it holds can go.
    constexpr auto small_octets = journal::segment_header_octets + 2 * journal::block_octets;
    const auto last = std::ranges::find(there.segments.rbegin(), there.segments.rend(),
                                        journal::SegmentKind::Log, &journal::SegmentFacts::kind);
    if (last != there.segments.rend() && last->made + options.compaction_age <= now &&
        last->octets > small_octets) {
        MAILCORE_TRY(go_on(begin_log_segment(), "closing a segment"));
    }
    MAILCORE_TRY(go_on(empty(worth_emptying(there, {now, options.compaction_age, false}), report),
                       "moving bodies"));
    if (snapshot_due(there)) {
        MAILCORE_TRY(go_on(take_snapshot(), "a snapshot"));
    }
    auto horizon = options.restore_horizon;
    MAILCORE_TRY(drop(horizon, report));
    // Mail that comes in is worth more than restoring the past: the oldest of it goes first.
    while (horizon.count() > 0 && short_of_space()) {
        horizon = horizon > std::chrono::hours{1} ? horizon / 2 : std::chrono::seconds{0};
        const auto before = report.segments;
        MAILCORE_TRY(drop(horizon, report));
        if (report.segments > before)
            MAILCORE_LOG(state_.log, Warning, "store.horizon.shortened",
                         {{"folder", state_.folder}, {"seconds", horizon.count()}});
    }
    if (report.segments > 0 || report.bodies > 0)
        MAILCORE_LOG(state_.log, Info, "store.reclaimed",
                     {{"segments", report.segments},
                      {"octets", report.octets},
                      {"bodies", report.bodies},
                      {"body_octets", report.body_octets}});
    return {};
}

// What there is

Result<Holdings> Upkeep::holdings() {
    MAILCORE_TRY(learn_named());
    Holdings there;
    MAILCORE_TRY(there.segments, state_.journal->segments());
    there.snapshots = state_.journal->snapshots();
    there.live = [this](journal::SegmentNumber segment) { return state_.live.of(segment); };
    {
        const std::scoped_lock guard(state_.marks_mutex);
        there.applied = state_.applied.position;
    }
    there.named = state_.named.all();
    return there;
}

/// What the log named before it was opened, from the newest snapshot on.
Result<void> Upkeep::learn_named() {
    if (named_known_) return {};
    const auto snapshots = state_.journal->snapshots();
    if (!snapshots.empty() && state_.options.restore_horizon.count() > 0) {
        const auto held = state_.journal->hold_files();
        journal::Replay calls;
        calls.record = [this](const journal::FrameInfo& frame, const journal::Record& record) {
            return state_.named.note(frame, record);
        };
        calls.frame_end = [this](const journal::FrameInfo& frame) {
            return pace(frame.end - frame.begin, octets_a_second_);
        };
        MAILCORE_TRY(state_.journal->replay(snapshots.back().end.from.position, state_.opened_from,
                                            calls, journal::Bodies::PassOver));
    }
    named_known_ = true;
    return {};
}

// Snapshots

bool Upkeep::snapshot_due(const Holdings& there) const {
    const auto& options = state_.options;
    const auto* newest = there.snapshots.empty() ? nullptr : &there.snapshots.back();
    if (state_.committer->mark().position == (newest ? newest->end.to.position : 0)) return false;
    const auto since = state_.committer->counts().records_octets - records_at_snapshot_;
    if (since >= std::max(newest ? newest->octets : 0, options.snapshot_octets_min)) return true;
    std::optional<WallTime> last;
    if (newest) last = newest->end.ended;
    for (const auto& each : there.segments)
        if (!last && each.kind == journal::SegmentKind::Log) last = each.made;
    return last && *last + options.snapshot_interval <= state_.clock.wall_now();
}

Result<void> Upkeep::snapshot() {
    const std::scoped_lock guard(one_at_a_time_);
    octets_a_second_ = state_.options.upkeep_octets_a_second;
    MAILCORE_TRY(learn_named());
    return take_snapshot();
}

Result<void> Upkeep::take_snapshot() {
    const SnapshotParts parts{
        *state_.overlay, *state_.journal, state_.clock, [this] { return state_.committer->mark(); },
        [this](std::uint64_t octets) { return pace(octets, octets_a_second_); }};
    const std::uint64_t records = state_.committer->counts().records_octets;
    // The log behind it begins a new segment: the ones before can go as a whole.
    state_.run_on_writer([this] { state_.journal->close_log_segment(); });
    MAILCORE_TRY(const auto taken,
                 detail::take_snapshot(parts, [this] { return state_.named.all(); }));
    state_.named.forget_before(taken.end.from.position);
    records_at_snapshot_ = records;
    MAILCORE_LOG(state_.log, Info, "store.snapshot",
                 {{"folder", state_.folder}, {"rows", taken.end.rows}, {"octets", taken.octets}});
    return {};
}

Result<void> Upkeep::begin_log_segment() {
    Result<void> done;
    state_.run_on_writer([&] {
        state_.journal->close_log_segment();
        done = state_.committer->write_nothing();
    });
    return done;
}

// Moving bodies

Result<void> Upkeep::empty(const std::vector<journal::SegmentNumber>& segments,
                           ReclaimReport& report) {
    std::set<journal::SegmentNumber> wanted;
    for (const auto segment : segments)
        if (!stuck_.contains(segment) && state_.journal->close_body_segment(segment))
            wanted.insert(segment);
    if (wanted.empty()) return {};
    const auto blobs = all_blobs();
    Blobs bodies;
    std::uint64_t octets = 0;
    const auto flush = [&]() -> Result<void> {
        octets = 0;
        const auto some = std::exchange(bodies, {});
        return some.empty() ? Result<void>{} : move(some, report);
    };
    std::string from = blobs.from;
    for (bool more = true; more;) {
        std::size_t rows = 0;
        Blobs found;
        {
            MAILCORE_TRY(const auto view, state_.overlay->read());
            MAILCORE_TRY(view.walk({from, blobs.to}, kv::Order::Ascending, nullptr,
                                   [&](std::string_view key, std::string_view value) {
                                       from.assign(key).push_back('\0');
                                       const auto row = decode_blob_row(value);
                                       if (row && wanted.contains(row->place.segment))
                                           found.emplace_back(*blob_of_key(key), *row);
                                       return ++rows < rows_a_step;
                                   }));
        }
        more = rows == rows_a_step;
        MAILCORE_TRY(pace(0, 0));
        for (auto& each : found) {
            octets += each.second.place.stored;
            bodies.push_back(std::move(each));
            if (octets < octets_a_move && bodies.size() < bodies_a_move) continue;
            MAILCORE_TRY(flush());
        }
    }
    return flush();
}

/// Whether a body lies where it was found; a damaged one that does is named.
Result<bool> Upkeep::still_there(BlobId blob, const BlobRow& row) {
    const auto now = state_.find_blob(blob);
    if (!now && now.error().kind == ErrorKind::NotFound) return false;
    if (!now) return std::unexpected(now.error());
    return now->place == row.place;
}

Result<void> Upkeep::move(const Blobs& bodies, ReclaimReport& report) {
    std::vector<Relocation> moves;
    std::vector<journal::BodyPlace> places;
    std::uint64_t octets = 0;
    for (const auto& [blob, row] : bodies) {
        auto whole = is_whole(*state_.journal, row);
        // Memory and descriptors come back; a disk that cannot be read says so again.
        if (!whole && whole.error().kind == ErrorKind::LimitExceeded)
            return std::unexpected(std::move(whole).error());
        if (whole && *whole) {
            moves.push_back({blob, row.place, {}});
            places.push_back(row.place);
            octets += row.place.stored;
            continue;
        }
        MAILCORE_TRY(const bool there, still_there(blob, row));
        if (!there) continue;
        stuck_.insert(row.place.segment);
        static_cast<void>(damaged(blob, row, whole));
    }
    if (moves.empty()) return {};
    MAILCORE_TRY(const auto copied, state_.journal->copy_bodies(places));
    for (std::size_t i = 0; i < moves.size(); ++i) moves[i].to = copied.places[i];
    Result<std::size_t> moved;
    state_.run_on_writer([&] { moved = state_.committer->relocate(moves); });
    MAILCORE_TRY(const auto count, std::move(moved));
    report.bodies += count;
    report.body_octets += octets;
    return pace(2 * octets, octets_a_second_);
}

// Removing

Result<void> Upkeep::drop(std::chrono::seconds horizon, ReclaimReport& report) {
    MAILCORE_TRY(auto there, holdings());
    const auto now = state_.clock.wall_now();
    // Those first, durably: nobody begins with one whose log is gone.
    for (const auto number : dispensable(there, now, horizon).snapshots) {
        MAILCORE_TRY(const bool dropped, state_.journal->drop_snapshot(number));
        if (!dropped) return {};
    }
    there.snapshots = state_.journal->snapshots();
    state_.run_on_writer([&] {
        // After a failed sync nobody knows whether a frame that names one of them will be there.
        if (!state_.journal->failure().empty()) return;
        // Here nobody names a body meanwhile.
        there.named = state_.named.all();
        const auto found = dispensable(there, now, horizon);
        for (const auto segment : found.segments) {
            if (!state_.journal->drop_segment(segment)) continue;
            const auto facts = std::ranges::lower_bound(there.segments, segment, {},
                                                        &journal::SegmentFacts::number);
            report.octets += facts->octets;
            ++report.segments;
            state_.named.forget(segment);
            MAILCORE_LOG(state_.log, Debug, "store.segment.removed", {{"segment", segment}});
        }
    });
    return state_.journal->remove_dropped();
}

Result<ReclaimReport> Upkeep::compact(Reclaim how) {
    const std::scoped_lock guard(one_at_a_time_);
    if (auto reason = state_.journal->failure(); !reason.empty())
        return fail(ErrorKind::Unavailable, std::move(reason));
    octets_a_second_ = 0;
    ReclaimReport report;
    stuck_.clear(); // what is damaged is looked at again
    MAILCORE_TRY(begin_log_segment());
    MAILCORE_TRY(const auto there, holdings());
    MAILCORE_TRY(go_on(empty(worth_emptying(there, {state_.clock.wall_now(), {}, true}), report),
                       "moving bodies"));
    // The index has to have it before the log that says so can go.
    MAILCORE_TRY(begin_log_segment());
    MAILCORE_TRY(state_.checkpoint());
    MAILCORE_TRY(take_snapshot());
    const auto horizon =
        how == Reclaim::Everything ? std::chrono::seconds{0} : state_.options.restore_horizon;
    MAILCORE_TRY(drop(horizon, report));
    return report;
}

// Scrubbing

Result<void> Upkeep::scrub_if_due() {
    bool wanted = false;
    {
        const std::scoped_lock guard(mutex_);
        if (scrubbing_) return {};
        wanted = std::exchange(scrub_wanted_, false);
    }
    const auto interval = state_.options.scrub_interval;
    if (!wanted && interval.count() > 0) {
        MAILCORE_TRY(const auto last, last_scrub());
        wanted = last && *last + interval <= state_.clock.wall_now();
    }
    if (!wanted || !state_.journal->failure().empty()) return {};
    MAILCORE_TRY(scrub());
    return {};
}

Result<ScrubReport> Upkeep::scrub() {
    ScrubReport report;
    {
        const std::scoped_lock guard(mutex_);
        if (scrubbing_) return fail(ErrorKind::Conflict, "a scrub is under way");
        scrubbing_ = true;
        scrub_octets_ = 0;
    }
    auto done = scrub_bodies(report);
    if (done) done = scrub_snapshots(report);
    const auto now = state_.clock.wall_now();
    if (done)
        state_.run_on_writer([&] {
            done = state_.committer->put_row(std::string(scrubbed_key), encode_scrubbed(now));
        });
    const std::scoped_lock guard(mutex_);
    scrubbing_ = false;
    if (!done) return std::unexpected(std::move(done).error());
    scrubbed_ = now;
    MAILCORE_LOG(state_.log, Info, "store.scrubbed",
                 {{"folder", state_.folder},
                  {"bodies", report.bodies},
                  {"octets", report.octets},
                  {"damaged", report.damaged.size()}});
    return report;
}

Result<void> Upkeep::scrub_bodies(ScrubReport& report) {
    constexpr std::size_t rows_a_batch = 200;
    const auto rate = state_.options.scrub_octets_a_second;
    const auto blobs = all_blobs();
    std::string from = blobs.from;
    for (bool more = true; more;) {
        Blobs bodies;
        {
            MAILCORE_TRY(const auto view, state_.overlay->read());
            MAILCORE_TRY(view.walk({from, blobs.to}, kv::Order::Ascending, nullptr,
                                   [&](std::string_view key, std::string_view value) {
                                       from.assign(key).push_back('\0');
                                       if (const auto row = decode_blob_row(value))
                                           bodies.emplace_back(*blob_of_key(key), *row);
                                       return bodies.size() < rows_a_batch;
                                   }));
        }
        more = bodies.size() == rows_a_batch;
        for (const auto& [blob, row] : bodies) {
            ++report.bodies;
            report.octets += row.place.stored;
            const auto whole = is_whole(*state_.journal, row);
            if (!whole || !*whole) {
                MAILCORE_TRY(const bool there, still_there(blob, row));
                if (there && report.damaged.size() < damages_max)
                    report.damaged.push_back(damaged(blob, row, whole));
            }
            {
                const std::scoped_lock guard(mutex_);
                scrub_octets_ += row.place.stored;
            }
            MAILCORE_TRY(pace(row.place.stored, rate));
        }
        // It takes long: what else is due does not wait for it.
        look(When::Due);
    }
    return {};
}

/// One that is damaged is of no use when it is needed: another takes its place.
Result<void> Upkeep::scrub_snapshots(ScrubReport& report) {
    const auto rate = state_.options.scrub_octets_a_second;
    bool newest_is_whole = true;
    const auto held = state_.journal->hold_files();
    for (const auto& each : state_.journal->snapshots()) {
        std::uint64_t octets = 0;
        MAILCORE_TRY(newest_is_whole,
                     state_.journal->read_snapshot(
                         each,
                         [&](std::string_view key, std::string_view value) -> Result<void> {
                             octets += key.size() + value.size();
                             if (octets < octets_a_move) return {};
                             return pace(std::exchange(octets, 0), rate);
                         },
                         [&](const std::string& what) {
                             state_.report(what);
                             if (report.damaged.size() < damages_max)
                                 report.damaged.push_back(what);
                         }));
    }
    return newest_is_whole ? Result<void>{} : snapshot();
}

Result<std::optional<WallTime>> Upkeep::last_scrub() const {
    MAILCORE_TRY(const auto view, state_.overlay->read());
    MAILCORE_TRY(const auto value, view.get(scrubbed_key));
    if (value) {
        codec::Reader reader(*value);
        const bool known = reader.u8() == upkeep_row_version;
        const auto when = reader.u64le();
        if (known && reader.at_end())
            return WallTime{std::chrono::microseconds{static_cast<std::int64_t>(when)}};
    }
    // Never: counted from when the oldest of its log was begun.
    MAILCORE_TRY(const auto segments, state_.journal->segments());
    for (const auto& each : segments)
        if (each.kind == journal::SegmentKind::Log) return each.made;
    return std::nullopt;
}

void Upkeep::describe(StoreStatus& status) const {
    if (const auto last = state_.journal->snapshots(); !last.empty())
        status.last_snapshot = last.back().end.ended;
    const std::scoped_lock guard(mutex_);
    status.last_scrub = scrubbed_;
    status.scrubbing = scrubbing_;
    status.scrub_octets = scrub_octets_;
}

} // namespace mailcore::store::detail
