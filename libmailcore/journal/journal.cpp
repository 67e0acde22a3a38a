#include "libmailcore/journal/journal.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/journal/detail/chain.h"
#include "libmailcore/journal/detail/scanner.h"
#include "libmailcore/journal/detail/state.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace mailcore::journal {

using detail::LogSegment;

namespace {

void add_zeros(std::vector<std::string_view>& pieces, std::uint64_t octets) {
    static constexpr std::array<char, 64 * 1024> zeros{};
    while (octets > 0) {
        const auto piece = std::min<std::uint64_t>(octets, zeros.size());
        pieces.emplace_back(zeros.data(), static_cast<std::size_t>(piece));
        octets -= piece;
    }
}

} // namespace

void Frame::add(RecordType type, std::uint64_t account, std::string_view content) {
    append_record(content_, type, account, content);
    ++records_;
}

void Frame::add_body(BodyRecord body, std::string_view chunks) {
    body.place.segment = 0;
    body.place.offset = bodies_octets_;
    body.place.stored = chunks.size();
    add_body(body);
    bodies_.push_back(chunks);
    bodies_octets_ += chunks.size();
}

void Frame::add_body(const BodyRecord& body) { add(RecordType::Body, 0, encode(body)); }

BodyPlace FrameInfo::place(const BodyRecord& body) const {
    auto place = body.place;
    if (place.segment != 0) return place;
    place.segment = segment;
    place.offset += bodies_offset;
    return place;
}

Journal::Journal(std::unique_ptr<State> state) : state_(std::move(state)) {}
Journal::~Journal() = default;

const StoreId& Journal::store_id() const { return state_->store; }
std::string Journal::failure() const { return state_->failure.reason(); }
bool Journal::reserve_ready() const { return state_->reserve_ready; }
std::uint64_t Journal::syncs() const { return state_->syncs; }
const ChunkCodec& Journal::chunks() const { return state_->codec; }

Position Journal::end() const {
    const std::scoped_lock lock(state_->mutex);
    if (state_->segments.empty()) return 0;
    const auto& last = state_->segments.back();
    return last.base + last.end;
}

// Appending

Result<FrameInfo> Journal::append(Frame frame, Space space) {
    return state_->append(std::move(frame), space);
}

Result<void> Journal::State::sync(base::File& file) {
    ++syncs;
    return file.sync_data();
}

Result<FrameInfo> Journal::State::append(Frame frame, Space space) {
    if (const auto reason = failure.reason(); !reason.empty())
        return fail(ErrorKind::Unavailable, reason);
    auto written_frame = write_frame(frame, space);
    if (written_frame) return written_frame;
    if (written_frame.error().kind != ErrorKind::LimitExceeded)
        failure.set(written_frame.error().detail);
    const auto reason = failure.reason();
    if (!reason.empty()) {
        MAILCORE_LOG(log, Error, "journal.failed", {{"reason", reason}});
        return fail(ErrorKind::Unavailable, reason);
    }
    return written_frame;
}

