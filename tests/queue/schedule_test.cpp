#include "libmailcore/queue/schedule.h"

#include "libmailcore/queue/retry.h"

#include "tests/catch.h"

#include <algorithm>
#include <map>

using namespace mailcore;
using namespace std::chrono_literals;
using queue::Due;
using queue::QueueId;
using queue::Schedule;

namespace {

const WallTime noon = base::wall_time(1'700'000'000);

Due due(std::uint64_t id, std::uint32_t index = 0, WallTime at = noon) {
    return Due{at, QueueId{id}, index};
}

} // namespace

TEST_CASE("nothing begins before it is due") {
    Schedule schedule({});
    CHECK_FALSE(schedule.next(noon));
    CHECK_FALSE(schedule.next_time(noon));
    schedule.add(due(1, 0, noon + 10s), "a.example", "jo");
    CHECK_FALSE(schedule.next(noon + 9s));
    CHECK(schedule.next_time(noon) == noon + 10s);
    const auto begin = schedule.next(noon + 10s);
    REQUIRE(begin);
    CHECK(begin->destination == "a.example");
    CHECK(begin->job.id == QueueId{1});
    CHECK_FALSE(schedule.next(noon + 10s));
}

TEST_CASE("recipients of one message for one destination make one job, within bounds") {
    queue::ScheduleLimits limits;
    limits.recipients_per_job_max = 3;
    Schedule schedule(limits);
    for (std::uint32_t i = 0; i < 5; ++i) schedule.add(due(1, i), "a.example", "jo");
    schedule.add(due(1, 5), "b.example", "jo");
    const auto first = schedule.next(noon);
    REQUIRE(first);
    CHECK(first->job.indexes == std::vector<std::uint32_t>{0, 1, 2});
    const auto second = schedule.next_for("a.example", noon);
    REQUIRE(second);
    CHECK(second->indexes == std::vector<std::uint32_t>{3, 4});
    CHECK_FALSE(schedule.next_for("a.example", noon));
    CHECK(schedule.next(noon)->destination == "b.example");
}

TEST_CASE("a destination gets so many connections and no more") {
    queue::ScheduleLimits limits;
    limits.destination_connections_max = 2;
    limits.connections_max = 3;
    Schedule schedule(limits);
    for (std::uint64_t id = 1; id <= 5; ++id) schedule.add(due(id), "a.example", "jo");
    for (std::uint64_t id = 6; id <= 9; ++id) schedule.add(due(id), "b.example", "jo");
    std::map<std::string, int> begun;
    while (const auto begin = schedule.next(noon)) ++begun[begin->destination];
    CHECK(begun["a.example"] + begun["b.example"] == 3);
    CHECK(begun["a.example"] >= 1);
    CHECK(begun["b.example"] >= 1);
    CHECK_FALSE(schedule.next_time(noon));
    schedule.connection_closed("a.example", true, noon);
    CHECK(schedule.next(noon));
}

TEST_CASE("an unreachable destination is left alone, longer each time, and then tried by one") {
    queue::ScheduleLimits limits;
    limits.backoff_first = 60s;
    limits.backoff_max = 200s;
    Schedule schedule(limits);
    for (std::uint64_t id = 1; id <= 10; ++id) schedule.add(due(id), "a.example", "jo");
    auto now = noon;
    for (const auto wait : {60s, 120s, 200s, 200s}) {
        const auto begin = schedule.next(now);
        REQUIRE(begin);
        if (now != noon) CHECK_FALSE(schedule.next(now)); // one finds out for all
        schedule.done(begin->job);
        schedule.add(Due{now + 1h, begin->job.id, 0}, "a.example", "jo");
        schedule.connection_closed("a.example", false, now);
        CHECK_FALSE(schedule.next(now + wait - 1s));
        CHECK(schedule.next_time(now) == now + wait);
        now += wait;
    }
    const auto begin = schedule.next(now);
    REQUIRE(begin);
    schedule.done(begin->job);
    schedule.connection_closed("a.example", true, now);
    CHECK(schedule.next(now));
    CHECK(schedule.next(now));
}

TEST_CASE("a clock that is set back keeps nothing waiting for a time that was not true") {
    queue::ScheduleLimits limits;
    limits.backoff_first = 60s;
    limits.backoff_max = 200s;
    Schedule schedule(limits);
    const auto wrong = noon + 24h * 365;
    schedule.add(due(1, 0, wrong), "down.example", "jo");
    const auto begin = schedule.next(wrong);
    REQUIRE(begin);
    schedule.add(due(2, 0, wrong + 3h), "a.example", "jo");
    schedule.add(due(3, 0, noon + 1h), "b.example", "jo");
    schedule.done(begin->job);
    schedule.add(due(1, 0, wrong + 1min), "down.example", "jo");
    schedule.connection_closed("down.example", false, wrong);

    schedule.clock_set_back(noon, 5h);
    CHECK(schedule.next(noon)->destination == "a.example");
    CHECK_FALSE(schedule.next(noon)); // down is backed off, b's time is to come
    CHECK(schedule.next_time(noon) == noon + 200s);
    CHECK(schedule.next(noon + 200s)->destination == "down.example");
    CHECK_FALSE(schedule.next(noon + 1h - 1s));
    CHECK(schedule.next(noon + 1h)->destination == "b.example");
    CHECK(schedule.waiting() == 3);
    for (std::uint64_t id : {1, 2, 3}) schedule.done({QueueId{id}, {0}});
    CHECK(schedule.waiting() == 0);
}

TEST_CASE("a clock that is set forward makes due what was to wait, and loses nothing") {
    Schedule schedule({});
    for (std::uint64_t id = 1; id <= 3; ++id)
        schedule.add(due(id, 0, noon + 1h * id), "a.example", "jo");
    for (int i = 0; i < 3; ++i) CHECK(schedule.next(noon + 24h * 3650));
    CHECK_FALSE(schedule.next(noon + 24h * 3650));
}

TEST_CASE("a sender with a thousand messages does not keep one with a single message waiting") {
    queue::ScheduleLimits limits;
    limits.destination_connections_max = 1;
    Schedule schedule(limits);
    for (std::uint64_t id = 1; id <= 1000; ++id) schedule.add(due(id), "a.example", "list");
    schedule.add(due(2000), "a.example", "jo");
    auto begin = schedule.next(noon);
    REQUIRE(begin);
    // The thousand are looked at in bounded steps; put jo's among the first for the same due time.
    Schedule fair(limits);
    for (std::uint64_t id = 10; id <= 300; ++id) fair.add(due(id), "a.example", "list");
    fair.add(due(301), "a.example", "jo");
    begin = fair.next(noon);
    REQUIRE(begin);
    std::vector<std::uint64_t> order{begin->job.id.value};
    for (int i = 0; i < 3; ++i) order.push_back(fair.next_for("a.example", noon)->id.value);
    CHECK(std::ranges::find(order, 301u) != order.end());
}

TEST_CASE("what is forgotten or changed is not tried as before") {
    Schedule schedule({});
    schedule.add(due(1), "a.example", "jo");
    schedule.forget(QueueId{1}, 0);
    CHECK_FALSE(schedule.next(noon));
    CHECK(schedule.waiting() == 0);
    schedule.add(due(1), "a.example", "jo");
    schedule.add(due(1, 0, noon + 1h), "b.example", "jo");
    CHECK_FALSE(schedule.next(noon));
    const auto begin = schedule.next(noon + 1h);
    REQUIRE(begin);
    CHECK(begin->destination == "b.example");
    schedule.forget(QueueId{1}, 0); // under way: left alone
    schedule.done(begin->job);
}

TEST_CASE("waits grow as scheduled and differ by at most an eighth") {
    base::SeededRandom random(1);
    const queue::RetrySchedule schedule;
    for (std::uint32_t attempts = 1; attempts < 12; ++attempts) {
        const auto base =
            schedule.waits[std::min<std::size_t>(attempts - 1, schedule.waits.size() - 1)];
        const auto wait = schedule.wait_after(attempts, random);
        CHECK(wait >= base);
        CHECK(wait <= base + base / 8);
    }
}
