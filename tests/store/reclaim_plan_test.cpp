#include "libmailcore/store/detail/reclaim_plan.h"

#include "tests/catch.h"

#include <map>

using namespace mailcore;
using namespace mailcore::store::detail;
using journal::SegmentFacts;
using journal::SegmentKind;
using std::chrono::hours;

namespace {

using Numbers = std::vector<journal::SegmentNumber>;

WallTime at(int hour) { return WallTime{hours{24 * 365 * 50 + hour}}; }

SegmentFacts log(journal::SegmentNumber number, journal::Position end, int made) {
    return {number, SegmentKind::Log, 1000, end, at(made)};
}
SegmentFacts bodies(journal::SegmentNumber number, std::uint64_t octets, int made) {
    return {number, SegmentKind::Bodies, octets, 0, at(made)};
}
journal::Snapshot snapshot(journal::SegmentNumber number, journal::Position from, int ended,
                           std::map<journal::SegmentNumber, std::uint64_t> rows = {},
                           std::set<journal::SegmentNumber> named = {}) {
    journal::Snapshot made;
    made.number = number;
    made.end.from.position = from;
    made.end.to.position = from + 10;
    made.end.ended = at(ended);
    made.end.bodies = std::move(rows);
    made.end.named = std::move(named);
    return made;
}

Holdings holdings(std::vector<SegmentFacts> segments, std::vector<journal::Snapshot> snapshots,
                  std::map<journal::SegmentNumber, std::uint64_t> live = {},
                  std::set<journal::SegmentNumber> named = {},
                  journal::Position applied = 100'000) {
    Holdings there;
    there.segments = std::move(segments);
    there.snapshots = std::move(snapshots);
    there.applied = applied;
    there.live = [live = std::move(live)](journal::SegmentNumber number) {
        const auto found = live.find(number);
        return found == live.end() ? std::uint64_t{0} : found->second;
    };
    there.named = std::move(named);
    return there;
}

} // namespace

TEST_CASE("a segment goes when nothing that is kept needs it") {
    const std::vector<SegmentFacts> three{log(1, 1000, 0), log(2, 2000, 1), log(3, 3000, 2)};
    struct Case {
        const char* name;
        Holdings holdings;
        int now, horizon; // hours
        Numbers segments, snapshots;
    };
    const Case cases[] = {
        {"without a snapshot the log stays", holdings(three, {}), 1000, 10, {}, {}},
        {"also when no past is kept", holdings(three, {}), 1000, 0, {}, {}},
        {"the log before the newest snapshot goes when no past is kept",
         holdings(three, {snapshot(9, 2000, 50)}),
         50,
         0,
         {1, 2},
         {}},
        {"but not what the snapshot has to be followed by",
         holdings(three, {snapshot(9, 1999, 50)}),
         50,
         0,
         {1},
         {}},
        {"nor what the index has not taken yet",
         holdings(three, {snapshot(9, 2000, 50)}, {}, {}, 1999),
         50,
         0,
         {1},
         {}},
        {"nor the last segment of the log",
         holdings(three, {snapshot(9, 5000, 50)}),
         50,
         0,
         {1, 2},
         {}},
        {"nor what holds a body that is needed",
         holdings(three, {snapshot(9, 2000, 50)}, {{1, 5}}),
         50,
         0,
         {2},
         {}},
        {"a snapshot counts for the past when it is old enough",
         holdings(three, {snapshot(9, 2000, 50)}),
         60,
         10,
         {1, 2},
         {}},
        {"and not an hour earlier", holdings(three, {snapshot(9, 2000, 50)}), 59, 10, {}, {}},
        {"older snapshots go, younger ones stay",
         holdings(three, {snapshot(7, 500, 10), snapshot(8, 1000, 20), snapshot(9, 2000, 50)}),
         55,
         10,
         {1},
         {7}},
        {"when no past is kept only the newest stays",
         holdings(three, {snapshot(7, 500, 10), snapshot(8, 1000, 20), snapshot(9, 2000, 50)}),
         55,
         0,
         {1, 2},
         {7, 8}},
        {"the kept snapshot's rows hold a segment",
         holdings(three, {snapshot(9, 2000, 50, {{1, 7}})}),
         100,
         10,
         {2},
         {}},
        {"but not when no past is kept",
         holdings(three, {snapshot(9, 2000, 50, {{1, 7}})}),
         100,
         0,
         {1, 2},
         {}},
        {"a younger snapshot's rows hold one too",
         holdings(three, {snapshot(8, 2000, 20), snapshot(9, 2500, 95, {{2, 7}})}),
         100,
         10,
         {1},
         {}},
        {"what the log named between them holds one",
         holdings(three, {snapshot(8, 2000, 20), snapshot(9, 2500, 95, {}, {2})}),
         100,
         10,
         {1},
         {}},
        {"what it named before the kept one does not",
         holdings(three, {snapshot(8, 2000, 20, {}, {2}), snapshot(9, 2500, 95)}),
         100,
         10,
         {1, 2},
         {}},
        {"what it has named since the newest holds one",
         holdings(three, {snapshot(9, 2000, 20)}, {}, {1}),
         100,
         10,
         {2},
         {}},
        {"a segment of bodies goes by the same rule",
         holdings({log(3, 3000, 2), bodies(4, 900, 0), bodies(5, 900, 0), bodies(6, 900, 0)},
                  {snapshot(9, 3000, 20)}, {{4, 1}}, {5}),
         100,
         10,
         {6},
         {}},
        {"and at once when no past is kept",
         holdings({log(3, 3000, 2), bodies(4, 900, 0)}, {}),
         100,
         0,
         {4},
         {}},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto found = dispensable(c.holdings, at(c.now), hours{c.horizon});
        CHECK(found.segments == c.segments);
        CHECK(found.snapshots == c.snapshots);
    }
}

