#include "libmailcore/journal/format.h"

#include "libmailcore/codec/hex.h"
#include "libmailcore/journal/body.h"
#include "tests/catch.h"

#include <vector>

using namespace mailcore;
using namespace mailcore::journal;

namespace {

using Change = std::pair<std::string, std::optional<std::string>>;

Result<std::vector<Change>> changes_of(std::string_view content) {
    std::vector<Change> changes;
    MAILCORE_TRY(
        read_changes(content, [&](std::string_view key, std::optional<std::string_view> value) {
            std::optional<std::string> copy;
            if (value) copy.emplace(*value);
            changes.emplace_back(key, std::move(copy));
            return Result<void>{};
        }));
    return changes;
}

struct Read {
    std::vector<std::string> contents;
    std::vector<std::size_t> damaged;
    bool whole = false;
};

Result<Read> read(std::string_view records) {
    Read result;
    MAILCORE_TRY(result.whole, read_records(
                                   records,
                                   [&](const Record& record) -> Result<void> {
                                       result.contents.emplace_back(record.content);
                                       return {};
                                   },
                                   [&](std::size_t offset, std::string_view) {
                                       result.damaged.push_back(offset);
                                   }));
    return result;
}

std::string three_records() {
    std::string records;
    append_record(records, RecordType::Changes, 1, "one");
    append_record(records, RecordType::Changes, 2, "second");
    append_record(records, RecordType::End, 0, "");
    return records;
}

} // namespace

TEST_CASE("headers come back as they were written") {
    SegmentHeader segment;
    segment.kind = SegmentKind::Bodies;
    segment.store.fill(7);
    segment.number = 3;
    segment.base = 1 << 20;
    segment.made = WallTime{std::chrono::microseconds{123'456'789}};
    segment.previous = 2;
    segment.sealed = 999;
    segment.chain = 0xDEADBEEF;
    const auto block = encode(segment);
    CHECK(block.size() == segment_header_octets);
    const auto read_segment = decode_segment_header(block);
    REQUIRE(read_segment);
    CHECK(read_segment->kind == segment.kind);
    CHECK(read_segment->store == segment.store);
    CHECK(read_segment->number == 3);
    CHECK(read_segment->base == segment.base);
    CHECK(read_segment->made == segment.made);
    CHECK(read_segment->previous == 2);
    CHECK(read_segment->sealed == 999);
    CHECK(read_segment->chain == 0xDEADBEEF);

    FrameHeader frame;
    frame.chain = 5;
    frame.segment = 3;
    frame.position = 8192;
    frame.durable = 4096;
    frame.written = segment.made;
    frame.batch = 12;
    frame.segments_used = 4;
    frame.records_octets = 7;
    frame.records = 1;
    frame.bodies_octets = 5000;
    const auto octets = encode(frame, segment.store, "records");
    CHECK(octets.size() == frame_header_octets);
    const auto read_frame = decode_frame_header(octets);
    REQUIRE(read_frame);
    REQUIRE(*read_frame);
    CHECK(**read_frame == frame);
    CHECK(frame.octets() == 8192);
    CHECK(checksum_matches(frame, segment.store, octets, "records"));
    CHECK_FALSE(checksum_matches(frame, segment.store, octets, "recordS"));
    CHECK_FALSE(checksum_matches(frame, StoreId{}, octets, "records")); // of another store
}

TEST_CASE("a segment header with any octet changed is refused") {
    SegmentHeader header;
    header.number = 1;
    const auto block = encode(header);
    for (std::size_t at = 0; at < block.size(); at += at < 100 ? 1 : 61) {
        auto damaged = block;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        INFO(at);
        CHECK_FALSE(decode_segment_header(damaged));
    }
    CHECK(decode_segment_header(std::string_view(block).substr(0, 4095)).error().kind ==
          ErrorKind::Corrupt);
    CHECK(decode_segment_header("").error().kind == ErrorKind::Corrupt);
}

TEST_CASE("damaged records are passed over as far as their lengths can be trusted") {
    const auto records = three_records();
    const auto all = read(records);
    REQUIRE(all);
    CHECK((all->contents == std::vector<std::string>{"one", "second", ""}));
    CHECK(all->whole);
    const std::size_t second = record_header_octets + 3;
    struct Case {
        const char* name;
        std::size_t at;
        char octet;
        std::vector<std::string> contents;
        bool whole;
    };
    const Case cases[] = {
        {"content of the second", second + record_header_octets + 2, 'X', {"one", ""}, true},
        {"checksum of the second", second + 16, 'X', {"one", ""}, true},
        {"account of the second", second + 8, 'X', {"one", ""}, true},
        {"type of the second", second, 9, {"one", ""}, true},
        {"length of the second, beyond the end", second + 6, 'X', {"one"}, false},
        {"length of the last, beyond the end", second * 2 + 3 + 4, 'X', {"one", "second"}, false},
        {"content of the first", record_header_octets, 'X', {"second", ""}, true},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        auto damaged = records;
        damaged[c.at] = c.octet;
        const auto result = read(damaged);
        REQUIRE(result);
        CHECK((result->contents == c.contents));
        CHECK(result->whole == c.whole);
        CHECK(result->damaged.size() == 1);
    }
    for (std::size_t octets = 0; octets < records.size(); ++octets) {
        const auto result = read(std::string_view(records).substr(0, octets));
        REQUIRE(result);
        CHECK(result->contents.size() < 3);
    }
}

TEST_CASE("a record of a later release stops the reader, unless it may be passed over") {
    std::string records;
    append_record(records, static_cast<RecordType>(18), 0, "of a later release");
    append_record(records, RecordType::Changes, 0, "one");
    const auto stopped = read(records);
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().kind == ErrorKind::Rejected);
}

