#include "libmailcore/journal/journal.h"

#include "libmailcore/base/random.h"
#include "tests/catch.h"

#include <algorithm>
#include <set>

using namespace mailcore;
using namespace mailcore::journal;

namespace {

/// A journal in memory, opened again and again, and what it told.
struct Bench {
    base::MemoryFileSystem files;
    base::SystemClock clock;
    base::SeededRandom random{1};
    Options options;
    std::unique_ptr<Journal> journal;
    std::vector<std::string> replayed; // contents of records, bodies as "blob:octets"
    std::vector<BodyRecord> bodies;
    std::vector<std::string> damages;
    Mark mark;

    Bench() {
        options.pool_octets = 64 * 1024;
        options.fill_octets = 0;
        options.reserve_octets = 64 * 1024;
        options.segment_octets = 256 * 1024;
    }
    Replay replay() {
        Replay calls;
        calls.record = [this](const FrameInfo& frame, const Record& record) -> Result<void> {
            if (record.header.type == RecordType::End) return {};
            if (record.header.type == RecordType::Body) {
                MAILCORE_TRY(auto body, decode_body_record(record.content));
                body.place = frame.place(body);
                replayed.push_back("body " + std::to_string(body.blob));
                bodies.push_back(body);
                return {};
            }
            replayed.emplace_back(record.content);
            return {};
        };
        calls.frame_end = [this](const FrameInfo& frame) -> Result<void> {
            mark = frame.mark();
            return {};
        };
        calls.damage = [this](const std::string& what) { damages.push_back(what); };
        return calls;
    }
    Result<void> open(const Mark& from = {}) {
        journal.reset();
        replayed.clear();
        bodies.clear();
        damages.clear();
        MAILCORE_TRY(journal,
                     Journal::open(files, "/j", options, random, clock, Log(), from, replay()));
        return {};
    }
    FrameInfo append(std::string_view content, Space space = Space::Normal) {
        Frame frame;
        frame.add(RecordType::Changes, 0, content);
        auto info = journal->append(std::move(frame), space);
        REQUIRE(info);
        return *info;
    }
    BodyPlace append_body(std::uint64_t blob, std::string_view octets) {
        const auto chunk = journal->chunks().encode(octets, true);
        BodyRecord body;
        body.blob = blob;
        body.place.size = octets.size();
        body.place.uniform = !is_compressed_chunk(chunk);
        Frame frame;
        frame.add_body(body, chunk);
        auto info = journal->append(std::move(frame), Space::Normal);
        REQUIRE(info);
        body.place.stored = chunk.size();
        return info->place(body);
    }
    std::string read(const BodyPlace& place) {
        const auto file = journal->segment_file(place.segment);
        REQUIRE(file);
        const auto octets = read_body(**file, place, journal->chunks(), 0, 1 << 20, ReadFrom::Disk);
        REQUIRE(octets);
        return **octets;
    }
    std::vector<std::string> logs() {
        auto names = *files.list("/j");
        std::erase_if(names, [](const auto& name) { return !name.ends_with(".log"); });
        return names;
    }
    void overwrite(const std::string& name, std::uint64_t at, std::string_view octets) {
        const auto file = files.open("/j/" + name, OpenMode::Write);
        REQUIRE(file);
        REQUIRE((*file)->write_at(at, std::span(&octets, 1)));
    }
    std::string content(const std::string& name) {
        return *base::read_file(files, "/j/" + name, 1 << 30);
    }
};

using Strings = std::vector<std::string>;

} // namespace

