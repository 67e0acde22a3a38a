#include "libmailcore/net/loop.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/net/detail/guarded.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <uv.h>
#include <vector>

namespace mailcore::net {

namespace {

constexpr std::size_t read_buffer_octets = 64 * 1024;
constexpr unsigned handshake_steps_a_turn = 2;

} // namespace

struct Loop::Impl {
    struct Hook {
        TurnHookId id;
        TurnHook run;
    };
    using Timers = std::map<std::pair<Instant, std::uint64_t>, Work>;

    Impl(WorkerPool& workers, Log sink) : pool(workers), log(sink) {}

    void turn();
    void run_posted();
    void run_timers();
    void run_hooks();
    void arm_timer();

    WorkerPool& pool;
    Log log;
    const base::Clock* clock = nullptr;
    uv_loop_t loop;
    uv_async_t woken;
    uv_prepare_t end_of_turn;
    uv_idle_t no_wait; // active: the next wait for sockets does not wait
    uv_timer_t timer;

    std::mutex mutex;
    std::deque<Work> posted;
    bool wake_sent = false;
    std::atomic<std::thread::id> thread; // that runs the loop; none: nobody
    std::atomic<bool> stopping = false;

    Timers timers;
    std::vector<Timers::key_type> due; // during run_timers
    std::unordered_map<std::uint64_t, Instant> timer_due;
    std::uint64_t last_timer = 0;
    std::vector<Hook> hooks;
    std::uint64_t last_hook = 0;
    std::unique_ptr<char[]> read_buffer;
    unsigned handshake_steps = handshake_steps_a_turn;
};

Loop::Loop(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) { impl_->clock = &clock_; }

Result<std::unique_ptr<Loop>> Loop::create(WorkerPool& pool, Log log) {
    auto impl = std::make_unique<Impl>(pool, log);
    if (const int error = uv_loop_init(&impl->loop))
        return base::fail_errno(-error, "cannot make an event loop");
    auto& in = *impl;
    if (const int error = uv_async_init(&in.loop, &in.woken, [](uv_async_t*) {})) {
        uv_loop_close(&in.loop);
        return base::fail_errno(-error, "cannot make an event loop");
    }
    uv_prepare_init(&in.loop, &in.end_of_turn);
    uv_idle_init(&in.loop, &in.no_wait);
    uv_timer_init(&in.loop, &in.timer);
    in.end_of_turn.data = in.timer.data = &in;
    uv_prepare_start(&in.end_of_turn,
                     [](uv_prepare_t* handle) { static_cast<Impl*>(handle->data)->turn(); });
    return std::unique_ptr<Loop>(new Loop(std::move(impl)));
}

Loop::~Loop() {
    MAILCORE_ASSERT(impl_->thread.load() == std::thread::id());
    auto& in = *impl_;
    // What was posted and will not run may own handles: they are closed now. It may post again, in
    // vain.
    for (auto rest = std::exchange(in.posted, {}); !rest.empty();
         rest = std::exchange(in.posted, {}))
        rest.clear();
    in.timers.clear();
    in.hooks.clear();
    for (auto* handle :
         {reinterpret_cast<uv_handle_t*>(&in.woken),
          reinterpret_cast<uv_handle_t*>(&in.end_of_turn),
          reinterpret_cast<uv_handle_t*>(&in.no_wait), reinterpret_cast<uv_handle_t*>(&in.timer)})
        uv_close(handle, nullptr);
    uv_run(&in.loop, UV_RUN_DEFAULT);              // close callbacks
    MAILCORE_ASSERT(uv_loop_close(&in.loop) == 0); // something of it still lives
}

void Loop::run() {
    sigset_t pipe;
    sigset_t before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    MAILCORE_ASSERT(impl_->thread.exchange(std::this_thread::get_id()) == std::thread::id());
    uv_run(&impl_->loop, UV_RUN_DEFAULT);
    impl_->stopping = false;
    impl_->thread = std::thread::id();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Loop::stop() {
    impl_->stopping = true;
    uv_async_send(&impl_->woken);
}

void Loop::post(Work work) {
    auto& in = *impl_;
    bool wake = false;
    {
        const std::scoped_lock lock(in.mutex);
        in.posted.push_back(std::move(work));
        wake = !in.wake_sent && in.thread.load() != std::this_thread::get_id();
        in.wake_sent = in.wake_sent || wake;
    }
    if (wake) uv_async_send(&in.woken);
}

TimerId Loop::start_timer(Instant at, Work work) {
    auto& in = *impl_;
    const auto id = ++in.last_timer;
    in.timers.emplace(std::pair(at, id), std::move(work));
    in.timer_due.emplace(id, at);
    return TimerId{id};
}

void Loop::cancel_timer(TimerId timer) {
    auto& in = *impl_;
    const auto due = in.timer_due.find(timer.value);
    if (due == in.timer_due.end()) return;
    const auto node =
        in.timers.extract({due->second, timer.value}); // destroyed when all is in order
    in.timer_due.erase(due);
}

void Loop::offload(Work work) { impl_->pool.run(std::move(work)); }

TurnHookId Loop::on_turn_end(TurnHook hook) {
    const TurnHookId id{++impl_->last_hook};
    impl_->hooks.push_back({id, std::move(hook)});
    return id;
}

void Loop::remove_turn_hook(TurnHookId hook) {
    std::erase_if(impl_->hooks, [hook](const Impl::Hook& each) { return each.id == hook; });
}

std::span<char> Loop::read_buffer() {
    if (!impl_->read_buffer)
        impl_->read_buffer = std::make_unique_for_overwrite<char[]>(read_buffer_octets);
    return {impl_->read_buffer.get(), read_buffer_octets};
}

bool Loop::take_handshake_step() {
    if (impl_->handshake_steps == 0) return false;
    --impl_->handshake_steps;
    return true;
}

const Log& Loop::log() const { return impl_->log; }

uv_loop_s* Loop::native() { return &impl_->loop; }

/// libuv calls it after the sockets' callbacks and just before it waits for sockets again.
void Loop::Impl::turn() {
    handshake_steps = handshake_steps_a_turn;
    run_timers();
    run_posted();
    run_hooks();
    bool more = stopping;
    {
        const std::scoped_lock lock(mutex);
        more = more || !posted.empty();
    }
    if (stopping) uv_stop(&loop);
    if (more)
        uv_idle_start(&no_wait, [](uv_idle_t*) {});
    else
        uv_idle_stop(&no_wait);
    arm_timer();
}

void Loop::Impl::run_posted() {
    std::size_t count = 0;
    {
        const std::scoped_lock lock(mutex);
        wake_sent = false;
        count = posted.size();
    }
    for (; count > 0; --count) {
        Work work;
        {
            const std::scoped_lock lock(mutex);
            work = std::move(posted.front());
            posted.pop_front();
        }
        detail::guarded(log, "net.work.failed", work);
    }
}

/// Those that are due now; what they start is a later turn's, whatever its time.
void Loop::Impl::run_timers() {
    if (timers.empty()) return;
    const std::pair last(clock->now(), last_timer);
    for (auto i = timers.begin(); i != timers.end() && i->first <= last; ++i)
        due.push_back(i->first);
    for (const auto& key : due) {
        auto node = timers.extract(key);
        if (!node) continue; // cancelled by one before it
        timer_due.erase(key.second);
        detail::guarded(log, "net.timer.failed", node.mapped());
    }
    due.clear();
}

void Loop::Impl::run_hooks() {
    // A hook may add or remove hooks, itself too.
    for (std::size_t i = 0; i < hooks.size(); ++i) {
        const auto id = hooks[i].id;
        auto run = std::move(hooks[i].run);
        detail::guarded(log, "net.hook.failed", run);
        const auto same = std::find_if(hooks.begin(), hooks.end(),
                                       [id](const Hook& each) { return each.id == id; });
        if (same == hooks.end()) {
            --i;
            continue;
        }
        same->run = std::move(run);
        i = static_cast<std::size_t>(same - hooks.begin());
    }
}

void Loop::Impl::arm_timer() {
    if (timers.empty()) {
        uv_timer_stop(&timer);
        return;
    }
    const auto wait = timers.begin()->first.first - clock->now();
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    uv_update_time(&loop);
    // What it is for is done at the end of the turn that it wakes.
    uv_timer_start(
        &timer, [](uv_timer_t*) {},
        static_cast<std::uint64_t>(std::max<std::int64_t>(milliseconds, 0)), 0);
}

} // namespace mailcore::net
