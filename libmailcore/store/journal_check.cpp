// Comparing a store with itself, and building its index anew.
#include "libmailcore/store/detail/body_check.h"
#include "libmailcore/store/detail/engine_rows.h"
#include "libmailcore/store/detail/fill_index.h"
#include "libmailcore/store/detail/journal_store_state.h"
#include "libmailcore/store/journal_store.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace mailcore::store {

namespace {

using detail::printable;
using detail::Rows;
using detail::rows_a_step;
using detail::rows_from;

constexpr std::size_t suspects_max = 100'000;

Result<Rows> rows_from(const kv::View& view, std::string_view from, std::string_view to) {
    Rows rows;
    MAILCORE_TRY(view.walk({from, to}, kv::Order::Ascending, nullptr,
                           [&](std::string_view key, std::string_view value) {
                               rows.emplace_back(key, value);
                               return rows.size() < rows_a_step;
                           }));
    return rows;
}

/// The check of one store.
class Check {
  public:
    explicit Check(JournalStore::State& state) : state_(state) {}
    Result<CheckReport> run();

  private:
    Result<void> check_history(journal::Position end);
    Result<void> compare_rows();
    Result<void> compare_step(Rows& ours, Rows& theirs, bool ours_end, bool theirs_end);
    Result<void> look_at_suspects();
    Result<void> check_counts();
    void problem(std::string text);

    JournalStore::State& state_;
    CheckReport report_;
    std::shared_ptr<kv::Index> anew_; // built from the journal
    journal::Position reached_ = 0;   // by `anew_`
    std::set<std::string> suspects_;  // keys that differ, or have changed meanwhile
};

void Check::problem(std::string text) { detail::add_problem(report_, std::move(text)); }

/// Every row of the store against the index built anew.
Result<void> Check::compare_rows() {
    std::string from;
    while (true) {
        // The two ranges of a step end at the same key.
        auto theirs = rows_from(*anew_, from, {});
        if (!theirs) return std::unexpected(std::move(theirs).error());
        const bool last = theirs->size() < rows_a_step;
        std::string to = last ? std::string() : theirs->back().first + '\0';
        std::string at = from;
        std::map<std::string_view, std::string_view> expected;
        for (const auto& [key, value] : *theirs)
            if (!detail::is_derived_key(key)) expected.emplace(key, value);
        while (true) {
            MAILCORE_TRY(const auto view, state_.overlay->read());
            MAILCORE_TRY(const auto ours, rows_from(view, at, to));
            for (const auto& [key, value] : ours) {
                if (detail::is_derived_key(key)) continue;
                ++report_.rows;
                const auto found = expected.find(key);
                if (found == expected.end() || found->second != value) suspects_.insert(key);
                if (found != expected.end()) expected.erase(found);
            }
            if (ours.size() < rows_a_step) break;
            at = ours.back().first + '\0';
        }
        for (const auto& [key, value] : expected) suspects_.emplace(key);
        if (suspects_.size() > suspects_max) {
            problem("the index differs from the journal in more than 100,000 rows");
            suspects_.clear();
            return {};
        }
        if (last) return {};
        from = std::move(to);
    }
}

/// Rows may have changed since the index was built anew: it is brought up to one view, which
/// decides.
Result<void> Check::look_at_suspects() {
    MAILCORE_TRY(const auto view, state_.overlay->read());
    MAILCORE_TRY(detail::replay_into(
        *state_.journal, reached_, view.position(), *anew_, state_.options.checkpoint_octets,
        [](const journal::FrameInfo&) { return true; },
        [this](const std::string& what) { problem(what); }));
    reached_ = view.position();
    MAILCORE_TRY(const auto reader, anew_->read());
    for (const auto& key : suspects_) {
        MAILCORE_TRY(const auto ours, view.get(key));
        MAILCORE_TRY(const auto theirs, reader->get(key));
        if (ours == theirs) continue;
        problem(fmt::format("row {}: {}", printable(key),
                            !ours     ? "in the journal, not in the index"
                            : !theirs ? "in the index, not in the journal"
                                      : "the index has another value than the journal"));
    }
    return {};
}

/// All of the log that can be shown, and every snapshot but the newest, which the new index is made
/// from.
Result<void> Check::check_history(journal::Position end) {
    const auto& journal = *state_.journal;
    const auto wrong = [this](const std::string& what) { problem(what); };
    const auto snapshots = journal.snapshots();
    for (const auto& each : snapshots) {
        if (&each == &snapshots.back()) break;
        MAILCORE_TRY(journal.read_snapshot(
            each, [](std::string_view, std::string_view) -> Result<void> { return {}; }, wrong));
    }
    journal::Replay count;
    count.record = [](const journal::FrameInfo&, const journal::Record&) -> Result<void> {
        return {};
    };
    count.frame_end = [this](const journal::FrameInfo&) -> Result<void> {
        ++report_.frames;
        return {};
    };
    // What lies behind the newest snapshot is named when it is replayed.
    const auto newest = snapshots.empty() ? 0 : snapshots.back().end.from.position;
    MAILCORE_TRY(const auto shown, journal.reaches());
    const auto from = shown.empty() ? 0 : shown.back().from;
    if (from < newest) {
        count.damage = wrong;
        MAILCORE_TRY(journal.replay(from, newest, count, journal::Bodies::PassOver));
    }
    count.damage = {};
    return journal.replay(newest, end, count, journal::Bodies::PassOver);
}

/// The rows that count what each segment holds against the rows of its bodies.
Result<void> Check::check_counts() {
    // No checkpoint in between: two readers of the index see the same.
    const std::scoped_lock one_at_a_time(state_.checkpoint_mutex);
    const auto index = state_.overlay->index();
    MAILCORE_TRY(const auto counted, detail::counted_live(*index));
    std::map<journal::SegmentNumber, std::uint64_t> summed;
    const auto blobs = detail::all_blobs();
    for (std::string from = blobs.from;;) {
        MAILCORE_TRY(const auto rows, rows_from(*index, from, blobs.to));
        for (const auto& [key, value] : rows)
            if (const auto row = detail::decode_blob_row(value); row && row->place.stored > 0)
                summed[row->place.segment] += row->place.stored;
        if (rows.size() < rows_a_step) break;
        from = rows.back().first + '\0';
    }
    if (counted != summed) problem("the counts of octets needed in each segment are wrong");
    return {};
}

Result<CheckReport> Check::run() {
    MAILCORE_TRY(auto scratch, state_.index_files.make());
    anew_ = scratch.index;
    const auto checked = [&]() -> Result<void> {
        const auto held = state_.journal->hold_files();
        const auto wrong = [this](const std::string& what) { problem(what); };
        const auto end = state_.overlay->published().position;
        MAILCORE_TRY(check_history(end));
        MAILCORE_TRY(detail::fill_index(state_.fill_source(), *state_.journal, *anew_,
                                        {.position = end, .time = {}}, wrong));
        reached_ = end;
        MAILCORE_TRY(compare_rows());
        MAILCORE_TRY(look_at_suspects());
        detail::BodyCheck bodies{*anew_, *state_.journal, report_,
                                 [this](BlobId blob) { return state_.find_blob(blob); }};
        MAILCORE_TRY(bodies.references());
        MAILCORE_TRY(bodies.bodies());
        return check_counts();
    }();
    anew_.reset();
    scratch.index.reset();
    MAILCORE_TRY(state_.index_files.remove(scratch.number));
    if (!checked) return std::unexpected(checked.error());
    return std::move(report_);
}

} // namespace