Result<FrameInfo> Journal::State::write_frame(Frame& frame, Space space) {
    MAILCORE_ASSERT(!frame.empty());
    const auto size = round_to_blocks(frame.octets());
    const auto needs_segment = [&] {
        if (!active) return true;
        if (close_active) return true;
        const auto end = segments.back().end;
        // The reserve is room of its own; what is already on blocks needs none.
        if (space == Space::Reserve && reserve_ready && end + size > written) return true;
        return end + size > options.segment_octets && end > segment_header_octets;
    };
    // The header of a new segment goes out with its first frame: it counts with that, or not at
    // all.
    std::string segment_header;
    if (needs_segment()) {
        MAILCORE_TRY(begin_segment(space, size));
    }
    auto& segment = segments.back();
    if (segment.end == segment_header_octets) {
        SegmentHeader header;
        header.store = store;
        header.number = segment.number;
        header.base = segment.base;
        header.made = clock.wall_now();
        header.previous = previous;
        header.sealed = sealed;
        header.chain = chain;
        segment_header = encode(header);
    }

    FrameHeader header;
    header.chain = chain;
    header.segment = segment.number;
    header.position = segment.base + segment.end;
    header.durable = header.position; // what is appended was synced before the next comes
    header.written = clock.wall_now();
    header.batch = batch + 1;
    header.segments_used = last_number;
    header.records_octets = static_cast<std::uint32_t>(frame.content_.size());
    header.records = frame.records_;
    header.bodies_octets = frame.bodies_octets_;
    const auto encoded = encode(header, store, frame.content_);

    // Zeros up to the block; behind a small frame some more, so that the next ones find written
    // blocks.
    constexpr std::uint64_t small_octets = std::uint64_t{32} << 10;
    const auto frame_end = segment.end + size;
    std::uint64_t fill = 0;
    if (frame_end > written && size <= small_octets && space == Space::Normal)
        fill = options.fill_octets;
    const auto offset = segment_header.empty() ? segment.end : 0;
    const auto write = [&]() -> Result<void> {
        std::vector<std::string_view> pieces{segment_header, encoded, frame.content_};
        pieces.insert(pieces.end(), frame.bodies_.begin(), frame.bodies_.end());
        add_zeros(pieces, size - frame.octets() + fill);
        return active->write_at(offset, pieces);
    };
    auto wrote = write();
    if (!wrote && wrote.error().kind == ErrorKind::LimitExceeded && fill > 0) {
        fill = 0;
        wrote = write();
    }
    if (!wrote) {
        if (wrote.error().kind != ErrorKind::LimitExceeded)
            return std::unexpected(std::move(wrote).error());
        // What is refused now must not come back when the log is read next.
        MAILCORE_TRY(undo_write(segment.end));
        return std::unexpected(std::move(wrote).error());
    }
    // Without its name on disk a segment is not there; both before anything is acknowledged.
    auto synced = sync(*active);
    if (synced && !segment_header.empty()) synced = files.sync_folder(folder);
    if (!synced) {
        // Whatever the kind: it is not known any more what is on disk.
        failure.set(synced.error().detail);
        return std::unexpected(std::move(synced).error());
    }
    written = std::max(written, frame_end + fill);
    chain = header.checksum;
    ++batch;
    appended = true;
    FrameInfo info;
    info.begin = header.position;
    info.end = header.position + size;
    info.batch = header.batch;
    info.checksum = header.checksum;
    info.written = header.written;
    info.segment = segment.number;
    info.bodies_offset = segment.end + frame_header_octets + frame.content_.size();
    const std::scoped_lock lock(mutex);
    segment.end = frame_end;
    return info;
}

/// Takes back a frame of which any part may have been written behind `offset`.
Result<void> Journal::State::undo_write(std::uint64_t offset) {
    const bool first = offset == segment_header_octets;
    auto undone = active->truncate(first ? 0 : offset);
    if (undone) undone = sync(*active);
    if (!undone) {
        failure.set(undone.error().detail);
        return undone;
    }
    written = first ? 0 : offset;
    if (!first) return {};
    // A segment that never got a frame: its number is not used again.
    const auto name = log_path(segments.back().number, segments.back().base);
    base_min = std::max(base_min, segments.back().base + segment_header_octets);
    active.reset();
    {
        const std::scoped_lock lock(mutex);
        segments.pop_back();
    }
    if (const auto removed = files.remove(name); !removed) leftovers.push_back(name);
    return {};
}

/// Seals the active segment and makes the next one the active one. Nothing of it is written yet.
Result<void> Journal::State::begin_segment(Space space, std::uint64_t octets) {
    LogSegment next;
    if (active) {
        const auto& last = segments.back();
        previous = last.number;
        sealed = last.base + last.end;
        // Blocks written ahead are given back; what is lost by a power cut here is only the giving
        // back.
        base_min = std::max(base_min, round_to_blocks(last.base + std::max(written, last.end)));
        MAILCORE_TRY(active->truncate(last.end));
        written = last.end;
    }
    next.number = ++last_number;
    next.base = base_min;
    next.end = segment_header_octets;
    const auto name = log_path(next.number, next.base);
    std::unique_ptr<base::File> file;
    std::uint64_t ready = 0;
    if (space == Space::Reserve && reserve_ready &&
        segment_header_octets + octets <= options.reserve_octets) {
        MAILCORE_TRY(files.rename(reserve_path(), name));
        reserve_ready = false;
        MAILCORE_TRY(file, files.open(name, OpenMode::Write));
        ready = options.reserve_octets;
    } else {
        MAILCORE_TRY(file, files.open(name, OpenMode::CreateNew));
    }
    active = std::move(file);
    close_active = false;
    written = ready;
    const std::scoped_lock lock(mutex);
    made[next.number] = clock.wall_now();
    segments.push_back(next);
    return {};
}

