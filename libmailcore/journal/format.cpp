#include "libmailcore/journal/format.h"

#include "libmailcore/codec/bytes.h"
#include "libmailcore/codec/crc32c.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fmt/format.h>

namespace mailcore::journal {

namespace {

constexpr std::string_view segment_magic = "MCJRNL\r\n"; // a text-mode copy damages it visibly
constexpr std::string_view frame_magic = "MCFR";
constexpr std::uint16_t format_version = 1;
constexpr std::size_t segment_checksum_at = 12;
constexpr std::size_t frame_checksum_at = 8;
constexpr std::size_t record_checksum_at = 16;
constexpr std::uint8_t operation_put = 1, operation_erase = 2;
constexpr std::uint8_t body_uniform = 1;

std::string_view octets_of(const StoreId& store) {
    return {reinterpret_cast<const char*>(store.data()), store.size()};
}

template <std::size_t size>
void copy_octets(std::array<unsigned char, size>& into, std::string_view octets) {
    std::copy_n(octets.begin(), std::min(size, octets.size()), into.begin());
}

/// The checksum of octets of which the four at `at` count as zeros.
std::uint32_t checksum_without(std::string_view octets, std::size_t at, std::uint32_t before = 0) {
    const auto first = codec::crc32c(octets.substr(0, at), before);
    const auto gap = codec::crc32c(std::string_view("\0\0\0\0", 4), first);
    return codec::crc32c(octets.substr(at + 4), gap);
}

void set_checksum(std::string& octets, std::size_t at, std::uint32_t checksum) {
    std::string raw;
    codec::Writer(raw).u32le(checksum);
    octets.replace(at, 4, raw);
}

std::uint32_t checksum_at(std::string_view octets, std::size_t at) {
    return codec::Reader(octets.substr(at)).u32le();
}

std::uint64_t microseconds(WallTime time) {
    return static_cast<std::uint64_t>(time.time_since_epoch().count());
}
WallTime wall_time_of(std::uint64_t microseconds) {
    return WallTime{std::chrono::microseconds{static_cast<std::int64_t>(microseconds)}};
}

std::unexpected<Error> later_release(std::string_view what) {
    return fail(ErrorKind::Rejected, std::string(what) + " was written by a later release");
}

} // namespace

std::string encode(const SegmentHeader& header) {
    std::string block;
    block.reserve(segment_header_octets);
    codec::Writer writer(block);
    writer.octets(segment_magic)
        .u16le(format_version)
        .u16le(static_cast<std::uint16_t>(header.kind))
        .u32le(0)
        .octets(octets_of(header.store))
        .u64le(header.number)
        .u64le(header.base)
        .u64le(microseconds(header.made))
        .u64le(header.previous)
        .u64le(header.sealed)
        .u32le(header.chain);
    block.resize(segment_header_octets);
    set_checksum(block, segment_checksum_at, checksum_without(block, segment_checksum_at));
    return block;
}

Result<SegmentHeader> decode_segment_header(std::string_view block) {
    if (block.size() < segment_header_octets || !block.starts_with(segment_magic))
        return fail(ErrorKind::Corrupt, "no segment header");
    block = block.substr(0, segment_header_octets);
    if (checksum_at(block, segment_checksum_at) != checksum_without(block, segment_checksum_at))
        return fail(ErrorKind::Corrupt, "the segment header's checksum is wrong");
    codec::Reader reader(block.substr(segment_magic.size()));
    if (reader.u16le() != format_version) return later_release("the segment");
    SegmentHeader header;
    header.kind = static_cast<SegmentKind>(reader.u16le());
    static_cast<void>(reader.u32le());
    copy_octets(header.store, reader.octets(header.store.size()));
    header.number = reader.u64le();
    header.base = reader.u64le();
    header.made = wall_time_of(reader.u64le());
    header.previous = reader.u64le();
    header.sealed = reader.u64le();
    header.chain = reader.u32le();
    return header;
}

std::string encode(FrameHeader& header, const StoreId& store, std::string_view records) {
    std::string octets;
    octets.reserve(frame_header_octets);
    codec::Writer writer(octets);
    writer.octets(frame_magic)
        .u16le(format_version)
        .u16le(header.flags)
        .u32le(0)
        .u32le(header.chain)
        .u64le(header.segment)
        .u64le(header.position)
        .u64le(header.durable)
        .u64le(microseconds(header.written))
        .u64le(header.batch)
        .u64le(header.segments_used)
        .u32le(header.records_octets)
        .u32le(header.records)
        .u64le(header.bodies_octets);
    octets.resize(frame_header_octets);
    header.checksum = codec::crc32c(
        records, checksum_without(octets, frame_checksum_at, codec::crc32c(octets_of(store))));
    set_checksum(octets, frame_checksum_at, header.checksum);
    return octets;
}

Result<std::optional<FrameHeader>> decode_frame_header(std::string_view octets) {
    if (octets.size() < frame_header_octets || !octets.starts_with(frame_magic))
        return std::nullopt;
    codec::Reader reader(octets.substr(frame_magic.size(), frame_header_octets));
    if (reader.u16le() != format_version) return later_release("a frame");
    FrameHeader header;
    header.flags = reader.u16le();
    header.checksum = reader.u32le();
    header.chain = reader.u32le();
    header.segment = reader.u64le();
    header.position = reader.u64le();
    header.durable = reader.u64le();
    header.written = wall_time_of(reader.u64le());
    header.batch = reader.u64le();
    header.segments_used = reader.u64le();
    header.records_octets = reader.u32le();
    header.records = reader.u32le();
    header.bodies_octets = reader.u64le();
    // Nothing real is that large; sums stay far from overflow.
    if (header.bodies_octets > std::uint64_t{1} << 40) return std::nullopt;
    return header;
}

bool checksum_matches(const FrameHeader& header, const StoreId& store,
                      std::string_view header_octets, std::string_view records) {
    header_octets = header_octets.substr(0, frame_header_octets);
    return header.checksum ==
           codec::crc32c(records, checksum_without(header_octets, frame_checksum_at,
                                                   codec::crc32c(octets_of(store))));
}

void append_record(std::string& into, RecordType type, std::uint64_t account,
                   std::string_view content) {
    const auto at = into.size();
    codec::Writer writer(into);
    writer.u8(static_cast<std::uint8_t>(type))
        .u8(1)
        .u16le(0)
        .u32le(static_cast<std::uint32_t>(content.size()))
        .u64le(account)
        .u32le(0)
        .octets(content);
    const auto record = std::string_view(into).substr(at);
    set_checksum(into, at + record_checksum_at, checksum_without(record, record_checksum_at));
}

Result<bool> read_records(std::string_view records, const VisitRecord& visit,
                          const VisitDamage& damaged) {
    std::size_t at = 0;
    while (at < records.size()) {
        codec::Reader reader(records.substr(at));
        Record record;
        record.header.type = static_cast<RecordType>(reader.u8());
        record.header.version = reader.u8();
        record.header.flags = reader.u16le();
        record.header.octets = reader.u32le();
        record.header.account = reader.u64le();
        const auto checksum = reader.u32le();
        record.content = reader.octets(record.header.octets);
        if (!reader.ok()) {
            damaged(at, "a record's length");
            return false;
        }
        const auto octets = record_header_octets + record.content.size();
        if (checksum != checksum_without(records.substr(at, octets), record_checksum_at)) {
            // If the length is what is wrong, what follows will not match either.
            damaged(at, "a record's checksum");
            at += octets;
            continue;
        }
        at += octets;
        const bool known =
            record.header.version == 1 &&
            (record.header.type == RecordType::Changes || record.header.type == RecordType::Body ||
             record.header.type == RecordType::End || record.header.type == RecordType::Rows ||
             record.header.type == RecordType::SnapshotEnd);
        if (!known && (record.header.flags & record_may_be_skipped) != 0) continue;
        if (!known) return later_release("a record");
        MAILCORE_TRY(visit(record));
    }
    return true;
}

void ChangesWriter::add_key(std::uint8_t operation, std::string_view key) {
    const auto shared =
        static_cast<std::size_t>(std::ranges::mismatch(last_key_, key).in1 - last_key_.begin());
    codec::Writer(content_).u8(operation).varint(shared).text(key.substr(shared));
    last_key_ = key;
}

void ChangesWriter::put(std::string_view key, std::string_view value) {
    add_key(operation_put, key);
    codec::Writer(content_).text(value);
}

void ChangesWriter::erase(std::string_view key) { add_key(operation_erase, key); }

Result<void> read_changes(
    std::string_view content,
    const std::function<Result<void>(std::string_view key, std::optional<std::string_view> value)>&
        visit) {
    // Prefixes that grow from key to key could make a small record mean very much.
    constexpr std::size_t key_octets_max = 4096;
    codec::Reader reader(content);
    std::string key;
    while (reader.remaining() > 0) {
        const auto operation = reader.u8();
        const auto shared = reader.varint();
        const auto rest = reader.text();
        if (!reader.ok() || shared > key.size() || shared + rest.size() > key_octets_max) break;
        key.resize(static_cast<std::size_t>(shared));
        key += rest;
        if (operation == operation_erase) {
            MAILCORE_TRY(visit(key, std::nullopt));
            continue;
        }
        if (operation != operation_put) break;
        const auto value = reader.text();
        if (!reader.ok()) break;
        MAILCORE_TRY(visit(key, value));
    }
    if (!reader.at_end()) return fail(ErrorKind::Corrupt, "a list of changes cannot be read");
    return {};
}

std::string encode(const BodyRecord& body) {
    std::string content;
    codec::Writer(content)
        .u64le(body.blob)
        .u64le(body.place.segment)
        .u64le(body.place.offset)
        .u64le(body.place.size)
        .u64le(body.place.stored)
        .u8(body.place.uniform ? body_uniform : 0)
        .octets({reinterpret_cast<const char*>(body.digest.data()), body.digest.size()});
    return content;
}

Result<BodyRecord> decode_body_record(std::string_view content) {
    codec::Reader reader(content);
    BodyRecord body;
    body.blob = reader.u64le();
    body.place.segment = reader.u64le();
    body.place.offset = reader.u64le();
    body.place.size = reader.u64le();
    body.place.stored = reader.u64le();
    body.place.uniform = (reader.u8() & body_uniform) != 0;
    copy_octets(body.digest, reader.octets(body.digest.size()));
    if (!reader.at_end()) return fail(ErrorKind::Corrupt, "a body record has a wrong length");
    return body;
}

std::string segment_name(SegmentKind kind, SegmentNumber number, Position base) {
    switch (kind) {
    case SegmentKind::Log: return fmt::format("{:016x}-{:016x}.log", number, base);
    case SegmentKind::Bodies: return fmt::format("{:016x}.bodies", number);
    case SegmentKind::Snapshot: return fmt::format("{:016x}.snapshot", number);
    }
    return {};
}

std::optional<SegmentName> parse_segment_name(std::string_view name) {
    const auto hexadecimal = [&name](std::uint64_t& into) {
        if (name.size() < 16) return false;
        const auto [end, error] = std::from_chars(name.data(), name.data() + 16, into, 16);
        if (error != std::errc() || end != name.data() + 16) return false;
        name.remove_prefix(16);
        return true;
    };
    SegmentName parsed;
    if (!hexadecimal(parsed.number) || parsed.number == 0) return std::nullopt;
    if (name == ".bodies") {
        parsed.kind = SegmentKind::Bodies;
        return parsed;
    }
    if (name == ".snapshot") {
        parsed.kind = SegmentKind::Snapshot;
        return parsed;
    }
    if (!name.starts_with('-')) return std::nullopt;
    name.remove_prefix(1);
    if (!hexadecimal(parsed.base) || name != ".log") return std::nullopt;
    return parsed;
}

} // namespace mailcore::journal