TEST_CASE("what was appended is replayed in order after an orderly close") {
    Bench bench;
    REQUIRE(bench.open());
    CHECK(bench.journal->end() == 0);
    bench.append("one");
    bench.append("two");
    bench.append(std::string(10'000, 'x'));
    const auto id = bench.journal->store_id();
    bench.journal->close();
    CHECK_FALSE(bench.journal->failure().empty());
    REQUIRE(bench.open());
    CHECK((bench.replayed == Strings{"one", "two", std::string(10'000, 'x')}));
    CHECK(bench.journal->store_id() == id);
    CHECK(bench.logs().size() == 1); // nothing had to be written again
    CHECK(bench.damages.empty());
    bench.append("three");
    CHECK(bench.logs().size() == 2); // a segment that was found is never appended to
    REQUIRE(bench.open());
    CHECK(bench.replayed.size() == 4);
    CHECK(bench.replayed.back() == "three");
    CHECK(bench.damages.empty());
}

TEST_CASE("the last frame of a log that was not closed is written again before it counts") {
    Bench bench;
    REQUIRE(bench.open());
    bench.append("one");
    const auto place = bench.append_body(7, "the octets of a body");
    REQUIRE(bench.open());
    CHECK((bench.replayed == Strings{"one", "body 7"}));
    CHECK(bench.logs().size() == 2);
    REQUIRE(bench.bodies.size() == 1);
    CHECK(bench.bodies[0].place.segment != place.segment);
    CHECK(bench.read(bench.bodies[0].place) == "the octets of a body");
    CHECK(bench.read(place) == "the octets of a body"); // those who knew the old place still can
    const auto end = bench.journal->end();
    REQUIRE(bench.open());
    CHECK((bench.replayed == Strings{"one", "body 7"}));
    CHECK(bench.journal->end() > end); // positions only grow
    CHECK(bench.damages.empty());
}

TEST_CASE("replay begins at a mark and needs nothing before it") {
    Bench bench;
    REQUIRE(bench.open());
    bench.append("one");
    const auto mark = bench.append("two").mark();
    for (int i = 0; i < 100; ++i)
        bench.append("three " + std::to_string(i) + std::string(5000, '.'));
    CHECK(bench.logs().size() > 2);
    REQUIRE(bench.open(mark));
    CHECK(bench.replayed.size() == 100);
    CHECK(bench.damages.empty());
    const auto end = bench.mark;
    REQUIRE(bench.open(end));
    CHECK(bench.replayed.empty());
    CHECK(bench.damages.empty());
    bench.append("four");
    REQUIRE(bench.open());
    CHECK(bench.replayed.size() == 103);
    CHECK(bench.damages.empty());
    // The same while it is in use.
    bench.replayed.clear();
    REQUIRE(bench.journal->replay(0, bench.journal->end(), bench.replay(), Bodies::Verify));
    CHECK(bench.replayed.size() == 103);
    CHECK(bench.damages.empty());
    bench.replayed.clear();
    REQUIRE(bench.journal->replay(mark.position, end.position, bench.replay(), Bodies::PassOver));
    CHECK(bench.replayed.size() == 100);
}

TEST_CASE("a torn tail is dropped, whichever octet is missing") {
    Bench whole;
    REQUIRE(whole.open());
    whole.append("one");
    const auto last = whole.append("two, which is torn");
    const auto name = whole.logs().front();
    const auto content = whole.content(name);
    const auto begin = static_cast<std::size_t>(last.begin);
    const auto check = [&](const std::string& torn, std::string what) {
        INFO(what);
        Bench bench;
        REQUIRE(bench.files.make_folder("/j"));
        REQUIRE(base::replace_file(bench.files, "/j/id", whole.content("id")));
        REQUIRE(base::replace_file(bench.files, "/j/" + name, torn));
        REQUIRE(bench.open());
        CHECK((bench.replayed == Strings{"one"}));
        CHECK(bench.damages.empty());
        bench.append("three");
        REQUIRE(bench.open());
        CHECK((bench.replayed == Strings{"one", "three"}));
        CHECK(bench.damages.empty());
    };
    for (const std::size_t at : {0, 5, 8, 20, 28, 36, 44, 52, 60, 64, 70, 96, 100, 113, 120, 130}) {
        auto torn = content;
        torn[begin + at] = static_cast<char>(torn[begin + at] ^ 0x40);
        check(torn, "octet " + std::to_string(at));
    }
    for (const std::size_t octets : {0, 1, 95, 96, 120, 512, 4095})
        check(content.substr(0, begin + octets), "cut at " + std::to_string(octets));
}

TEST_CASE("a damaged frame below a later mark is named and passed over, and nothing else is lost") {
    Bench bench;
    REQUIRE(bench.open());
    std::vector<FrameInfo> frames;
    for (int i = 0; i < 6; ++i) {
        Frame frame;
        frame.add(RecordType::Changes, 0, "first " + std::to_string(i));
        frame.add(RecordType::Changes, 0, "second " + std::to_string(i));
        frame.add(RecordType::Changes, 0, "third " + std::to_string(i));
        frames.push_back(*bench.journal->append(std::move(frame), Space::Normal));
    }
    bench.journal->close();
    const auto name = bench.logs().front();
    const auto frame_at = static_cast<std::uint64_t>(frames[2].begin);
    SECTION("its header") {
        bench.overwrite(name, frame_at, "XX");
        REQUIRE(bench.open());
        CHECK(bench.replayed.size() == 15);
        CHECK(bench.damages.size() == 1);
    }
    SECTION("a record in it: the others count") {
        bench.overwrite(
            name, frame_at + frame_header_octets + record_header_octets + 7 + record_header_octets,
            "XX");
        REQUIRE(bench.open());
        CHECK(bench.replayed.size() == 17);
        CHECK(std::ranges::count(bench.replayed, "first 2") == 1);
        CHECK(std::ranges::count(bench.replayed, "third 2") == 1);
        CHECK(bench.damages.size() == 2);
    }
    SECTION("several blocks") {
        bench.overwrite(name, frame_at, std::string(3 * block_octets, 'X'));
        REQUIRE(bench.open());
        CHECK(bench.replayed.size() == 9);
        CHECK_FALSE(bench.damages.empty());
    }
    SECTION("the segment's header") {
        bench.overwrite(name, 20, "XXXX");
        REQUIRE(bench.open());
        CHECK(bench.replayed.size() == 18);
        CHECK(bench.damages.size() == 1);
    }
    SECTION("the id's file") {
        REQUIRE(bench.files.remove("/j/id"));
        REQUIRE(bench.open());
        CHECK(bench.replayed.size() == 18);
        CHECK(bench.damages.empty());
    }
    const auto count = bench.replayed.size();
    bench.append("after");
    REQUIRE(bench.open());
    CHECK(bench.replayed.size() == count + 1);
}

TEST_CASE("a missing segment is named, the others are read") {
    Bench bench;
    REQUIRE(bench.open());
    for (int i = 0; i < 100; ++i) bench.append(std::to_string(i) + std::string(10'000, '.'));
    bench.journal->close();
    const auto logs = bench.logs();
    REQUIRE(logs.size() > 3);
    REQUIRE(bench.files.remove("/j/" + logs[1]));
    REQUIRE(bench.open());
    CHECK(bench.replayed.size() > 60);
    CHECK(bench.replayed.size() < 100);
    CHECK_FALSE(bench.damages.empty());
    CHECK(bench.damages.front().find("missing") != std::string::npos);
}

TEST_CASE("a segment of another store is refused, and so is a later release's") {
    Bench bench, other;
    REQUIRE(bench.open());
    bench.append("one");
    other.random = base::SeededRandom(2);
    REQUIRE(other.open());
    other.append("two");
    const auto content = other.content(other.logs().front());
    REQUIRE(base::replace_file(bench.files, "/j/" + other.logs().front(), content));
    CHECK(bench.open().error().kind == ErrorKind::Rejected);
}

TEST_CASE("numbers of segments are never used twice") {
    Bench bench;
    std::set<std::string> names;
    std::size_t before = 0;
    for (int round = 0; round < 20; ++round) {
        REQUIRE(bench.open());
        bench.append("x");
        if (round % 3 == 0) {
            auto stream = bench.journal->stream_body();
            REQUIRE((*stream)->write("body"));
            const auto place = (*stream)->finish();
            REQUIRE(place);
            CHECK(names.insert(std::to_string(place->segment)).second);
            (*stream).reset();
            bench.append("names it");
            CHECK(bench.journal->drop_segment(place->segment));
            REQUIRE(bench.journal->remove_dropped());
            CHECK(bench.journal->segment_file(place->segment).error().kind == ErrorKind::NotFound);
        }
        while (bench.journal->idle()) {
        }
        const auto logs = bench.logs();
        for (const auto& log : logs) {
            const auto number = std::to_string(parse_segment_name(log)->number);
            if (logs.size() > before) CHECK(log.size() == 37);
            names.insert(number);
        }
        before = logs.size();
    }
    CHECK(bench.damages.empty());
}

TEST_CASE("large bodies are streamed into segments of their own and read in any part") {
    Bench bench;
    REQUIRE(bench.open());
    std::string text;
    while (text.size() < 1'000'000)
        text += "A line of text, number " + std::to_string(text.size()) + "\r\n";
    std::string noise(700'000, '\0');
    for (std::size_t i = 0; i < noise.size(); ++i)
        noise[i] = static_cast<char>(i * i * 2654435761U >> 13);
    for (const auto& body : {text, noise, std::string(300'000, 'A')}) {
        const auto stream = bench.journal->stream_body();
        REQUIRE(stream);
        for (std::size_t at = 0; at < body.size(); at += chunk_octets)
            REQUIRE((*stream)->write(std::string_view(body).substr(at, chunk_octets)));
        const auto place = (*stream)->finish();
        REQUIRE(place);
        CHECK(place->size == body.size());
        const auto file = bench.journal->segment_file(place->segment);
        REQUIRE(file);
        for (const std::uint64_t offset : {0UL, 1UL, chunk_octets - 1, chunk_octets,
                                           2 * chunk_octets + 17, body.size() - 1, body.size()})
            for (const std::size_t octets : {1UL, 1000UL, chunk_octets, 600'000UL}) {
                const auto part = read_body(**file, *place, bench.journal->chunks(), offset, octets,
                                            ReadFrom::Disk);
                REQUIRE(part);
                CHECK((**part == body.substr(std::min<std::size_t>(offset, body.size()), octets)));
            }
    }
    CHECK(bench.journal->segments()->size() == 1); // one behind the other
}

TEST_CASE("a damaged body is corrupt, its neighbours are not") {
    Bench bench;
    REQUIRE(bench.open());
    const auto one = bench.append_body(1, std::string(3000, '1'));
    const auto two = bench.append_body(2, std::string(3000, '2'));
    bench.overwrite(bench.logs().front(), one.offset + 500, "X");
    const auto file = bench.journal->segment_file(one.segment);
    CHECK(read_body(**file, one, bench.journal->chunks(), 0, 10, ReadFrom::Disk).error().kind ==
          ErrorKind::Corrupt);
    CHECK(bench.read(two) == std::string(3000, '2'));
    REQUIRE(bench.journal->replay(0, bench.journal->end(), bench.replay(), Bodies::Verify));
    CHECK(bench.damages.size() == 1);
}

TEST_CASE("the reserve is made when there is time, and used when asked for") {
    Bench bench;
    REQUIRE(bench.open());
    CHECK_FALSE(bench.journal->reserve_ready());
    bench.append("one");
    while (bench.journal->idle()) {
    }
    CHECK(bench.journal->reserve_ready());
    REQUIRE(bench.open());
    CHECK(bench.journal->reserve_ready());
    CHECK((bench.replayed == Strings{"one"}));
}

TEST_CASE("bodies are copied as they are stored, and what they lay in can go") {
    Bench bench;
    REQUIRE(bench.open());
    std::vector<BodyPlace> places;
    std::vector<std::string> contents;
    for (int i = 0; i < 200; ++i) {
        contents.push_back("body " + std::to_string(i) +
                           std::string(static_cast<std::size_t>(i) * 150, 'b'));
        places.push_back(bench.append_body(static_cast<std::uint64_t>(i), contents.back()));
    }
    REQUIRE(bench.logs().size() > 2);
    auto copied = bench.journal->copy_bodies(places);
    REQUIRE(copied);
    const auto target = copied->places.front().segment;
    REQUIRE(copied->places.size() == places.size());
    bench.journal->close_log_segment();
    const auto mark = bench.append("the last").mark();
    const auto before = *bench.journal->segments();
    // The one that holds the copies is held; the log's last one is never dropped.
    for (const auto& each : before) {
        INFO(each.number);
        const bool last = each.kind == SegmentKind::Log && each.end == bench.journal->end();
        CHECK(bench.journal->drop_segment(each.number) == (each.number != target && !last));
    }
    REQUIRE(bench.journal->remove_dropped());
    CHECK(bench.logs().size() == 1);
    for (std::size_t i = 0; i < places.size(); ++i) {
        CHECK(bench.read(copied->places[i]) == contents[i]);
        CHECK(copied->places[i].stored == places[i].stored);
    }
    REQUIRE(bench.open(mark));
    for (const auto& damage : bench.damages) UNSCOPED_INFO(damage);
    CHECK(bench.damages.empty());
    for (std::size_t i = 0; i < places.size(); ++i)
        CHECK(bench.read(copied->places[i]) == contents[i]);
    const auto after = *bench.journal->segments();
    REQUIRE(after.size() == 2);
    CHECK(after.front().octets > 0);
    CHECK(after.front().made > WallTime{});
}