void Journal::close_log_segment() {
    // One that has no frame yet is new enough.
    auto& s = *state_;
    s.close_active = s.active && s.segments.back().end > segment_header_octets;
}

// What can wait

bool Journal::idle() {
    auto& s = *state_;
    if (!s.failure.reason().empty()) return false;
    if (s.appended)
        for (const auto& name : std::exchange(s.leftovers, {}))
            if (const auto removed = s.files.remove(name); !removed)
                MAILCORE_LOG(s.log, Warning, "journal.leftover",
                             {{"file", name}, {"error", removed.error().detail}});
    return s.make_reserve() || s.fill_pool();
}

/// One step of writing ahead.
bool Journal::State::fill_pool() {
    constexpr std::uint64_t step_octets = std::uint64_t{1} << 20;
    if (!active || options.pool_octets == 0) return false;
    const auto end = segments.back().end;
    const auto from = std::max(written, end);
    const auto target = std::min(end + options.pool_octets, options.segment_octets);
    // Not for the last little that a frame took: a quarter of the pool at a time.
    if (from >= target || (target - from < options.pool_octets / 4 && from > end)) return false;
    const auto free = files.free_octets(folder);
    if (!free || *free < options.pool_octets * 8) return false;
    const auto octets = std::min(step_octets, target - from);
    std::vector<std::string_view> pieces;
    add_zeros(pieces, octets);
    if (!active->write_at(from, pieces)) return false; // full, or worse: the next frame will tell
    if (const auto synced = sync(*active); !synced) {
        failure.set(synced.error().detail);
        return false;
    }
    written = from + octets;
    return written < target;
}

bool Journal::State::make_reserve() {
    if (reserve_ready || options.reserve_octets == 0) return false;
    const auto free = files.free_octets(folder);
    if (!free || *free < options.reserve_octets * 2) return false;
    const auto make = [&]() -> Result<void> {
        MAILCORE_TRY(const auto file, files.open(reserve_path(), OpenMode::Create));
        MAILCORE_TRY(file->truncate(0));
        MAILCORE_TRY(file->allocate(0, options.reserve_octets));
        MAILCORE_TRY(sync(*file));
        return files.sync_folder(folder);
    };
    if (const auto made = make(); !made) {
        MAILCORE_LOG(log, Warning, "journal.no-reserve", {{"error", made.error().detail}});
        return false;
    }
    reserve_ready = true;
    return true;
}

void Journal::close() {
    auto& s = *state_;
    const bool writable = s.failure.reason().empty();
    if (writable && s.appended) {
        Frame frame;
        frame.add(RecordType::End, 0, {});
        if (const auto put = append(std::move(frame), Space::Normal); !put)
            MAILCORE_LOG(s.log, Warning, "journal.end", {{"error", put.error().detail}});
    }
    if (writable && s.active) {
        // The next start need not look through what was written ahead.
        if (const auto cut = s.active->truncate(s.segments.back().end); !cut)
            MAILCORE_LOG(s.log, Warning, "journal.truncate", {{"error", cut.error().detail}});
    }
    s.active.reset();
    s.failure.set("the journal is closed");
}

// Snapshots

Result<std::unique_ptr<SnapshotWriter>> Journal::new_snapshot() {
    auto& s = *state_;
    SegmentNumber previous = 0;
    {
        const std::scoped_lock lock(s.mutex);
        if (!s.snapshots.empty()) previous = s.snapshots.back().number;
    }
    return SnapshotWriter::create(s.files, s.folder, s.store, ++s.last_number, previous,
                                  s.clock.wall_now());
}

Result<Snapshot> Journal::finish_snapshot(SnapshotWriter& writer, SnapshotEnd end) {
    MAILCORE_TRY(auto finished, writer.finish(std::move(end)));
    const std::scoped_lock lock(state_->mutex);
    state_->snapshots.push_back(finished);
    return finished;
}

