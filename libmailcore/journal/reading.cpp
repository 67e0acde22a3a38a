// Reading a journal without writing it: as a backup, as a list of files, at a moment of the past.
#include "libmailcore/base/assert.h"
#include "libmailcore/journal/detail/chain.h"
#include "libmailcore/journal/detail/scanner.h"
#include "libmailcore/journal/detail/state.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace mailcore::journal {

using detail::LogSegment;

namespace {

constexpr Position everything = std::numeric_limits<Position>::max();

Replay only_frames(std::function<Result<void>(const FrameInfo&)> frame_end) {
    Replay calls;
    calls.record = [](const FrameInfo&, const Record&) -> Result<void> { return {}; };
    calls.frame_end = std::move(frame_end);
    return calls;
}

/// Whether the log has this frame boundary. A backup may hold snapshots of a server that another
/// one, restored from an earlier state, has replaced. Where the log is gone: true.
Result<bool> has_mark(const detail::Chain& chain, const StoreId& store, const Mark& mark,
                      const Mark& end) {
    if (mark.position > end.position) return false;
    if (mark.position == end.position) return mark.chain == end.chain;
    const auto next = std::ranges::find_if(
        chain.links, [&mark](const detail::Link& link) { return link.base >= mark.position; });
    if (next == chain.links.begin()) return true;
    const auto& link = *std::prev(next);
    if (link.sealed) {
        const auto sealed = link.base + *link.sealed;
        if (mark.position > sealed) return false;
        if (mark.position == sealed) return !link.chain || *link.chain == mark.chain;
    }
    const auto offset = mark.position - link.base;
    detail::Scanner scanner(*link.file, store, link.number, link.base, offset, link.octets);
    MAILCORE_TRY(const auto frame, scanner.next());
    if (!frame || !frame->intact) return true; // cut short, or damaged
    return frame->offset == offset && frame->header->chain == mark.chain;
}

} // namespace

Result<std::unique_ptr<Journal>> Journal::open_to_read(base::FileSystem& files, std::string folder,
                                                       base::Random& random,
                                                       const base::Clock& clock, Log log) {
    auto state = std::make_unique<State>(files, std::move(folder), Options{}, random, clock, log);
    auto& s = *state;
    s.failure.set("the journal is opened for reading only");
    MAILCORE_TRY(s.store, read_store_id(files, s.folder));
    MAILCORE_TRY(const auto names, files.list(s.folder));
    std::vector<detail::Link> found;
    for (const auto& name : names) {
        const auto parsed = parse_segment_name(name);
        if (!parsed) continue;
        if (parsed->kind == SegmentKind::Bodies) s.body_numbers.push_back(parsed->number);
        if (parsed->kind != SegmentKind::Log) continue;
        detail::Link link;
        link.number = parsed->number;
        link.base = parsed->base;
        link.path = s.path(name);
        found.push_back(std::move(link));
    }
    std::ranges::sort(s.body_numbers);
    // What is damaged shows when it is replayed.
    MAILCORE_TRY(const auto chain,
                 detail::find_chain(files, s.store, std::move(found), 0, [](const auto&) {}));
    for (const auto& link : chain.links)
        s.segments.push_back({link.number, link.base, link.sealed.value_or(link.octets)});
    Mark end;
    if (!chain.links.empty()) {
        // Behind its last good frame nothing counts.
        const auto& link = chain.links.back();
        detail::Scanner scanner(*link.file, s.store, link.number, link.base, segment_header_octets,
                                link.octets);
        s.segments.back().end = segment_header_octets;
        while (true) {
            MAILCORE_TRY(const auto stretch, scanner.next());
            if (!stretch) break;
            if (!stretch->intact) continue;
            s.segments.back().end = stretch->until;
            end.position = link.base + stretch->until;
            end.chain = stretch->header->checksum;
        }
    }
    MAILCORE_TRY(auto snapshots, find_snapshots(files, s.folder, s.store));
    for (auto& each : snapshots.finished) {
        MAILCORE_TRY(const bool ours, has_mark(chain, s.store, each.end.to, end));
        if (ours) s.snapshots.push_back(std::move(each));
    }
    return std::unique_ptr<Journal>(new Journal(std::move(state)));
}

