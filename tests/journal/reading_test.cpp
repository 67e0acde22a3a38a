// A journal that is read and not written.
#include "libmailcore/base/random.h"
#include "libmailcore/journal/journal.h"
#include "tests/catch.h"
#include "tests/sim/virtual_scheduler.h"

#include <algorithm>

using namespace mailcore;
using namespace mailcore::journal;

namespace {

/// A journal in memory whose frames come a second apart.
struct Bench {
    base::MemoryFileSystem files;
    sim::VirtualScheduler clock;
    base::SeededRandom random{1};
    Options options;
    std::unique_ptr<Journal> journal;

    Bench() {
        options.pool_octets = 64 * 1024;
        options.reserve_octets = 0;
        options.segment_octets = 64 * 1024;
        options.body_segment_octets = 1024 * 1024;
    }
    static Replay quiet() {
        Replay calls;
        calls.record = [](const FrameInfo&, const Record&) -> Result<void> { return {}; };
        return calls;
    }
    void open(const std::string& folder = "/j") {
        journal.reset();
        auto opened = Journal::open(files, folder, options, random, clock, Log(), {}, quiet());
        REQUIRE(opened);
        journal = std::move(*opened);
    }
    FrameInfo append(std::size_t octets) {
        clock.run_until(clock.now() + std::chrono::seconds{1});
        Frame frame;
        frame.add(RecordType::Changes, 0, std::string(octets, 'x'));
        const auto info = journal->append(std::move(frame), Space::Normal);
        REQUIRE(info);
        return *info;
    }
    Inventory inventory() {
        auto all = journal->inventory();
        REQUIRE(all);
        return *all;
    }
    /// As a backup does.
    void copy(const Inventory& all, const std::string& to) {
        REQUIRE(files.make_folder(to));
        for (const auto& file : all.files) {
            const auto octets = base::read_file(files, "/j/" + file.name, 1 << 30);
            REQUIRE(octets);
            REQUIRE(octets->size() >= file.octets);
            REQUIRE(
                base::replace_file(files, to + "/" + file.name, octets->substr(0, file.octets)));
        }
    }
    std::uint64_t frames_in(const std::string& folder, std::vector<std::string>* damages = {}) {
        const auto read = Journal::open_to_read(files, folder, random, clock, Log());
        REQUIRE(read);
        std::uint64_t frames = 0;
        auto calls = quiet();
        calls.frame_end = [&](const FrameInfo&) -> Result<void> {
            ++frames;
            return {};
        };
        calls.damage = [&](const std::string& what) {
            if (damages) damages->push_back(what);
        };
        REQUIRE((*read)->replay(0, (*read)->end(), calls, Bodies::Verify));
        return frames;
    }
};

} // namespace

TEST_CASE("the inventory is what a reader of copies needs, at every moment") {
    Bench bench;
    bench.open();
    CHECK(bench.inventory().files.size() == 1); // its id
    CHECK(bench.inventory().end == 0);
    std::vector<std::string> damages;
    for (std::uint64_t i = 1; i <= 40; ++i) {
        bench.append(1000 + i * 200);
        const auto all = bench.inventory();
        CHECK(all.end == bench.journal->end());
        const auto folder = "/copy" + std::to_string(i);
        bench.copy(all, folder);
        CHECK(bench.frames_in(folder, &damages) == i);
    }
    CHECK(damages.empty());
    CHECK(bench.inventory().files.size() > 4);
}