std::vector<Snapshot> Journal::snapshots() const {
    const std::scoped_lock lock(state_->mutex);
    return state_->snapshots;
}

Result<bool> Journal::read_snapshot(const Snapshot& snapshot, const VisitRow& visit,
                                    const std::function<void(const std::string&)>& damaged) const {
    return journal::read_snapshot(state_->files, state_->folder, state_->store, snapshot, visit,
                                  damaged);
}

Result<bool> Journal::drop_snapshot(SegmentNumber number) {
    auto& s = *state_;
    Snapshot dropped;
    {
        const std::scoped_lock lock(s.mutex);
        if (!s.files_held.expired()) return false;
        const auto known = std::ranges::find(s.snapshots, number, &Snapshot::number);
        if (known == s.snapshots.end()) return true;
        dropped = std::move(*known);
        s.snapshots.erase(known);
    }
    auto removed = s.files.remove(s.path(segment_name(SegmentKind::Snapshot, number, 0)));
    if (removed || removed.error().kind == ErrorKind::NotFound)
        removed = s.files.sync_folder(s.folder);
    if (removed) return true;
    // It may be there when the journal is opened next: what it needs must stay, too.
    const std::scoped_lock lock(s.mutex);
    s.snapshots.insert(std::ranges::upper_bound(s.snapshots, number, {}, &Snapshot::number),
                       std::move(dropped));
    return std::unexpected(std::move(removed).error());
}

// Replay of a log in use

/// The log segments that begin before `to`; `last` is the newest of all.
std::vector<detail::Link> Journal::State::links_before(Position to, LogSegment& last) const {
    std::vector<detail::Link> found;
    const std::scoped_lock lock(mutex);
    for (const auto& segment : segments) {
        detail::Link link;
        link.number = segment.number;
        link.base = segment.base;
        link.path = log_path(segment.number, segment.base);
        if (segment.base < to) found.push_back(std::move(link));
    }
    if (!segments.empty()) last = segments.back();
    return found;
}

Result<void> Journal::replay(Position from, Position to, const Replay& replay,
                             Bodies bodies) const {
    auto& s = *state_;
    const auto damaged = [&](const std::string& what) {
        if (replay.damage) replay.damage(what);
    };
    LogSegment last;
    auto found = s.links_before(to, last);
    MAILCORE_TRY(const auto chain,
                 detail::find_chain(s.files, s.store, std::move(found), from, damaged));
    std::uint64_t batch = 0;
    for (const auto& link : chain.links) {
        auto end = std::min(link.octets, link.sealed.value_or(link.octets));
        if (link.number == last.number) end = last.end;
        end = std::min(end, to - std::min(to, link.base));
        detail::Scanner scanner(*link.file, s.store, link.number, link.base,
                                from > link.base ? from - link.base : 0, end);
        while (true) {
            MAILCORE_TRY(const auto stretch, scanner.next());
            if (!stretch) break;
            const auto where = fmt::format("segment {} at {}", link.number, stretch->offset);
            if (stretch->intact) {
                if (batch != 0 && stretch->header->batch > batch + 1)
                    damaged(where + ": frames before it are missing");
                batch = stretch->header->batch;
                if (bodies == Bodies::Verify) {
                    const auto verified = detail::verify_bodies(*link.file, *stretch, s.codec);
                    if (!verified) damaged(where + ": " + verified.error().detail);
                }
            } else {
                // Nobody knows where this segment ended: behind its last good frame is no damage.
                if (!link.sealed && link.number != last.number && !stretch->next_durable) break;
                damaged(where + ": a damaged frame");
                if (batch != 0) ++batch;
                if (!stretch->header) continue;
            }
            const auto info = detail::info_of(*stretch, link.number, link.base);
            MAILCORE_TRY(read_records(
                stretch->records, [&](const Record& record) { return replay.record(info, record); },
                [&](std::size_t at, std::string_view what) {
                    damaged(fmt::format("{}, record at {}: {}", where, at, what));
                }));
            if (replay.frame_end) {
                MAILCORE_TRY(replay.frame_end(info));
            }
        }
    }
    return {};
}

} // namespace mailcore::journal