Result<Inventory> Journal::inventory() {
    auto& s = *state_;
    Inventory all;
    all.hold = hold_files();
    all.store = s.store;
    // The log's end comes first: what its frames name in other files is there already.
    std::vector<LogSegment> logs;
    std::vector<SegmentNumber> bodies;
    std::vector<std::pair<SegmentNumber, std::uint64_t>> in_use;
    std::vector<Snapshot> snapshots;
    {
        const std::scoped_lock lock(s.mutex);
        logs = s.segments;
        bodies = s.body_numbers;
        snapshots = s.snapshots;
        for (const auto& [number, segment] : s.body_segments)
            if (const auto held = segment.lock()) in_use.emplace_back(number, held->end);
    }
    // Without a frame the newest counts for nothing yet.
    if (!logs.empty() && logs.back().end <= segment_header_octets && logs.back().end > 0)
        logs.pop_back();
    if (!logs.empty()) all.end = logs.back().base + logs.back().end;
    const auto whole = [&](SegmentNumber number) -> Result<std::uint64_t> {
        MAILCORE_TRY(const auto file, segment_file(number));
        return file->size();
    };
    all.files.push_back({"id", 0});
    MAILCORE_TRY(const auto id, s.files.open(s.path("id"), OpenMode::Read));
    MAILCORE_TRY(all.files.back().octets, id->size());
    for (const auto& log : logs) {
        auto octets = log.end;
        if (octets == 0) { // it was closed before this process came
            MAILCORE_TRY(octets, whole(log.number));
        }
        all.files.push_back({segment_name(SegmentKind::Log, log.number, log.base), octets});
    }
    for (const auto number : bodies) {
        const auto known =
            std::ranges::find(in_use, number, &std::pair<SegmentNumber, std::uint64_t>::first);
        std::uint64_t octets = 0;
        if (known != in_use.end()) {
            octets = known->second;
        } else {
            MAILCORE_TRY(octets, whole(number));
        }
        all.files.push_back({segment_name(SegmentKind::Bodies, number, 0), octets});
    }
    for (const auto& each : snapshots)
        all.files.push_back({segment_name(SegmentKind::Snapshot, each.number, 0), each.octets});
    return all;
}

namespace {

/// Log in which nothing was reclaimed. What is missing within it is damage, and named when it is
/// replayed.
struct Span {
    Position begin = 0;        ///< where the log before it had ended
    Position base = 0;         ///< of its first segment
    Position end = everything; ///< where the next span begins
    bool from_beginning = false;
};

/// Log goes only where a snapshot stands for it.
bool was_reclaimed(Position until, const std::vector<Snapshot>& snapshots) {
    return std::ranges::any_of(
        snapshots, [until](const Snapshot& each) { return each.end.from.position >= until; });
}

std::vector<Span> spans_of(const std::vector<detail::Link>& links,
                           const std::vector<Snapshot>& snapshots) {
    std::vector<Span> spans;
    SegmentNumber before = 0;
    for (const auto& link : links) {
        const bool gap = link.header && link.header->previous != before;
        const bool reclaimed = gap && was_reclaimed(link.header->sealed, snapshots);
        if (spans.empty() || reclaimed) {
            if (!spans.empty()) spans.back().end = link.base;
            spans.push_back({reclaimed ? link.header->sealed : link.base, link.base, everything,
                             spans.empty() && !reclaimed});
        }
        before = link.number;
    }
    return spans;
}

/// The oldest snapshot that begins in the span and had ended by `to`.
const Snapshot* snapshot_in(const Span& span, Position to, const std::vector<Snapshot>& snapshots) {
    const auto found = std::ranges::find_if(snapshots, [&](const Snapshot& each) {
        return each.end.from.position >= span.begin && each.end.to.position <= to;
    });
    return found == snapshots.end() ? nullptr : &*found;
}

} // namespace

/// What moments of the past are shown from.
struct History {
    detail::Chain chain;
    std::vector<Snapshot> snapshots;
    std::vector<Span> spans;

    static Result<History> of(const Journal::State& s, Position to);
};

