// The journal's parsers, and a whole segment with whatever octets in it.
#include "libmailcore/base/assert.h"
#include "libmailcore/base/clock.h"
#include "libmailcore/base/file.h"
#include "libmailcore/base/random.h"
#include "libmailcore/journal/journal.h"

#include <cstdint>
#include <string>

using namespace mailcore;
using namespace mailcore::journal;

namespace {

Result<void> read_record(const Record& record) {
    if (record.header.type == RecordType::Changes)
        return read_changes(
            record.content,
            [](std::string_view, std::optional<std::string_view>) -> Result<void> { return {}; });
    if (record.header.type == RecordType::Body) {
        MAILCORE_TRY(const auto body, decode_body_record(record.content));
        const auto again = decode_body_record(encode(body));
        MAILCORE_ASSERT(again && *again == body);
    }
    return {};
}

/// A log of three frames, of which the input replaces some octets, is opened, appended to and
/// opened again.
void open_damaged(std::string_view input) {
    base::MemoryFileSystem files;
    const base::SystemClock clock;
    base::SeededRandom random(1);
    Options options;
    options.pool_octets = options.fill_octets = options.reserve_octets = 0;
    std::size_t frames = 0;
    Replay replay;
    replay.record = [](const FrameInfo&, const Record& record) -> Result<void> {
        static_cast<void>(read_record(record));
        return {};
    };
    replay.frame_end = [&frames](const FrameInfo&) -> Result<void> {
        ++frames;
        return {};
    };
    std::string name;
    {
        const auto journal = Journal::open(files, "/j", options, random, clock, Log(), {}, replay);
        MAILCORE_ASSERT(journal);
        for (int i = 0; i < 3; ++i) {
            const auto chunk = (*journal)->chunks().encode(std::string(3000, 'b'), false);
            BodyRecord body;
            body.blob = 1;
            body.place.size = 3000;
            ChangesWriter changes;
            changes.put("key", "value");
            Frame frame;
            frame.add_body(body, chunk);
            frame.add(RecordType::Changes, 1, changes.content());
            MAILCORE_ASSERT((*journal)->append(std::move(frame), Space::Normal));
        }
        name = "/j/" + segment_name(SegmentKind::Log, 1, 0);
    }
    const auto file = files.open(name, OpenMode::Write);
    MAILCORE_ASSERT(file);
    // The first two octets say where the rest goes.
    const auto at =
        static_cast<unsigned char>(input[0]) * 256U + static_cast<unsigned char>(input[1]);
    const auto rest = input.substr(2);
    MAILCORE_ASSERT((*file)->write_at(at % (7 * block_octets), std::span(&rest, 1)));
    frames = 0;
    const auto journal = Journal::open(files, "/j", options, random, clock, Log(), {}, replay);
    if (!journal) return; // of a later release, it says
    const auto before = frames;
    Frame frame;
    frame.add(RecordType::End, 0, {});
    MAILCORE_ASSERT((*journal)->append(std::move(frame), Space::Normal));
    MAILCORE_ASSERT((*journal)->replay(0, (*journal)->end(), replay, Bodies::Verify));
    MAILCORE_ASSERT(frames > before);
}

/// A snapshot of a thousand rows, of which the input replaces some octets, is looked for and read.
void read_damaged_snapshot(std::string_view input) {
    base::MemoryFileSystem files;
    MAILCORE_ASSERT(files.make_folder("/j"));
    StoreId store{};
    const auto made = SnapshotWriter::create(files, "/j", store, 1, 0, WallTime{});
    MAILCORE_ASSERT(made);
    for (int i = 1000; i < 2000; ++i)
        MAILCORE_ASSERT((*made)->put("key " + std::to_string(i), "value"));
    const auto whole = (*made)->finish({});
    MAILCORE_ASSERT(whole && whole->octets <= 256 * 256);
    const auto at =
        static_cast<unsigned char>(input[0]) * 256U + static_cast<unsigned char>(input[1]);
    const auto rest = input.substr(2);
    {
        const auto file =
            files.open("/j/" + segment_name(SegmentKind::Snapshot, 1, 0), OpenMode::Write);
        MAILCORE_ASSERT(file);
        MAILCORE_ASSERT((*file)->write_at(at % whole->octets, std::span(&rest, 1)));
    }
    const auto found = find_snapshots(files, "/j", store);
    if (!found) return; // of a later release, it says
    for (const auto& each : found->finished) {
        std::size_t rows = 0, damages = 0;
        const auto read = read_snapshot(
            files, "/j", store, each,
            [&rows](std::string_view, std::string_view) -> Result<void> {
                ++rows;
                return {};
            },
            [&damages](const std::string&) { ++damages; });
        MAILCORE_ASSERT(!read || *read == (damages == 0));
        MAILCORE_ASSERT(!read || !*read || rows == each.end.rows);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    static_cast<void>(decode_segment_header(input));
    static_cast<void>(decode_frame_header(input));
    static_cast<void>(read_records(input, read_record, [](std::size_t, std::string_view) {}));
    static_cast<void>(
        read_changes(input, [](std::string_view, std::optional<std::string_view>) -> Result<void> {
            return {};
        }));
    static_cast<void>(parse_segment_name(input));
    if (const auto end = decode_snapshot_end(input)) {
        const auto again = decode_snapshot_end(encode(*end));
        MAILCORE_ASSERT(again && *again == *end);
    }
    // What gets past the checksums: the same input as a record's content, rightly summed.
    for (const auto type : {RecordType::Changes, RecordType::Body}) {
        std::string record;
        append_record(record, type, 7, input);
        static_cast<void>(read_records(
            record, read_record, [](std::size_t, std::string_view) { MAILCORE_ASSERT(false); }));
    }
    const ChunkCodec codec(CompressionOptions{});
    std::string octets;
    static_cast<void>(codec.decode(input, octets));
    if (size <= chunk_octets) {
        const auto chunk = codec.encode(input, true);
        octets.clear();
        const auto taken = codec.decode(chunk, octets);
        MAILCORE_ASSERT(taken && *taken == chunk.size() && octets == input);
    }
    if (size >= 3 && size <= 4 * block_octets) {
        open_damaged(input);
        read_damaged_snapshot(input);
    }
    return 0;
}

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/journal", nullptr};
    return seeds;
}
