#include "libmailcore/journal/snapshot.h"

#include "libmailcore/base/random.h"
#include "libmailcore/journal/journal.h"
#include "tests/catch.h"

#include <utility>

using namespace mailcore;
using namespace mailcore::journal;

namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

Rows many_rows(int count) {
    Rows rows;
    for (int i = 0; i < count; ++i)
        rows.emplace_back("key " + std::to_string(100'000 + i),
                          std::string(static_cast<std::size_t>(i % 700), 'v'));
    return rows;
}

/// A journal in memory with some frames.
struct Bench {
    base::MemoryFileSystem files;
    base::SystemClock clock;
    base::SeededRandom random{1};
    Options options;
    std::unique_ptr<Journal> journal;
    std::vector<std::string> damages, replayed;
    Mark mark;

    Bench() {
        options.pool_octets = options.fill_octets = options.reserve_octets = 0;
        options.segment_octets = 16 * 1024;
        REQUIRE(open({}));
    }
    Result<void> open(const Mark& from) {
        journal.reset();
        damages.clear();
        replayed.clear();
        Replay calls;
        calls.record = [this](const FrameInfo&, const Record& record) -> Result<void> {
            if (record.header.type == RecordType::Changes) replayed.emplace_back(record.content);
            return {};
        };
        calls.frame_end = [this](const FrameInfo& frame) -> Result<void> {
            mark = frame.mark();
            return {};
        };
        calls.damage = [this](const std::string& what) { damages.push_back(what); };
        MAILCORE_TRY(journal,
                     Journal::open(files, "/j", options, random, clock, Log(), from, calls));
        return {};
    }
    void append(std::string_view content) {
        Frame frame;
        frame.add(RecordType::Changes, 0, content);
        const auto info = journal->append(std::move(frame), Space::Normal);
        REQUIRE(info);
        mark = info->mark();
    }
    Snapshot write(const Rows& rows, SnapshotEnd end = {}) {
        auto writer = journal->new_snapshot();
        REQUIRE(writer);
        for (const auto& [key, value] : rows) REQUIRE((*writer)->put(key, value));
        auto finished = journal->finish_snapshot(**writer, std::move(end));
        REQUIRE(finished);
        return *finished;
    }
    std::pair<bool, Rows> read(const Snapshot& snapshot) {
        Rows rows;
        const auto whole = read_snapshot(
            files, "/j", journal->store_id(), snapshot,
            [&rows](std::string_view key, std::string_view value) -> Result<void> {
                rows.emplace_back(key, value);
                return {};
            },
            [this](const std::string& what) { damages.push_back(what); });
        REQUIRE(whole);
        return {*whole, std::move(rows)};
    }
    std::string path(const Snapshot& snapshot) {
        return "/j/" + segment_name(SegmentKind::Snapshot, snapshot.number, 0);
    }
    void damage(const std::string& name, std::uint64_t at) {
        const auto file = files.open(name, OpenMode::Write);
        REQUIRE(file);
        const std::string_view noise = "noise";
        REQUIRE((*file)->write_at(at, std::span(&noise, 1)));
    }
    std::size_t log_segments() {
        std::size_t count = 0;
        const auto names = *files.list("/j");
        for (const auto& name : names) count += name.ends_with(".log") ? 1U : 0U;
        return count;
    }
};

} // namespace

TEST_CASE("a snapshot gives back its rows, and what it says of itself, also after a restart") {
    Bench bench;
    bench.append("a");
    SnapshotEnd end;
    end.from = bench.mark;
    end.to = {bench.mark.position + 4096, 7, 8};
    end.began = bench.clock.wall_now();
    end.ended = end.began + std::chrono::seconds{3};
    end.bodies = {{3, 1000}, {std::uint64_t{1} << 40, 5}};
    end.named = {2, 9};
    for (const int count : {0, 1, 5000}) {
        INFO(count << " rows");
        const auto rows = many_rows(count);
        const auto made = bench.write(rows, end);
        CHECK(made.end.rows == rows.size());
        CHECK(bench.read(made) == std::pair{true, rows});
        REQUIRE(bench.open({}));
        const auto known = bench.journal->snapshots();
        REQUIRE_FALSE(known.empty());
        CHECK(known.back().number == made.number);
        CHECK(known.back().octets == made.octets);
        CHECK(known.back().end == made.end);
        CHECK(bench.read(known.back()) == std::pair{true, rows});
    }
    CHECK(bench.damages.empty());
    CHECK(bench.journal->snapshots().size() == 3);
}

TEST_CASE("a snapshot that was not finished counts for nothing and its file goes") {
    Bench bench;
    bench.append("a");
    {
        auto writer = bench.journal->new_snapshot();
        REQUIRE(writer);
        for (const auto& [key, value] : many_rows(5000)) REQUIRE((*writer)->put(key, value));
        CHECK(bench.journal->snapshots().empty());
        // As if the process had ended here.
        const auto name = "/j/" + segment_name(SegmentKind::Snapshot, (*writer)->number(), 0);
        const auto content = base::read_file(bench.files, name, 1 << 30);
        REQUIRE(content);
        writer->reset();
        CHECK_FALSE(*bench.files.exists(name));
        REQUIRE(base::replace_file(bench.files, name, *content));
    }
    REQUIRE(bench.open({}));
    CHECK(bench.journal->snapshots().empty());
    bench.append("b");
    static_cast<void>(bench.journal->idle());
    const auto names = *bench.files.list("/j");
    for (const auto& name : names) CHECK_FALSE(name.ends_with(".snapshot"));
}

