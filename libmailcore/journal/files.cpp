// The files of the journal: segments of bodies, which segments there are, and how they go.
#include "libmailcore/base/assert.h"
#include "libmailcore/journal/detail/state.h"
#include "libmailcore/journal/journal.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace mailcore::journal {

using detail::BodySegment;
using detail::LogSegment;

namespace {

constexpr std::uint64_t copy_octets = std::uint64_t{1} << 20; // at a time

class SegmentStream final : public BodyStream {
  public:
    using GiveBack = std::move_only_function<void(std::shared_ptr<BodySegment>)>;
    SegmentStream(std::shared_ptr<BodySegment> segment, const ChunkCodec& codec,
                  std::move_only_function<Result<void>(BodySegment&)> sync, GiveBack give_back)
        : segment_(std::move(segment)), codec_(codec), sync_(std::move(sync)),
          give_back_(std::move(give_back)), at_(segment_->end) {}
    ~SegmentStream() override {
        // A body that was not finished is written over by the next.
        give_back_(std::move(segment_));
    }

    Result<void> write(std::string_view octets) override {
        const auto chunk = codec_.encode(octets, codec_.wants(octets.size()));
        uniform_ = uniform_ && !is_compressed_chunk(chunk);
        chunks_.push_back(static_cast<std::uint32_t>(chunk.size()));
        size_ += octets.size();
        return put(chunk);
    }

    Result<BodyPlace> finish() override {
        if (!uniform_ && chunks_.size() > 1) {
            MAILCORE_TRY(put(encode_chunk_table(chunks_)));
        }
        MAILCORE_TRY(sync_(*segment_));
        BodyPlace place{segment_->number, segment_->end, size_, at_ - segment_->end, uniform_};
        segment_->end = at_;
        return place;
    }

    [[nodiscard]] SegmentHold hold() const override { return segment_; }

  private:
    Result<void> put(std::string_view octets) {
        MAILCORE_TRY(segment_->file->write_at(at_, std::span(&octets, 1)));
        at_ += octets.size();
        return {};
    }

    std::shared_ptr<BodySegment> segment_;
    const ChunkCodec& codec_;
    std::move_only_function<Result<void>(BodySegment&)> sync_;
    GiveBack give_back_;
    std::uint64_t at_;
    std::uint64_t size_ = 0;
    bool uniform_ = true;
    std::vector<std::uint32_t> chunks_; // four octets for 256 KiB of body
};

} // namespace

Result<std::shared_ptr<BodySegment>> Journal::State::take_body_segment() {
    if (auto reason = failure.reason(); !reason.empty())
        return fail(ErrorKind::Unavailable, std::move(reason));
    {
        const std::scoped_lock lock(mutex);
        if (!free_body_segments.empty()) {
            auto segment = std::move(free_body_segments.back());
            free_body_segments.pop_back();
            return segment;
        }
    }
    auto segment = std::make_shared<BodySegment>();
    segment->number = ++last_number;
    const auto name = path(segment_name(SegmentKind::Bodies, segment->number, 0));
    MAILCORE_TRY(segment->file, files.open(name, OpenMode::CreateNew));
    SegmentHeader header;
    header.kind = SegmentKind::Bodies;
    header.store = store;
    header.number = segment->number;
    header.made = clock.wall_now();
    const auto block = encode(header);
    const std::string_view piece = block;
    if (auto wrote = segment->file->write_at(0, std::span(&piece, 1)); !wrote) {
        if (const auto removed = files.remove(name); !removed)
            MAILCORE_LOG(log, Warning, "journal.leftover",
                         {{"file", name}, {"error", removed.error().detail}});
        return std::unexpected(std::move(wrote).error());
    }
    segment->end = segment_header_octets;
    const std::scoped_lock lock(mutex);
    made[segment->number] = header.made;
    body_segments.emplace(segment->number, segment);
    body_numbers.insert(std::ranges::upper_bound(body_numbers, segment->number), segment->number);
    return segment;
}

void Journal::State::give_back(std::shared_ptr<BodySegment> segment) {
    const bool full = segment->end >= options.body_segment_octets;
    const std::scoped_lock lock(mutex);
    // Nothing is appended to a full one any more; those who hold it keep it in place.
    if (full)
        sealed_octets[segment->number] = segment->end;
    else
        free_body_segments.push_back(std::move(segment));
    std::erase_if(body_segments, [](const auto& each) { return each.second.expired(); });
}

Result<void> Journal::State::sync_bodies(BodySegment& segment) {
    auto synced = sync(*segment.file);
    if (synced && segment.fresh) {
        synced = files.sync_folder(folder);
        segment.fresh = !synced;
    }
    if (!synced) failure.set(synced.error().detail);
    return synced;
}