TEST_CASE("octets in the inventory never change any more, also across a restart") {
    Bench bench;
    bench.open();
    std::vector<std::pair<KeptFile, std::string>> seen;
    for (int i = 0; i < 60; ++i) {
        if (i % 20 == 19) bench.open();
        bench.append(3000);
        if (i % 7 == 0) {
            const auto stream = bench.journal->stream_body();
            REQUIRE(stream);
            REQUIRE((*stream)->write(std::string(100'000, static_cast<char>('a' + i % 26))));
            if (i % 2 == 0) REQUIRE((*stream)->finish()); // else it is dropped, and written over
        }
        for (const auto& file : bench.inventory().files) {
            const auto octets = base::read_file(bench.files, "/j/" + file.name, 1 << 30);
            REQUIRE(octets);
            seen.emplace_back(file, octets->substr(0, file.octets));
        }
    }
    for (const auto& [file, before] : seen) {
        const auto now = base::read_file(bench.files, "/j/" + file.name, 1 << 30);
        REQUIRE(now);
        CHECK(now->substr(0, file.octets) == before);
    }
}

TEST_CASE("a moment is the last frame until then") {
    Bench bench;
    bench.open();
    CHECK(bench.journal->reaches()->empty());
    std::vector<FrameInfo> frames;
    for (int i = 0; i < 50; ++i) frames.push_back(bench.append(4000));
    const auto end = bench.journal->end();
    const auto reaches = *bench.journal->reaches();
    REQUIRE(reaches.size() == 1);
    CHECK(reaches[0].first.written == frames.front().written);
    CHECK_FALSE(reaches[0].last);
    const auto early =
        bench.journal->moment_at(frames.front().written - std::chrono::microseconds{1}, end);
    REQUIRE_FALSE(early);
    CHECK(early.error().kind == ErrorKind::NotFound);
    for (const auto& frame : frames)
        for (const auto later : {0, 1, 999'999}) {
            const auto found =
                bench.journal->moment_at(frame.written + std::chrono::microseconds{later}, end);
            REQUIRE(found);
            CHECK(found->mark.position == frame.end);
            CHECK(found->written == frame.written);
        }
    const auto bounded = bench.journal->moment_at(WallTime::max(), frames[20].end);
    REQUIRE(bounded);
    CHECK(bounded->mark.position == frames[20].end);
}

TEST_CASE("a reader changes nothing, and stops before a torn end") {
    Bench bench;
    bench.open();
    for (int i = 0; i < 10; ++i) bench.append(2000);
    const auto all = bench.inventory();
    bench.copy(all, "/c");
    const auto log = "/c/" + all.files.back().name;
    const auto octets = base::read_file(bench.files, log, 1 << 30);
    REQUIRE(base::replace_file(bench.files, log, octets->substr(0, octets->size() - 3000)));
    CHECK(bench.frames_in("/c") == 9);
    const auto read = Journal::open_to_read(bench.files, "/c", bench.random, bench.clock, Log());
    REQUIRE(read);
    Frame frame;
    frame.add(RecordType::Changes, 0, "x");
    CHECK_FALSE((*read)->append(std::move(frame), Space::Normal));
    CHECK_FALSE((*read)->stream_body());
    CHECK(bench.files.list("/c")->size() == all.files.size());
    const auto none =
        Journal::open_to_read(bench.files, "/nowhere", bench.random, bench.clock, Log());
    REQUIRE_FALSE(none);
    CHECK(none.error().kind == ErrorKind::NotFound);
}

TEST_CASE("what goes on from a copy takes numbers that the original does not come to") {
    Bench bench;
    bench.open();
    for (int i = 0; i < 20; ++i) bench.append(5000);
    bench.copy(bench.inventory(), "/c");
    bench.options.numbers_from = 1'000'000;
    auto original = std::move(bench.journal);
    bench.open("/c");
    for (int i = 0; i < 20; ++i) bench.append(5000);
    const auto names = bench.files.list("/c");
    std::vector<SegmentNumber> numbers;
    for (const auto& name : *names)
        if (const auto parsed = parse_segment_name(name)) numbers.push_back(parsed->number);
    std::ranges::sort(numbers);
    CHECK(numbers.back() > 1'000'000);
    CHECK(std::ranges::count_if(numbers, [](auto n) { return n >= 1'000'000; }) > 1);
    CHECK(bench.frames_in("/c") == 40);
}

TEST_CASE("no file goes while somebody holds them all") {
    Bench bench;
    bench.open();
    SegmentNumber number = 0;
    {
        const auto stream = bench.journal->stream_body();
        REQUIRE(stream);
        REQUIRE((*stream)->write("x"));
        number = (*stream)->finish()->segment;
    }
    {
        const auto all = bench.inventory(); // holds them
        const auto hold = bench.journal->hold_files();
        CHECK_FALSE(bench.journal->drop_segment(number));
    }
    CHECK(bench.journal->drop_segment(number));
}