TEST_CASE("damage in a snapshot is named, and the rest of its rows is read") {
    Bench bench;
    bench.append("a");
    const auto rows = many_rows(9000); // several frames
    const auto made = bench.write(rows);
    SECTION("in its rows") {
        bench.damage(bench.path(made), segment_header_octets + 500'000);
        const auto [whole, found] = bench.read(made);
        CHECK_FALSE(whole);
        CHECK_FALSE(bench.damages.empty());
        CHECK(found.size() > rows.size() / 3);
        CHECK(found.size() < rows.size());
    }
    SECTION("in the header of a frame") {
        bench.damage(bench.path(made), segment_header_octets + 8);
        const auto [whole, found] = bench.read(made);
        CHECK_FALSE(whole);
        CHECK(found.size() > rows.size() / 3);
    }
    SECTION("in its own header it is none") {
        bench.damage(bench.path(made), 100);
        REQUIRE(bench.open({}));
        CHECK(bench.journal->snapshots().empty());
    }
    SECTION("in its last frame it is none") {
        bench.damage(bench.path(made), made.octets - 4096 + 100);
        REQUIRE(bench.open({}));
        CHECK(bench.journal->snapshots().empty());
    }
}

TEST_CASE("the end of a snapshot is read back as it was written, and no other octets are") {
    SnapshotEnd end;
    end.from = {1, 2, 3};
    end.to = {4, 5, 6};
    end.rows = 7;
    end.bodies = {{8, 9}};
    end.named = {10};
    const auto content = encode(end);
    const auto again = decode_snapshot_end(content);
    REQUIRE(again);
    CHECK(*again == end);
    for (std::size_t i = 0; i < content.size(); ++i)
        CHECK_FALSE(decode_snapshot_end(std::string_view(content).substr(0, i)));
    CHECK_FALSE(decode_snapshot_end(content + "x"));
    std::swap(end.from, end.to);
    CHECK_FALSE(decode_snapshot_end(encode(end)));
}

TEST_CASE("a log whose beginning is gone is opened from where it goes on") {
    Bench bench;
    std::vector<Mark> marks;
    std::vector<SegmentNumber> at; // the log's segments when the mark was made
    for (int i = 0; i < 30; ++i) {
        bench.append("frame " + std::to_string(i));
        marks.push_back(bench.mark);
        at.push_back(bench.log_segments());
    }
    bench.journal->close(); // so that each of them is known to be on disk
    const auto names = *bench.files.list("/j");
    std::vector<std::string> logs;
    for (const auto& name : names)
        if (name.ends_with(".log")) logs.push_back(name);
    REQUIRE(logs.size() >= 8);
    for (std::size_t i = 10; i < marks.size(); ++i) {
        INFO("from behind frame " << i);
        REQUIRE(bench.open(marks[i]));
        CHECK(bench.damages.empty());
        CHECK(bench.replayed.size() == marks.size() - 1 - i);
    }
    // All that lies before the segment in which the mark is; once with one of the older ones left.
    const bool gap = GENERATE(false, true);
    const std::size_t from = 20;
    for (std::size_t i = gap ? 1 : 0; i + 1 < at[from]; ++i)
        REQUIRE(bench.files.remove("/j/" + logs[i]));
    REQUIRE(bench.open(marks[from]));
    CHECK(bench.damages.empty());
    CHECK(bench.replayed.size() == marks.size() - 1 - from);
    bench.append("goes on");
    REQUIRE(bench.open(marks[from]));
    CHECK(bench.damages.empty());
    CHECK(bench.replayed.back() == "goes on");
    // Where a mark stands at the end of its segment, that one may be gone too.
    std::size_t last = from;
    while (at[last + 1] == at[last]) ++last;
    REQUIRE(bench.files.remove("/j/" + logs[at[last] - 1]));
    REQUIRE(bench.open(marks[last]));
    CHECK(bench.damages.empty());
    CHECK(bench.replayed.front() == "frame " + std::to_string(last + 1));
    // What is missing behind the mark is damage.
    REQUIRE(bench.open(marks[from]));
    CHECK((at[from] == at[last] && last > from) == !bench.damages.empty());
    REQUIRE(bench.open({}));
    CHECK_FALSE(bench.damages.empty());
}

TEST_CASE("nothing is removed while somebody holds the files") {
    Bench bench;
    bench.append("a");
    const auto made = bench.write(many_rows(3));
    auto first = bench.journal->hold_files();
    auto second = bench.journal->hold_files();
    first.reset();
    CHECK_FALSE(*bench.journal->drop_snapshot(made.number));
    CHECK(bench.journal->snapshots().size() == 1);
    second.reset();
    CHECK(*bench.journal->drop_snapshot(made.number));
    CHECK(bench.journal->snapshots().empty());
    CHECK_FALSE(*bench.files.exists(bench.path(made)));
}