Result<std::unique_ptr<BodyStream>> Journal::stream_body() {
    auto& s = *state_;
    MAILCORE_TRY(auto segment, s.take_body_segment());
    return std::make_unique<SegmentStream>(
        std::move(segment), s.codec,
        [&s](BodySegment& body_segment) { return s.sync_bodies(body_segment); },
        [&s](std::shared_ptr<BodySegment> body_segment) { s.give_back(std::move(body_segment)); });
}

Result<CopiedBodies> Journal::copy_bodies(std::span<const BodyPlace> bodies) {
    auto& s = *state_;
    MAILCORE_TRY(auto segment, s.take_body_segment());
    CopiedBodies copied;
    const auto copy = [&]() -> Result<void> {
        std::uint64_t at = segment->end;
        std::string octets;
        for (const auto& from : bodies) {
            MAILCORE_TRY(const auto file, segment_file(from.segment));
            auto place = from;
            place.segment = segment->number;
            place.offset = at;
            for (std::uint64_t done = 0; done < from.stored; done += octets.size()) {
                octets.resize(static_cast<std::size_t>(
                    std::min<std::uint64_t>(from.stored - done, copy_octets)));
                MAILCORE_TRY(const auto got, file->read_at(from.offset + done, octets));
                if (got < octets.size())
                    return fail(ErrorKind::Corrupt, "a body's segment is cut short");
                const std::string_view piece = octets;
                MAILCORE_TRY(segment->file->write_at(at, std::span(&piece, 1)));
                at += octets.size();
            }
            copied.places.push_back(place);
        }
        MAILCORE_TRY(s.sync_bodies(*segment));
        segment->end = at;
        return {};
    };
    auto done = copy();
    if (!done && s.failure.reason().empty()) {
        // On a full disk every octet counts; if this fails too the next body is written over them.
        static_cast<void>(segment->file->truncate(segment->end));
    }
    copied.hold = segment;
    s.give_back(std::move(segment));
    if (!done) return std::unexpected(std::move(done).error());
    return copied;
}

SegmentHold Journal::hold_files() {
    const std::scoped_lock lock(state_->mutex);
    auto held = state_->files_held.lock();
    if (!held) {
        held = std::make_shared<int>();
        state_->files_held = held;
    }
    return held;
}

bool Journal::close_body_segment(SegmentNumber segment) {
    auto& s = *state_;
    const std::scoped_lock lock(s.mutex);
    const auto known = s.body_segments.find(segment);
    if (known == s.body_segments.end()) return true;
    const auto held = known->second.lock();
    if (!held) return true;
    const auto free = std::ranges::find(s.free_body_segments, held);
    if (free == s.free_body_segments.end()) return held->end >= s.options.body_segment_octets;
    s.sealed_octets[segment] = held->end;
    s.free_body_segments.erase(free);
    return true;
}

/// Adds what only the file knows. Not under the lock.
Result<SegmentFacts> Journal::State::look_up(SegmentFacts known, const std::string& name) const {
    MAILCORE_TRY(const auto file, files.open(path(name), OpenMode::Read));
    MAILCORE_TRY(known.octets, file->size());
    std::string block(segment_header_octets, '\0');
    MAILCORE_TRY(const auto got, file->read_at(0, block));
    block.resize(got);
    if (const auto header = decode_segment_header(block)) known.made = header->made;
    return known;
}

Result<std::vector<SegmentFacts>> Journal::segments() const {
    auto& s = *state_;
    struct Part {
        SegmentFacts facts;
        std::string name;
        Position base = 0;
        bool known = false;
    };
    std::vector<Part> parts;
    {
        const std::scoped_lock lock(s.mutex);
        const auto made_of = [&s](SegmentNumber number) -> std::optional<WallTime> {
            const auto found = s.made.find(number);
            if (found == s.made.end()) return std::nullopt;
            return found->second;
        };
        for (const auto& each : s.segments) {
            Part part{{each.number, SegmentKind::Log, each.end, each.base + each.end, {}},
                      segment_name(SegmentKind::Log, each.number, each.base),
                      each.base};
            const auto made = made_of(each.number);
            part.known = made && each.end > 0;
            part.facts.made = made.value_or(WallTime{});
            parts.push_back(std::move(part));
        }
        for (const auto number : s.body_numbers) {
            Part part{{number, SegmentKind::Bodies, 0, 0, {}},
                      segment_name(SegmentKind::Bodies, number, 0)};
            const auto made = made_of(number);
            const auto octets = s.sealed_octets.find(number);
            part.known = made && octets != s.sealed_octets.end();
            part.facts.made = made.value_or(WallTime{});
            if (octets != s.sealed_octets.end()) part.facts.octets = octets->second;
            parts.push_back(std::move(part));
        }
    }
    std::vector<SegmentFacts> all;
    for (auto& part : parts) {
        if (!part.known) {
            MAILCORE_TRY(auto facts, s.look_up(part.facts, part.name));
            const std::scoped_lock lock(s.mutex);
            s.made[facts.number] = facts.made;
            if (facts.kind == SegmentKind::Log) {
                // Of an older segment only the file's size is known; of others, where they end.
                const auto known_end = part.facts.octets;
                if (known_end == 0) {
                    const auto found =
                        std::ranges::lower_bound(s.segments, facts.number, {}, &LogSegment::number);
                    if (found != s.segments.end() && found->number == facts.number)
                        found->end = facts.octets;
                } else {
                    facts.octets = known_end;
                }
                facts.end = part.base + facts.octets;
            } else if (!s.body_segments.contains(facts.number)) {
                s.sealed_octets[facts.number] = facts.octets;
            }
            part.facts = facts;
        }
        all.push_back(part.facts);
    }
    std::ranges::sort(all, {}, &SegmentFacts::number);
    return all;
}

