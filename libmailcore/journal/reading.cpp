// Reading a journal without writing it: as a backup, as a list of files, at a moment of the past.
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
    if (!chain.links.empty()) {
        // Behind its last good frame nothing counts.
        const auto& link = chain.links.back();
        detail::Scanner scanner(*link.file, s.store, link.number, link.base, segment_header_octets,
                                link.octets);
        auto& end = s.segments.back().end;
        end = segment_header_octets;
        while (true) {
            MAILCORE_TRY(const auto stretch, scanner.next());
            if (!stretch) break;
            if (stretch->intact) end = stretch->until;
        }
    }
    return std::unique_ptr<Journal>(new Journal(std::move(state)));
}

Result<Inventory> Journal::inventory() const {
    auto& s = *state_;
    Inventory all;
    all.store = s.store;
    // The log's end comes first: what its frames name in other files is there already.
    std::vector<LogSegment> logs;
    std::vector<SegmentNumber> bodies;
    std::vector<std::pair<SegmentNumber, std::uint64_t>> in_use;
    {
        const std::scoped_lock lock(s.mutex);
        logs = s.segments;
        bodies = s.body_numbers;
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
    return all;
}

SegmentHold Journal::hold_files() {
    const std::scoped_lock lock(state_->mutex);
    auto held = state_->files_held.lock();
    if (!held) {
        held = std::make_shared<char>();
        state_->files_held = held;
    }
    return held;
}

Result<Moment> Journal::first_moment() const {
    std::optional<Moment> first;
    const auto calls = only_frames([&](const FrameInfo& frame) -> Result<void> {
        first = {frame.mark(), frame.written};
        return fail(ErrorKind::LimitExceeded, "enough");
    });
    const auto done = replay(0, everything, calls, Bodies::PassOver);
    if (first) return *first;
    MAILCORE_TRY(done);
    return fail(ErrorKind::NotFound, "the journal holds nothing");
}

Result<Moment> Journal::moment_at(WallTime at, Position to) const {
    auto& s = *state_;
    LogSegment last;
    MAILCORE_TRY(const auto chain, detail::find_chain(s.files, s.store, s.links_before(to, last), 0,
                                                      [](const auto&) {}));
    // A segment is begun together with its first frame.
    const auto begun = [&](const detail::Link& link) {
        return link.header && link.header->made <= at;
    };
    std::optional<Moment> found;
    bool past = false;
    const auto calls = only_frames([&](const FrameInfo& frame) -> Result<void> {
        past = frame.written > at || frame.end > to;
        if (past) return fail(ErrorKind::LimitExceeded, "enough");
        found = {frame.mark(), frame.written};
        return {};
    });
    auto link = std::find_if(chain.links.rbegin(), chain.links.rend(), begun);
    for (; link != chain.links.rend() && !found; ++link) {
        const auto done = replay(link->base, to, calls, Bodies::PassOver);
        if (!past) {
            MAILCORE_TRY(done);
        }
    }
    if (!found) return fail(ErrorKind::NotFound, "the journal begins later");
    return *found;
}

} // namespace mailcore::journal
