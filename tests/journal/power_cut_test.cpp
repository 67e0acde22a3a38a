// The journal alone under power cuts: what was acknowledged is there, in order, octet for octet.
#include "libmailcore/base/random.h"
#include "libmailcore/journal/journal.h"
#include "tests/catch.h"
#include "tests/sim/disk.h"
#include "tests/sim/virtual_scheduler.h"

#include <cstdlib>
#include <optional>

using namespace mailcore;
using namespace mailcore::journal;

namespace {

/// What was handed to the journal, one entry a record, and how much of it was acknowledged when.
struct Sent {
    std::vector<std::string> records;
    struct Acknowledged {
        std::size_t operation; // of the disk, when it was
        std::size_t records;
    };
    std::vector<Acknowledged> acknowledged;

    [[nodiscard]] std::size_t at_least(std::size_t operation) const {
        std::size_t count = 0;
        for (const auto& each : acknowledged)
            if (each.operation <= operation) count = each.records;
        return count;
    }
};

struct Opened {
    std::unique_ptr<Journal> journal;
    std::vector<std::string> records; // bodies read back and compared by their content
    std::vector<std::string> damages;
};

Options small_options(base::Random& random) {
    Options options;
    options.segment_octets = 16'384 << random.below(4);
    options.body_segment_octets = 300'000;
    options.pool_octets = random.below(2) * 32'768;
    options.fill_octets = random.below(2) * 16'384;
    options.reserve_octets = 32'768;
    return options;
}

Opened open(base::FileSystem& files, const Options& options, base::Random& random,
            const base::Clock& clock) {
    Opened opened;
    struct Found {
        std::size_t record;
        BodyRecord body;
    };
    std::vector<Found> bodies;
    Replay calls;
    calls.record = [&](const FrameInfo& frame, const Record& record) -> Result<void> {
        if (record.header.type == RecordType::Body) {
            MAILCORE_TRY(auto body, decode_body_record(record.content));
            body.place = frame.place(body);
            bodies.push_back({opened.records.size(), body});
            opened.records.emplace_back();
        } else if (record.header.type == RecordType::Changes) {
            opened.records.emplace_back(record.content);
        }
        return {};
    };
    calls.damage = [&](const std::string& what) { opened.damages.push_back(what); };
    auto journal = Journal::open(files, "/j", options, random, clock, Log(), {}, calls);
    if (!journal) {
        opened.damages.push_back("it cannot be opened: " + journal.error().detail);
        return opened;
    }
    opened.journal = std::move(*journal);
    for (const auto& [at, body] : bodies) {
        const auto file = opened.journal->segment_file(body.place.segment);
        if (!file) {
            opened.damages.push_back(file.error().detail);
            continue;
        }
        std::string octets;
        while (octets.size() < body.place.size) {
            const auto part = read_body(**file, body.place, opened.journal->chunks(), octets.size(),
                                        200'000, ReadFrom::Disk);
            if (!part) {
                opened.damages.push_back(part.error().detail);
                break;
            }
            octets += **part;
        }
        opened.records[at] = std::move(octets);
    }
    return opened;
}

/// Appends frames of every shape.
void work(sim::Disk& disk, Journal& journal, base::Random& random, Sent& sent, int frames) {
    for (int i = 0; i < frames; ++i) {
        Frame frame;
        std::vector<std::string> chunks; // viewed by the frame
        chunks.reserve(8);
        for (auto records = 1 + random.below(3); records > 0; --records) {
            const auto way = random.below(10);
            if (way < 6) {
                sent.records.push_back("record " + std::to_string(sent.records.size()) +
                                       random.hex(random.below(400)));
                frame.add(RecordType::Changes, 1, sent.records.back());
            } else if (way < 9 || sent.records.size() % 7 != 0) {
                sent.records.push_back("body " + std::to_string(sent.records.size()) +
                                       random.hex(random.below(5000)));
                chunks.push_back(journal.chunks().encode(sent.records.back(), false));
                BodyRecord body;
                body.place.size = sent.records.back().size();
                frame.add_body(body, chunks.back());
            } else {
                sent.records.push_back(random.hex(66'000 + random.below(100'000)));
                auto stream = journal.stream_body();
                REQUIRE(stream);
                const std::string_view octets = sent.records.back();
                for (std::size_t at = 0; at < octets.size(); at += chunk_octets)
                    REQUIRE((*stream)->write(octets.substr(at, chunk_octets)));
                const auto place = (*stream)->finish();
                REQUIRE(place);
                BodyRecord body;
                body.place = *place;
                frame.add_body(body);
            }
        }
        REQUIRE(journal.append(std::move(frame), Space::Normal));
        sent.acknowledged.push_back({disk.operations(), sent.records.size()});
        if (random.below(6) == 0)
            while (journal.idle()) {
            }
    }
    if (random.below(2) == 0) journal.close();
}

std::optional<std::string> compare(const Opened& opened, const Sent& sent, std::size_t operation) {
    if (!opened.damages.empty()) return opened.damages.front();
    if (opened.records.size() < sent.at_least(operation))
        return "lost: " + std::to_string(opened.records.size()) + " of " +
               std::to_string(sent.at_least(operation));
    if (opened.records.size() > sent.records.size()) return "more than was sent";
    for (std::size_t i = 0; i < opened.records.size(); ++i)
        if (opened.records[i] != sent.records[i]) return "record " + std::to_string(i) + " differs";
    return std::nullopt;
}

/// Cuts the power of one run many times; some of what is left works on and is cut again. The first
/// thing that is wrong, if anything is.
std::optional<std::string> cut_many_times(std::uint64_t seed, int cuts,
                                          const std::function<bool(const std::string&)>& lies) {
    const sim::VirtualScheduler clock;
    base::SeededRandom random(seed);
    const auto options = small_options(random);
    sim::DiskImage beginning;
    beginning.folders = {"/"};
    sim::Disk disk(beginning);
    disk.lies_about_sync = lies;
    Sent sent;
    {
        auto opened = open(disk, options, random, clock);
        REQUIRE(opened.journal);
        work(disk, *opened.journal, random, sent, 12);
    }
    std::vector<std::size_t> moments;
    for (int i = 0; i < cuts; ++i) moments.push_back(random.below(disk.operations() + 1));
    std::ranges::sort(moments);
    sim::PowerCut power(disk);
    for (const auto moment : moments) {
        const auto where =
            "seed " + std::to_string(seed) + ", cut at " + std::to_string(moment) + ": ";
        sim::Disk after(power.at(moment, random));
        auto opened = open(after, options, random, clock);
        if (const auto wrong = compare(opened, sent, moment)) return where + *wrong;
        if (random.below(8) != 0) continue;
        // It goes on: what was found now is served, so it is acknowledged.
        Sent more;
        more.records = opened.records;
        more.acknowledged.push_back({after.operations(), more.records.size()});
        work(after, *opened.journal, random, more, 3);
        opened.journal.reset();
        sim::PowerCut second(after);
        const auto first_moment = more.acknowledged.front().operation;
        const auto second_moment =
            first_moment + random.below(after.operations() - first_moment + 1);
        sim::Disk last(second.at(second_moment, random));
        const auto again = open(last, options, random, clock);
        if (const auto wrong = compare(again, more, second_moment))
            return where + "again at " + std::to_string(second_moment) + ": " + *wrong;
    }
    return std::nullopt;
}

} // namespace

TEST_CASE("the journal loses nothing acknowledged, wherever the power is cut") {
    for (std::uint64_t seed = 1; seed <= 60 * sim::power_cut_scale(); ++seed) {
        const auto wrong = cut_many_times(seed, 50, {});
        INFO(wrong.value_or(""));
        REQUIRE_FALSE(wrong);
    }
}

TEST_CASE("the test of the journal notices when a sync is left out") {
    const auto caught = [](const std::function<bool(const std::string&)>& lies) {
        for (std::uint64_t seed = 1; seed <= 40; ++seed)
            if (cut_many_times(seed, 50, lies)) return true;
        return false;
    };
    SECTION("of the log") {
        CHECK(caught([](const std::string& path) { return path.ends_with(".log"); }));
    }
    SECTION("of the log, once in five") {
        CHECK(caught([count = 0](const std::string& path) mutable {
            return path.ends_with(".log") && ++count % 5 == 0;
        }));
    }
    SECTION("of large bodies") {
        CHECK(caught([](const std::string& path) { return path.ends_with(".bodies"); }));
    }
    SECTION("of the folder") {
        CHECK(caught([](const std::string& path) { return path == "/j"; }));
    }
}
