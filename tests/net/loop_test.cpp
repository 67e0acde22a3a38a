#include "libmailcore/net/loops.h"

#include "libmailcore/base/task.h"
#include "tests/catch.h"

#include <csignal>
#include <future>
#include <unistd.h>

using namespace mailcore;
using namespace mailcore::net;
using namespace std::chrono_literals;

namespace {

struct Rig {
    WorkerPool pool{2};
    std::unique_ptr<Loop> loop = *Loop::create(pool);
    ~Rig() { pool.stop(); }
};

Task<void> compute(std::string& log) {
    const int value = co_await base::offload([] { return 42; });
    log += std::to_string(value);
}

} // namespace

TEST_CASE("posted work runs in order, and what it posts in a later turn") {
    Rig rig;
    std::string log;
    int turns = 0;
    rig.loop->on_turn_end([&] {
        log += "|";
        if (++turns == 3) rig.loop->stop();
    });
    rig.loop->post([&] {
        log += "a";
        rig.loop->post([&] { log += "c"; });
    });
    rig.loop->post([&] { log += "b"; });
    rig.loop->post([&] {
        // So that there is a third turn.
        rig.loop->start_timer(rig.loop->now() + 5ms, [] {});
    });
    rig.loop->run();
    CHECK(log.substr(0, 5) == "ab|c|");
}

TEST_CASE("timers run in order of time and can be cancelled") {
    Rig rig;
    std::string log;
    auto& loop = *rig.loop;
    const auto start = loop.now();
    loop.start_timer(start + 30ms, [&] {
        log += "c";
        CHECK(loop.now() >= start + 30ms);
        loop.stop();
    });
    const auto cancelled = loop.start_timer(start + 20ms, [&] { log += "x"; });
    loop.start_timer(start + 10ms, [&] {
        log += "b";
        loop.cancel_timer(cancelled);
        loop.cancel_timer(cancelled);
        loop.cancel_timer(TimerId{});
    });
    loop.start_timer(start - 1h, [&] { log += "a"; });
    loop.run();
    CHECK(log == "abc");
}

TEST_CASE("a timer that starts itself anew in the past does not starve the loop") {
    Rig rig;
    auto& loop = *rig.loop;
    int runs = 0;
    std::function<void()> again = [&] {
        ++runs;
        loop.start_timer(loop.now() - 1s, [&] { again(); });
    };
    loop.post([&] { again(); });
    loop.start_timer(loop.now() + 20ms, [&] { loop.stop(); });
    loop.run();
    CHECK(runs > 1);
}

TEST_CASE("work comes from other threads and goes to the pool and back") {
    Rig rig;
    auto& loop = *rig.loop;
    std::string log;
    Scope scope(loop);
    std::thread other([&] { loop.post([&] { scope.spawn(compute(log)); }); });
    scope.when_empty([&] { loop.stop(); });
    loop.run();
    other.join();
    CHECK(log == "42");
}

TEST_CASE("many threads post and nothing is lost or reordered") {
    Rig rig;
    auto& loop = *rig.loop;
    constexpr int threads = 4;
    constexpr int each = 5000;
    std::array<int, threads> next{};
    int total = 0;
    bool in_order = true;
    std::vector<std::thread> posters;
    for (int t = 0; t < threads; ++t)
        posters.emplace_back([&, t] {
            for (int i = 0; i < each; ++i)
                loop.post([&, t, i] {
                    in_order = in_order && next[static_cast<std::size_t>(t)]++ == i;
                    if (++total == threads * each) loop.stop();
                });
        });
    loop.run();
    for (auto& poster : posters) poster.join();
    CHECK(total == threads * each);
    CHECK(in_order);
}

TEST_CASE("an exception ends its work item and nothing else") {
    Rig rig;
    auto& loop = *rig.loop;
    std::string log;
    loop.post([] { throw std::runtime_error("x"); });
    loop.post([&] { log += "a"; });
    loop.start_timer(loop.now(), [] { throw 7; });
    loop.offload([] { throw std::runtime_error("y"); });
    loop.start_timer(loop.now() + 5ms, [&] {
        log += "b";
        loop.stop();
    });
    loop.run();
    CHECK(log == "ab");
}

TEST_CASE("hooks come and go") {
    Rig rig;
    auto& loop = *rig.loop;
    int first = 0;
    int second = 0;
    TurnHookId id{};
    id = loop.on_turn_end([&] {
        ++first;
        loop.remove_turn_hook(id);
    });
    loop.on_turn_end([&] {
        if (++second == 2) loop.stop();
    });
    loop.start_timer(loop.now() + 1ms, [] {});
    loop.run();
    CHECK(first == 1);
    CHECK(second == 2);
}

TEST_CASE("a loop is stopped before it runs, and runs again") {
    Rig rig;
    auto& loop = *rig.loop;
    loop.stop();
    loop.run();
    std::string log;
    loop.post([&] {
        log += "a";
        loop.stop();
    });
    loop.run();
    CHECK(log == "a");
}

TEST_CASE("a loop is destroyed with work that owns and posts") {
    Rig rig;
    auto value = std::make_shared<int>(1);
    struct PostsWhenDestroyed {
        Loop* loop;
        explicit PostsWhenDestroyed(Loop& l) : loop(&l) {}
        PostsWhenDestroyed(PostsWhenDestroyed&& other) noexcept
            : loop(std::exchange(other.loop, nullptr)) {}
        ~PostsWhenDestroyed() {
            if (loop) loop->post([] {});
        }
    };
    rig.loop->post([value, last = PostsWhenDestroyed(*rig.loop)] {});
    rig.loop->start_timer(rig.loop->now() + 1h, [value] {});
    rig.loop.reset();
    CHECK(value.use_count() == 1);
}

TEST_CASE("a write to a closed pipe does not kill a loop's thread") {
    auto loops = *Loops::create({1, 1});
    loops->start();
    std::promise<ssize_t> written;
    (*loops)[0].post([&] {
        int ends[2];
        if (::pipe(ends) != 0) return written.set_value(0);
        ::close(ends[0]);
        written.set_value(::write(ends[1], "x", 1));
        ::close(ends[1]);
    });
    CHECK(written.get_future().get() == -1);
    loops->stop();
}

TEST_CASE("a pool works off its queue before it ends, and takes nothing after") {
    std::atomic<int> done = 0;
    WorkerPool pool(3);
    for (int i = 0; i < 1000; ++i) pool.run([&] { ++done; });
    pool.stop();
    CHECK(done == 1000);
    pool.run([&] { ++done; });
    pool.stop();
    CHECK(done == 1000);
}
