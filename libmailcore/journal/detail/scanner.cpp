#include "libmailcore/journal/detail/scanner.h"

#include <algorithm>
#include <utility>

namespace mailcore::journal::detail {

Scanner::Scanner(base::File& file, const StoreId& store, SegmentNumber number, Position base,
                 std::uint64_t at, std::uint64_t end)
    : file_(file), store_(store), number_(number), base_(base),
      at_(std::max<std::uint64_t>(at, segment_header_octets)), end_(end) {}

/// The octets at `offset`, fewer at the end; valid until the next call.
Result<std::string_view> Scanner::fetch(std::uint64_t offset, std::size_t octets) {
    constexpr std::size_t window_octets = std::size_t{128} * 1024;
    const auto inside =
        offset >= window_offset_ && offset + octets <= window_offset_ + window_.size();
    if (!inside) {
        const auto left = offset < end_ ? end_ - offset : 0;
        window_.resize(static_cast<std::size_t>(
            std::min<std::uint64_t>(std::max(octets, window_octets), left)));
        window_offset_ = offset;
        MAILCORE_TRY(const auto got, file_.read_at(offset, window_));
        window_.resize(got);
    }
    return std::string_view(window_).substr(static_cast<std::size_t>(offset - window_offset_),
                                            octets);
}

/// A header that says it is in this place; its checksum is not looked at.
Result<std::optional<FrameHeader>> Scanner::header_at(std::uint64_t offset) {
    MAILCORE_TRY(const auto octets, fetch(offset, frame_header_octets));
    MAILCORE_TRY(auto header, decode_frame_header(octets));
    if (header && (header->segment != number_ || header->position != base_ + offset))
        header.reset();
    return header;
}

Result<bool> Scanner::frame_at(std::uint64_t offset, Stretch& into) {
    // A damaged version looks like a later one: whether it is shows when nothing else explains it.
    auto header = header_at(offset);
    if (!header && header.error().kind != ErrorKind::Rejected)
        return std::unexpected(std::move(header).error());
    if (!header || !*header) return false;
    into.header = **header;
    const auto room = end_ - offset;
    const auto octets = frame_header_octets + std::uint64_t{into.header->records_octets};
    MAILCORE_TRY(const auto raw,
                 fetch(offset, static_cast<std::size_t>(std::min<std::uint64_t>(octets, room))));
    into.records = raw.substr(std::min(raw.size(), frame_header_octets));
    return into.header->octets() <= room && raw.size() == octets &&
           checksum_matches(*into.header, store_, raw, into.records);
}

/// Looks for the next intact frame behind octets that are none.
Result<void> Scanner::pass_over(Stretch& bad) {
    for (auto offset = bad.offset + block_octets; offset < end_; offset += block_octets) {
        Stretch next;
        MAILCORE_TRY(const bool intact, frame_at(offset, next));
        if (!intact) continue;
        bad.until = offset;
        bad.next_durable = next.header->durable;
        return {};
    }
    bad.until = end_;
    return {};
}

Result<std::optional<Stretch>> Scanner::next() {
    if (at_ >= end_) return std::nullopt;
    Stretch stretch;
    stretch.offset = at_;
    MAILCORE_TRY(stretch.intact, frame_at(at_, stretch));
    if (stretch.intact) {
        stretch.until = at_ + stretch.header->octets();
    } else {
        MAILCORE_TRY(pass_over(stretch));
    }
    at_ = stretch.until;
    return stretch;
}

FrameInfo info_of(const Stretch& stretch, SegmentNumber number, Position base) {
    FrameInfo info;
    info.begin = base + stretch.offset;
    info.end = base + stretch.until;
    info.batch = stretch.header->batch;
    info.checksum = stretch.header->checksum;
    info.written = stretch.header->written;
    info.segment = number;
    info.bodies_offset = stretch.offset + frame_header_octets + stretch.header->records_octets;
    return info;
}

Result<void> verify_bodies(base::File& file, const Stretch& frame, const ChunkCodec& codec) {
    const auto bodies_at = frame.offset + frame_header_octets + frame.header->records_octets;
    const auto verify = [&](const Record& record) -> Result<void> {
        if (record.header.type != RecordType::Body) return {};
        MAILCORE_TRY(const auto body, decode_body_record(record.content));
        if (body.place.segment != 0) return {};
        if (body.place.offset > frame.header->bodies_octets ||
            body.place.stored > frame.header->bodies_octets - body.place.offset)
            return fail(ErrorKind::Corrupt, "a body lies outside of its frame");
        auto place = body.place;
        place.offset += bodies_at;
        for (std::uint64_t at = 0; at < place.size; at += chunk_octets) {
            MAILCORE_TRY(read_body(file, place, codec, at, chunk_octets, ReadFrom::Disk));
        }
        return {};
    };
    MAILCORE_TRY(read_records(frame.records, verify, [](std::size_t, std::string_view) {}));
    return {};
}

} // namespace mailcore::journal::detail