Result<History> History::of(const Journal::State& s, Position to) {
    History history;
    LogSegment last;
    MAILCORE_TRY(history.chain, detail::find_chain(s.files, s.store, s.links_before(to, last), 0,
                                                   [](const auto&) {}));
    std::vector<SegmentNumber> bodies;
    {
        const std::scoped_lock lock(s.mutex);
        history.snapshots = s.snapshots;
        bodies = s.body_numbers;
    }
    auto& snapshots = history.snapshots;
    history.spans = spans_of(history.chain.links, snapshots);
    if (snapshots.empty() || history.spans.empty()) return history;
    // The log's beginning may still be there for what it holds beside, its other bodies gone.
    const auto& oldest = snapshots.front();
    const auto there = [&](SegmentNumber number) {
        return std::ranges::binary_search(bodies, number) ||
               std::ranges::any_of(history.chain.links,
                                   [number](const auto& link) { return link.number == number; });
    };
    if (oldest.previous != 0 || !std::ranges::all_of(oldest.end.named, there))
        history.spans.front().from_beginning = false;
    return history;
}

Result<std::vector<Reach>> Journal::reaches() const {
    MAILCORE_TRY(const auto history, History::of(*state_, everything));
    std::vector<Reach> found;
    for (const auto& span : history.spans) {
        Reach reach;
        std::optional<Moment> first, last;
        if (span.from_beginning) {
            const auto calls = only_frames([&](const FrameInfo& frame) -> Result<void> {
                first = {frame.mark(), frame.written};
                return fail(ErrorKind::LimitExceeded, "enough");
            });
            const auto done = replay(0, span.end, calls, Bodies::PassOver);
            if (!first) {
                MAILCORE_TRY(done);
            }
        } else if (const auto* snapshot = snapshot_in(span, span.end, history.snapshots)) {
            reach.from = snapshot->end.from.position;
            first = {snapshot->end.to, snapshot->end.ended};
        }
        if (!first) continue;
        reach.first = *first;
        if (span.end != everything) {
            const auto calls = only_frames([&](const FrameInfo& frame) -> Result<void> {
                last = {frame.mark(), frame.written};
                return {};
            });
            Position from = span.base;
            for (const auto& link : history.chain.links)
                if (link.base < span.end) from = link.base;
            MAILCORE_TRY(replay(from, span.end, calls, Bodies::PassOver));
            // A snapshot is of use only with the log up to where it ended.
            if (!last || last->mark.position < first->mark.position) continue;
            reach.last = last;
        }
        found.push_back(reach);
    }
    return found;
}

Result<Moment> Journal::moment_at(WallTime at, Position to) const {
    MAILCORE_TRY(const auto history, History::of(*state_, to));
    const auto& links = history.chain.links;
    // A segment is begun together with its first frame.
    const auto begun = [&](const detail::Link& link) {
        return link.header && link.header->made <= at;
    };
    std::optional<Moment> found;
    std::optional<Position> beyond; // where the first frame begins that was written later
    const auto calls = only_frames([&](const FrameInfo& frame) -> Result<void> {
        if (frame.written > at || frame.end > to) {
            beyond = frame.begin;
            return fail(ErrorKind::LimitExceeded, "enough");
        }
        found = {frame.mark(), frame.written};
        return {};
    });
    auto link = std::find_if(links.rbegin(), links.rend(), begun);
    for (; link != links.rend() && !found; ++link) {
        beyond.reset();
        const auto done = replay(link->base, to, calls, Bodies::PassOver);
        if (!beyond) {
            MAILCORE_TRY(done);
        }
    }
    if (!found) return fail(ErrorKind::NotFound, "the journal begins later");
    const auto position = found->mark.position;
    const auto span = std::ranges::find_if(
        history.spans, [position](const Span& each) { return position <= each.end; });
    MAILCORE_ASSERT(span != history.spans.end());
    // Frames that were written by then are gone.
    const bool in_gap = beyond && *beyond >= span->end;
    if (in_gap || (!span->from_beginning && !snapshot_in(*span, position, history.snapshots)))
        return fail(ErrorKind::NotFound, "the journal does not hold that moment any more");
    return *found;
}

} // namespace mailcore::journal