TEST_CASE("changes come back in order, with prefixes shared and not") {
    const std::vector<Change> changes = {{"a", "1"},
                                         {"abc", ""},
                                         {"abd", std::nullopt},
                                         {"b", std::string(300, 'v')},
                                         {"a", "again"},
                                         {std::string("\0x", 2), "zero"}};
    ChangesWriter writer;
    CHECK(writer.empty());
    for (const auto& [key, value] : changes) {
        if (value)
            writer.put(key, *value);
        else
            writer.erase(key);
    }
    const auto back = changes_of(writer.content());
    REQUIRE(back);
    CHECK((*back == changes));
}

TEST_CASE("lists of changes that cannot be are corrupt") {
    struct Case {
        const char* name;
        std::string_view hex;
    };
    const Case cases[] = {
        {"no operation of that number", "030001610131"},
        {"an operation and nothing else", "01"},
        {"more shared than there is", "0101016101"},
        {"the rest of the key is missing", "010005616263"},
        {"the value is missing", "01000161"},
        {"the value is cut short", "010001610531"},
        {"a length that is not the shortest", "0100810061"},
        {"a length beyond all memory", "0100ffffffffffffffffff0161"},
        {"good, then an operation too many", "010001610131ff"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto content = codec::hex_decode(c.hex);
        REQUIRE(content);
        const auto read_back = changes_of(*content);
        REQUIRE_FALSE(read_back);
        CHECK(read_back.error().kind == ErrorKind::Corrupt);
    }
    // Keys that grow out of each other stay bounded.
    ChangesWriter growing;
    std::string key;
    for (int i = 0; i < 60; ++i) growing.put(key += std::string(100, 'k'), "");
    CHECK_FALSE(changes_of(growing.content()));
}

TEST_CASE("a body record has exactly its length") {
    BodyRecord body;
    body.blob = 9;
    body.digest.fill(3);
    body.place = {4, 5, 6, 7, false};
    const auto content = encode(body);
    const auto back = decode_body_record(content);
    REQUIRE(back);
    CHECK(*back == body);
    CHECK_FALSE(decode_body_record(content + "x"));
    for (std::size_t octets = 0; octets < content.size(); ++octets)
        CHECK_FALSE(decode_body_record(std::string_view(content).substr(0, octets)));
}

TEST_CASE("names of segments are theirs alone") {
    CHECK(segment_name(SegmentKind::Log, 0x1A, 0x4000) == "000000000000001a-0000000000004000.log");
    CHECK(segment_name(SegmentKind::Bodies, 2, 0) == "0000000000000002.bodies");
    const auto log = parse_segment_name("000000000000001a-0000000000004000.log");
    REQUIRE(log);
    CHECK(log->number == 0x1A);
    CHECK(log->base == 0x4000);
    CHECK(parse_segment_name("0000000000000002.bodies")->kind == SegmentKind::Bodies);
    CHECK(parse_segment_name("0000000000000002.snapshot")->kind == SegmentKind::Snapshot);
    for (const char* name :
         {"", "id", "reserve", "0000000000000000.bodies", "1.bodies", "000000000000001a.log",
          "000000000000001a-0000000000004000.log.new", "000000000000001g-0000000000004000.log",
          "000000000000001a_0000000000004000.log", "000000000000001a-00000000004000.log"}) {
        INFO(name);
        CHECK_FALSE(parse_segment_name(name));
    }
}

TEST_CASE("chunks come back; any octet changed is noticed") {
    const ChunkCodec codec(CompressionOptions{});
    std::string text;
    for (int i = 0; i < 3000; ++i) text += "line " + std::to_string(i) + "\r\n";
    const std::string base64(40'000, 'Q');
    std::string lines;
    for (std::size_t at = 0; at < base64.size(); at += 76) lines += base64.substr(at, 76) + "\r\n";
    struct Case {
        const char* name;
        std::string octets;
        bool may_compress;
        bool compressed;
    };
    const Case cases[] = {
        {"empty", "", true, false},
        {"text", text, true, true},
        {"text that may not be compressed", text, false, false},
        {"base64 is left for later", lines, true, false},
        {"a full chunk", std::string(chunk_octets, '\0'), true, true},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto chunk = codec.encode(c.octets, c.may_compress);
        CHECK(is_compressed_chunk(chunk) == c.compressed);
        std::string back = "before ";
        const auto taken = codec.decode(chunk + "behind", back);
        REQUIRE(taken);
        CHECK(*taken == chunk.size());
        CHECK((back == "before " + c.octets));
        for (std::size_t at = 0; at < chunk.size(); at += 1 + at / 7) {
            auto damaged = chunk;
            damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
            std::string ignored;
            INFO(at);
            CHECK_FALSE(codec.decode(damaged, ignored));
        }
        std::string ignored;
        CHECK_FALSE(codec.decode(std::string_view(chunk).substr(0, chunk.size() - 1), ignored));
    }
    CHECK_FALSE(codec.wants(100));
    CHECK(codec.wants(100'000));
}

TEST_CASE("a chunk table belongs to a body of its size") {
    const auto table = encode_chunk_table({100, 200, 300});
    const auto back = decode_chunk_table(table, 3 * chunk_octets);
    REQUIRE(back);
    CHECK((*back == std::vector<std::uint32_t>{100, 200, 300}));
    CHECK_FALSE(decode_chunk_table(table, 3 * chunk_octets + 1));
    CHECK_FALSE(decode_chunk_table(table, 2 * chunk_octets));
    auto damaged = table;
    damaged[1] = 'X';
    CHECK_FALSE(decode_chunk_table(damaged, 3 * chunk_octets));
}