TEST_CASE("a segment is emptied when it is mostly dead, or old and partly so") {
    struct Case {
        const char* name;
        Holdings holdings;
        int now, age;
        bool all;
        Numbers expected;
    };
    const auto with_log = [](std::vector<SegmentFacts> more) {
        more.insert(more.begin(), {log(1, 1000, 0), log(2, 2000, 0)});
        return more;
    };
    const Case cases[] = {
        {"less than half of it is needed",
         holdings(with_log({bodies(3, 100'000, 0)}), {}, {{3, 49'999}}),
         1,
         100,
         false,
         {3}},
        {"half of it is needed",
         holdings(with_log({bodies(3, 100'000, 0)}), {}, {{3, 50'000}}),
         1,
         100,
         false,
         {}},
        {"it is old and holds something dead",
         holdings(with_log({bodies(3, 100'000, 0)}), {}, {{3, 90'000}}),
         100,
         100,
         false,
         {3}},
        {"it is not quite as old",
         holdings(with_log({bodies(3, 100'000, 0)}), {}, {{3, 90'000}}),
         99,
         100,
         false,
         {}},
        {"it is old and all of it is needed",
         holdings(with_log({bodies(3, 100'000, 0)}), {}, {{3, 100'000 - 4096}}),
         1000,
         100,
         false,
         {}},
        {"nothing of it is needed: it goes by itself",
         holdings(with_log({bodies(3, 100'000, 0)}), {}, {}),
         1000,
         100,
         false,
         {}},
        {"a segment of the log that is old is emptied whatever it holds",
         holdings(with_log({}), {}, {{1, 999}}),
         100,
         100,
         false,
         {1}},
        {"the last of the log is not", holdings(with_log({}), {}, {{2, 1}}), 1000, 100, true, {}},
        {"a mostly dead one of the log waits for the snapshot that makes it useless",
         holdings(with_log({}), {snapshot(9, 999, 0)}, {{1, 1}}),
         1,
         100,
         false,
         {}},
        {"and goes behind it",
         holdings(with_log({}), {snapshot(9, 1000, 0)}, {{1, 1}}),
         1,
         100,
         false,
         {1}},
        {"all that hold anything dead",
         holdings(with_log({bodies(3, 100'000, 0), bodies(4, 5096, 0)}), {},
                  {{1, 999}, {3, 90'000}, {4, 1000}}),
         0,
         100,
         true,
         {1, 3}},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(worth_emptying(c.holdings, {at(c.now), hours{c.age}, c.all}) == c.expected);
    }
}