Result<CheckReport> JournalStore::check() { return Check(*state_).run(); }

Result<void> JournalStore::rebuild() {
    auto& s = *state_;
    const std::scoped_lock one_at_a_time(s.checkpoint_mutex);
    journal::Mark target;
    bool with_frozen = false;
    {
        const std::scoped_lock guard(s.marks_mutex);
        with_frozen = s.frozen.has_value();
        target = s.frozen.value_or(s.applied);
    }
    MAILCORE_TRY(auto fresh, s.index_files.make());
    const auto built = [&]() -> Result<void> {
        // Rows newer than `target` do no harm: the tables above hide them, and replaying from there
        // brings them again. So the newest snapshot will do, whatever it reaches.
        detail::FillUntil until;
        until.position = target.position;
        if (const auto snapshots = s.journal->snapshots(); !snapshots.empty())
            until.position = std::max(until.position, snapshots.back().end.to.position);
        MAILCORE_TRY(detail::fill_index(
            s.fill_source(), *s.journal, *fresh.index, until, [&s](const std::string& what) {
                MAILCORE_LOG(s.log, Error, "store.damage", {{"folder", s.folder}, {"what", what}});
            }));
        return s.note_applied(*fresh.index, target);
    }();
    if (!built) {
        const auto removed = s.index_files.remove(fresh.number);
        if (!removed)
            MAILCORE_LOG(s.log, Warning, "store.index.not-removed",
                         {{"error", removed.error().detail}});
        return built;
    }
    s.overlay->replace_index(fresh.index, with_frozen);
    {
        const std::scoped_lock guard(s.marks_mutex);
        s.applied = target;
        if (with_frozen) s.frozen.reset();
        s.index_failure.clear();
        s.marks_changed.notify_all();
    }
    // Readers that still look into the old one keep it open.
    return s.index_files.remove(std::exchange(s.index_number, fresh.number));
}

} // namespace mailcore::store
