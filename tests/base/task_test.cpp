#include "libmailcore/base/task.h"

#include "tests/catch.h"
#include "tests/sim/virtual_scheduler.h"

#include <chrono>
#include <string>

using namespace mailcore;
using namespace std::chrono_literals;

namespace {

Task<int> immediately(int value) { co_return value; }

Task<int> after(base::Instant at, int value) {
    co_await base::sleep_until(at);
    co_return value;
}

Task<void> record(Task<int> work, std::string& log) {
    const int value = co_await std::move(work);
    log += std::to_string(value) + ";";
}

Task<int> sum_of_many(int count) {
    int sum = 0;
    for (int i = 0; i < count; ++i) {
        const int value = co_await immediately(1);
        sum += value;
    }
    co_return sum;
}

struct Mark {
    std::string& log;
    explicit Mark(std::string& l) : log(l) {}
    ~Mark() { log += "destroyed;"; }
};

Task<void> hold(base::Instant until, std::string& log) {
    const Mark mark(log);
    co_await base::sleep_until(until);
    log += "woke;";
}

Task<void> race(base::Instant work_at, base::Instant deadline, std::string& log) {
    const auto value = co_await base::with_deadline(after(work_at, 7), deadline);
    log += value ? std::to_string(*value) : std::string("late");
}

Task<void> throws() {
    co_await base::sleep_until(base::Instant{});
    throw std::runtime_error("x");
}

Task<void> cancels_its_own_scope(Scope& scope, base::Instant at, std::string& log) {
    const Mark mark(log);
    scope.cancel();
    log += "still here;";
    co_await base::sleep_until(at);
    log += "never;";
}

} // namespace

TEST_CASE("a task without waits ends inside spawn") {
    sim::VirtualScheduler scheduler;
    std::string log;
    Scope scope(scheduler);
    scope.spawn(record(immediately(3), log));
    CHECK(log == "3;");
    CHECK(scope.empty());
}

TEST_CASE("a late child resumes its parent") {
    sim::VirtualScheduler scheduler;
    std::string log;
    Scope scope(scheduler);
    bool emptied = false;
    scope.when_empty([&] { emptied = true; });
    scope.spawn(record(after(scheduler.now() + 5s, 4), log));
    CHECK(log.empty());
    scheduler.run_until(scheduler.now() + 4s);
    CHECK(log.empty());
    scheduler.run_until(scheduler.now() + 1s);
    CHECK(log == "4;");
    CHECK(emptied);
}

TEST_CASE("a million ready children do not grow the stack") {
    sim::VirtualScheduler scheduler;
    std::string log;
    Scope scope(scheduler);
    scope.spawn(record(sum_of_many(1'000'000), log));
    CHECK(log == "1000000;");
}

TEST_CASE("cancelling destroys the frames and forgets the timer") {
    sim::VirtualScheduler scheduler;
    std::string log;
    {
        Scope scope(scheduler);
        scope.spawn(hold(scheduler.now() + 1h, log));
        CHECK(scheduler.timers() == 1);
    }
    CHECK(log == "destroyed;");
    CHECK(scheduler.timers() == 0);
}

TEST_CASE("a task that cancels its own scope ends at its next wait") {
    sim::VirtualScheduler scheduler;
    std::string log;
    Scope scope(scheduler);
    scope.spawn(cancels_its_own_scope(scope, scheduler.now() + 1s, log));
    CHECK(log == "still here;destroyed;");
    CHECK(scope.empty());
    scheduler.run_until(scheduler.now() + 2s);
    CHECK(log == "still here;destroyed;");
}

TEST_CASE("a deadline cancels what is late and lets through what is not") {
    sim::VirtualScheduler scheduler;
    std::string log;
    Scope scope(scheduler);
    SECTION("in time") {
        scope.spawn(race(scheduler.now() + 1s, scheduler.now() + 2s, log));
        scheduler.run_until(scheduler.now() + 3s);
        CHECK(log == "7");
    }
    SECTION("late") {
        scope.spawn(race(scheduler.now() + 3s, scheduler.now() + 2s, log));
        scheduler.run_until(scheduler.now() + 5s);
        CHECK(log == "late");
    }
    CHECK(scheduler.timers() == 0);
    CHECK(scope.empty());
}

TEST_CASE("an exception leaves the work item that resumed the task") {
    sim::VirtualScheduler scheduler;
    Scope scope(scheduler);
    scope.spawn(throws());
    CHECK_THROWS_AS(scheduler.run_until(scheduler.now() + 1s), std::runtime_error);
    CHECK(scope.empty());
}

TEST_CASE("offloaded work comes back on the scheduler, and its answer is dropped after a cancel") {
    sim::VirtualScheduler scheduler;
    std::string log;
    Scope scope(scheduler);
    scope.spawn(record(base::offload([] { return 9; }), log));
    SECTION("awaited") {
        scheduler.run_ready();
        CHECK(log == "9;");
    }
    SECTION("cancelled") {
        scope.cancel();
        scheduler.run_ready();
        CHECK(log.empty());
    }
}
