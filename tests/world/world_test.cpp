// Several servers exchange mail while everything goes wrong that can: what was answered 250 is
// delivered, returned or queued, and nothing is twice but where nobody could know better.
#include "tests/catch.h"
#include "tests/world/world.h"

#include <cstdlib>
#include <fmt/format.h>

using namespace mailcore;
using world::Setting;
using world::World;

namespace {

const Setting& setting() {
    static const Setting setting;
    return setting;
}

std::uint64_t number_in(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string all_of(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts) out += text + "\n";
    return out;
}

} // namespace

TEST_CASE("mail between servers is neither lost nor doubled, whatever happens") {
    const auto only = number_in("MAILCORE_WORLD_SEED", 0);
    const auto runs = only != 0 ? 1 : number_in("MAILCORE_WORLD_RUNS", 150);
    const auto first = only != 0 ? only : number_in("MAILCORE_WORLD_FIRST", 1);
    world::Outcome sum;
    for (auto seed = first; seed < first + runs; ++seed) {
        World each(setting(), seed);
        const auto outcome = each.run();
        INFO("MAILCORE_WORLD_SEED=" << seed << " runs this again\n" << all_of(outcome.wrong));
        CHECK(outcome.wrong.empty());
        if (only != 0) fmt::print("world {}: trace {:08x}\n", seed, outcome.trace);
        sum.counts.letters += outcome.counts.letters;
        sum.counts.acknowledged += outcome.counts.acknowledged;
        sum.counts.copies += outcome.counts.copies;
        sum.counts.doubles += outcome.counts.doubles;
        sum.counts.bounces += outcome.counts.bounces;
        sum.counts.appends += outcome.counts.appends;
        sum.counts.appended += outcome.counts.appended;
        sum.power_cuts += outcome.power_cuts;
        sum.faults += outcome.faults;
        sum.doubts += outcome.doubts;
        sum.lies += outcome.lies;
        sum.steps += outcome.steps;
        sum.compared += outcome.compared;
    }
    if (std::getenv("MAILCORE_WORLD_RUNS"))
        fmt::print(
            "{} worlds: {} letters, {} recipients acknowledged, {} copies ({} doubled), {} "
            "bounces, {} of {} APPENDs done, {} power cuts, {} other faults, {} handovers in "
            "doubt, {} lies of the DNS, {} views compared, {} steps\n",
            runs, sum.counts.letters, sum.counts.acknowledged, sum.counts.copies,
            sum.counts.doubles, sum.counts.bounces, sum.counts.appended, sum.counts.appends,
            sum.power_cuts, sum.faults, sum.doubts, sum.lies, sum.compared, sum.steps);
}

TEST_CASE("where nothing goes wrong nothing is in doubt and nothing is twice") {
    std::uint64_t appended = 0;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        World each(setting(), seed);
        each.nothing_goes_wrong();
        const auto outcome = each.run();
        INFO("seed " << seed << "\n" << all_of(outcome.wrong));
        CHECK(outcome.wrong.empty());
        CHECK(outcome.doubts == 0);
        CHECK(outcome.counts.doubles == 0);
        CHECK(outcome.counts.acknowledged > 0);
        appended += outcome.counts.appended;
        CHECK(outcome.compared > 0);
    }
    CHECK(appended > 0);
}

TEST_CASE("a seed is one world and no other") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        const auto first = World(setting(), seed).run();
        CHECK(World(setting(), seed).run().trace == first.trace);
        CHECK(World(setting(), seed + 100).run().trace != first.trace);
    }
}

namespace {

/// Breaks something in calm worlds until the invariants see it.
bool is_noticed(const std::function<void(World&)>& break_it, const std::string& complaint,
                bool calm = true) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        World each(setting(), seed);
        if (calm) each.nothing_goes_wrong();
        break_it(each);
        if (all_of(each.run().wrong).find(complaint) != std::string::npos) return true;
    }
    return false;
}

/// Puts `now` where `was` is in what comes to clients, or servers, of a port.
auto in_place_of(bool at_client, std::uint16_t port, std::string was, std::string now) {
    return [=](World& world) {
        world.network().tamper = [=](bool client, std::uint16_t of, std::string& octets) {
            if (client != at_client || of != port) return;
            if (const auto at = octets.find(was); at != std::string::npos)
                octets.replace(at, was.size(), now);
        };
    };
}

} // namespace