bool Journal::drop_segment(SegmentNumber segment) {
    auto& s = *state_;
    const std::scoped_lock lock(s.mutex);
    if (!s.files_held.expired()) return false;
    const auto log = std::ranges::lower_bound(s.segments, segment, {}, &LogSegment::number);
    if (log != s.segments.end() && log->number == segment) {
        if (log + 1 == s.segments.end()) return false;
        s.dropped.push_back(s.log_path(log->number, log->base));
        s.segments.erase(log);
    } else if (std::ranges::binary_search(s.body_numbers, segment)) {
        if (const auto known = s.body_segments.find(segment); known != s.body_segments.end()) {
            // One more may be the list's of those that no stream has.
            const auto held = known->second.lock();
            const auto free = std::ranges::find(s.free_body_segments, held);
            const bool listed = held && free != s.free_body_segments.end();
            if (held.use_count() > (listed ? 2 : 1)) return false;
            if (listed) s.free_body_segments.erase(free);
            s.body_segments.erase(known);
        }
        s.dropped.push_back(s.path(segment_name(SegmentKind::Bodies, segment, 0)));
        std::erase(s.body_numbers, segment);
    } else {
        return false;
    }
    s.open_files.erase(segment); // those who read from it keep the file
    s.sealed_octets.erase(segment);
    s.made.erase(segment);
    return true;
}

Result<void> Journal::remove_dropped() {
    auto& s = *state_;
    std::vector<std::string> paths;
    {
        const std::scoped_lock lock(s.mutex);
        paths = std::exchange(s.dropped, {});
    }
    Result<void> all;
    for (auto& each : paths) {
        auto removed = s.files.remove(each);
        if (removed || removed.error().kind == ErrorKind::NotFound) continue;
        const std::scoped_lock lock(s.mutex);
        s.dropped.push_back(std::move(each)); // the next time
        all = std::move(removed);
    }
    return all;
}

Result<std::shared_ptr<base::File>> Journal::segment_file(SegmentNumber segment) const {
    constexpr std::size_t open_files_max = 32; // to open one again is cheap beside reading
    auto& s = *state_;
    std::string name;
    {
        const std::scoped_lock lock(s.mutex);
        if (const auto open = s.open_files.find(segment); open != s.open_files.end())
            return open->second;
        const auto log = std::ranges::lower_bound(s.segments, segment, {}, &LogSegment::number);
        if (log != s.segments.end() && log->number == segment)
            name = segment_name(SegmentKind::Log, segment, log->base);
        else if (std::ranges::binary_search(s.body_numbers, segment))
            name = segment_name(SegmentKind::Bodies, segment, 0);
    }
    if (name.empty())
        return fail(ErrorKind::NotFound, fmt::format("segment {} is not there", segment));
    MAILCORE_TRY(auto opened, s.files.open(s.path(name), OpenMode::Read));
    std::shared_ptr<base::File> file = std::move(opened);
    const std::scoped_lock lock(s.mutex);
    // The oldest segments are the ones least asked for.
    if (s.open_files.size() >= open_files_max) s.open_files.erase(s.open_files.begin());
    return s.open_files.emplace(segment, std::move(file)).first->second;
}

std::uint64_t Journal::disk_octets() const {
    auto& s = *state_;
    std::uint64_t octets = s.reserve_ready ? s.options.reserve_octets : 0;
    std::vector<SegmentNumber> unknown;
    {
        const std::scoped_lock lock(s.mutex);
        for (const auto& segment : s.segments) octets += segment.end;
        for (const auto& snapshot : s.snapshots) octets += snapshot.octets;
        for (const auto number : s.body_numbers) {
            if (const auto known = s.sealed_octets.find(number); known != s.sealed_octets.end())
                octets += known->second;
            else
                unknown.push_back(number);
        }
    }
    for (const auto number : unknown) {
        const auto file = segment_file(number);
        const auto size = file ? (*file)->size() : Result<std::uint64_t>(0);
        if (!size) continue;
        octets += *size;
        const std::scoped_lock lock(s.mutex);
        if (!s.body_segments.contains(number)) s.sealed_octets[number] = *size;
    }
    return octets;
}

} // namespace mailcore::journal
