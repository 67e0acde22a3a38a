// The journal's octets: segments, frames, records. README.md describes them for readers in any
// language.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/result.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::journal {

/// Tells one store's octets from another's: random, made once with the store.
using StoreId = std::array<unsigned char, 16>;
/// A place in the log: only grows over the life of a store, whatever happens to its files.
using Position = std::uint64_t;
/// The number of a file of the journal, never used twice. 0: none.
using SegmentNumber = std::uint64_t;

inline constexpr std::size_t block_octets = 4096; // frames begin on it
inline constexpr std::size_t segment_header_octets = block_octets;
inline constexpr std::size_t frame_header_octets = 96;
inline constexpr std::size_t record_header_octets = 20;

[[nodiscard]] constexpr std::uint64_t round_to_blocks(std::uint64_t octets) {
    return (octets + block_octets - 1) / block_octets * block_octets;
}

enum class SegmentKind : std::uint16_t {
    Log = 1,      ///< frames
    Bodies = 2,   ///< bodies too large for a frame
    Snapshot = 3, ///< frames that hold a snapshot of the index: `snapshot.h`
};

/// The first block of every segment.
struct SegmentHeader {
    SegmentKind kind = SegmentKind::Log;
    StoreId store{};
    SegmentNumber number = 0;
    Position base = 0; ///< of file offset 0; Log only
    WallTime made;
    SegmentNumber previous = 0; ///< the log segment before this one
    /// Log: where that one's frames end; what lies behind does not count. Snapshot: where its own
    /// last frame begins, 0 as long as it is not finished.
    Position sealed = 0;
    std::uint32_t chain = 0; ///< checksum of that last frame
};
[[nodiscard]] std::string encode(const SegmentHeader& header);
/// Corrupt: it is no such block, or damaged. Rejected: it was written by a later release.
[[nodiscard]] Result<SegmentHeader> decode_segment_header(std::string_view block);

/// What a frame begins with. Behind it: its records, then the octets of bodies, then zeros up to a
/// block.
struct FrameHeader {
    std::uint16_t flags = 0; ///< none defined
    std::uint32_t checksum = 0;
    std::uint32_t chain = 0; ///< checksum of the frame before it in the log
    SegmentNumber segment = 0;
    Position position = 0;
    Position durable = 0; ///< all before it was known to be on disk when this frame was written
    WallTime written;
    std::uint64_t batch = 0;         ///< grows by one a frame
    SegmentNumber segments_used = 0; ///< the highest number handed out
    std::uint32_t records_octets = 0;
    std::uint32_t records = 0;
    std::uint64_t bodies_octets = 0;

    [[nodiscard]] std::uint64_t octets() const {
        return round_to_blocks(frame_header_octets + records_octets + bodies_octets);
    }
    friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};
/// Sets `header.checksum`, which covers the store's id, the header and the records.
[[nodiscard]] std::string encode(FrameHeader& header, const StoreId& store,
                                 std::string_view records);
/// Reads the fields alone; nothing if it is no frame header. Rejected: of a later release.
[[nodiscard]] Result<std::optional<FrameHeader>> decode_frame_header(std::string_view octets);
[[nodiscard]] bool checksum_matches(const FrameHeader& header, const StoreId& store,
                                    std::string_view header_octets, std::string_view records);

enum class RecordType : std::uint8_t {
    Changes = 1, ///< the rows that one transaction put and erased
    Body = 2,    ///< a body's name and where its octets lie
    End = 3,     ///< the log was closed in order; no content
    // 16 to 31: index snapshots
    Rows = 16,        ///< sorted rows: Changes without erasures
    SnapshotEnd = 17, ///< what a snapshot stands for: `snapshot.h`
};

/// A point between two frames from which the log can be read on.
struct Mark {
    Position position = 0;
    std::uint64_t batch = 0; ///< of the frame before it; 0: unknown, or there is none
    std::uint32_t chain = 0; ///< that frame's checksum; likewise

    friend bool operator==(const Mark&, const Mark&) = default;
};

struct RecordHeader {
    RecordType type = RecordType::Changes;
    std::uint8_t version = 1;
    std::uint16_t flags = 0;
    std::uint32_t octets = 0;  ///< of the content
    std::uint64_t account = 0; ///< whose data it is about; 0: nobody's or several
};
/// A reader that does not know a record's type or version may pass over it.
inline constexpr std::uint16_t record_may_be_skipped = 1;

/// Appends a record to `into`.
void append_record(std::string& into, RecordType type, std::uint64_t account,
                   std::string_view content);

struct Record {
    RecordHeader header;
    std::string_view content; ///< of the octets that were read
};
/// Reads the records of a frame in order. A record whose own checksum is wrong is passed over and
/// given to `damaged` with its offset; false if the rest cannot be read because its length is not
/// to be trusted. Rejected: a record of a later release that may not be passed over. `visit`'s
/// failure ends it.
using VisitRecord = std::function<Result<void>(const Record&)>;
using VisitDamage = std::function<void(std::size_t offset, std::string_view what)>;
Result<bool> read_records(std::string_view records, const VisitRecord& visit,
                          const VisitDamage& damaged);

/// Builds the content of a Changes record. Keys are best given in order: each takes what it shares
/// with the one before from there.
class ChangesWriter {
  public:
    void put(std::string_view key, std::string_view value);
    void erase(std::string_view key);
    [[nodiscard]] bool empty() const { return content_.empty(); }
    [[nodiscard]] const std::string& content() const { return content_; }

  private:
    void add_key(std::uint8_t operation, std::string_view key);
    std::string content_;
    std::string last_key_;
};
/// Corrupt: it is no such content. Changes before the fault have been given to `visit`.
Result<void> read_changes(
    std::string_view content,
    const std::function<Result<void>(std::string_view key, std::optional<std::string_view> value)>&
        visit);

/// Where a body's chunks lie in a segment.
struct BodyPlace {
    SegmentNumber segment = 0;
    std::uint64_t offset = 0; ///< in the file
    std::uint64_t size = 0;   ///< of the body
    std::uint64_t stored = 0; ///< octets in the file, chunk headers and table included
    bool uniform = true;      ///< no chunk is compressed, and there is no table

    friend bool operator==(const BodyPlace&, const BodyPlace&) = default;
};

/// A Body record. `place.segment` 0: in this very frame, and the offset counts from where its
/// bodies begin.
struct BodyRecord {
    std::uint64_t blob = 0;
    std::array<unsigned char, 32> digest{}; ///< BLAKE2b-256
    BodyPlace place;

    friend bool operator==(const BodyRecord&, const BodyRecord&) = default;
};
[[nodiscard]] std::string encode(const BodyRecord& body);
[[nodiscard]] Result<BodyRecord> decode_body_record(std::string_view content);

/// `0000000000000007-0000000000400000.log`: number and base; `0000000000000008.bodies`: number.
[[nodiscard]] std::string segment_name(SegmentKind kind, SegmentNumber number, Position base);
struct SegmentName {
    SegmentKind kind = SegmentKind::Log;
    SegmentNumber number = 0;
    Position base = 0;
};
[[nodiscard]] std::optional<SegmentName> parse_segment_name(std::string_view name);

} // namespace mailcore::journal