TEST_CASE("the world notices") {
    SECTION("that a disk ignores syncs of the log") {
        CHECK(is_noticed(
            [](World& world) {
                for (const auto& host : world.hosts())
                    host->lies_about_sync = [](const std::string& path) {
                        return path.ends_with(".log");
                    };
            },
            "lost: ", false));
    }
    SECTION("that a message is filed twice") {
        CHECK(is_noticed(
            [](World& world) {
                world.before_the_end = [&world] {
                    for (const auto& host : world.hosts())
                        for (const auto& person : host->plan().people) host->deliver_again(person);
                };
            },
            "too often: "));
    }
    SECTION("that a message is altered on its way") {
        CHECK(is_noticed(in_place_of(false, 25, "Subject: letter", "Subject: Letter"),
                         "was altered"));
    }
    SECTION("that a message comes to somebody else") {
        CHECK(is_noticed(in_place_of(false, 25, "RCPT TO:<ann@", "RCPT TO:<ben@"), "is not"));
    }
    SECTION("that a refusal is told as an acceptance") {
        CHECK(is_noticed(in_place_of(true, 587, "550 5.1.1", "250 2.1.5"),
                         "neither bounced nor queued"));
    }
    SECTION("that a session is not told of a message that went") {
        CHECK(is_noticed(in_place_of(true, 143, " EXPUNGE\r\n", " NOTHING\r\n"), "a session of"));
    }
    SECTION("that a session is told of flags that are not there") {
        CHECK(is_noticed(in_place_of(true, 143, "FETCH (FLAGS (", "FETCH (FLAGS (\\Draft "),
                         "a session of"));
    }
    SECTION("that an LMTP server takes what it refuses") {
        CHECK(is_noticed(in_place_of(true, 24, "250 2.0.0 accepted", "450 2.0.0 accepted"),
                         "too often: "));
    }
    SECTION("that an LMTP server refuses what it takes") {
        CHECK(is_noticed(in_place_of(true, 24, "550 5.1.1", "250 2.1.5"),
                         "neither bounced nor queued"));
    }
}

TEST_CASE("the world notices of an APPEND") {
    SECTION("that it is altered") {
        CHECK(is_noticed(in_place_of(false, 143, "Subject: draft", "Subject: Draft"),
                         "is now another message"));
    }
    SECTION("that it is filed elsewhere") {
        CHECK(is_noticed(in_place_of(false, 143, "APPEND Drafts", "APPEND Sent"), "is in Sent"));
    }
    SECTION("that it has other flags") {
        CHECK(is_noticed(in_place_of(false, 143, " (\\Answered) ", " (\\Seen) "), "has the flags"));
    }
    SECTION("that it has another date") {
        CHECK(is_noticed(in_place_of(false, 143, "-Jul-", "-Jun-"), " and not of "));
    }
    SECTION("that it is not there, or not all of it") {
        CHECK(is_noticed(
            [](World& world) {
                for (const auto& host : world.hosts())
                    host->lies_about_sync = [](const std::string& path) {
                        return path.ends_with(".log");
                    };
            },
            "answered OK: is not there", false));
    }
    SECTION("that it is there twice") {
        CHECK(is_noticed(
            [](World& world) {
                world.before_the_end = [&world] {
                    for (const auto& host : world.hosts())
                        for (const auto& person : host->plan().people)
                            host->file_again(person, "Drafts");
                };
            },
            "is there 2 times"));
    }
    SECTION("that it is there and was refused") {
        CHECK(is_noticed(in_place_of(true, 143, "OK [APPENDUID", "NO [OVERQUOTA"),
                         "refused: is there"));
    }
}

TEST_CASE("the world notices of a login") {
    SECTION("that a wrong password is good enough") {
        CHECK(is_noticed(in_place_of(true, 587, "535 5.7.8", "235 2.7.0"), "a wrong password"));
    }
    SECTION("that the right one is not") {
        CHECK(is_noticed(in_place_of(true, 110, "+OK logged in", "-ERR [AUTH] no"),
                         "the right password is denied"));
    }
    SECTION("that the server does not know it (RFC 5802)") {
        // The server's signature, one bit of it.
        CHECK(is_noticed(
            [](World& world) {
                world.network().tamper = [](bool client, std::uint16_t, std::string& octets) {
                    const auto at = octets.find("+ dj");
                    if (client && at != std::string::npos && at + 9 < octets.size())
                        octets[at + 8] = octets[at + 8] == 'A' ? 'B' : 'A';
                };
            },
            "by SCRAM"));
    }
}
