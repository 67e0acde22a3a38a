// One thread's event loop: the Scheduler of everything that lives on it.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/log.h"
#include "libmailcore/base/result.h"
#include "libmailcore/base/scheduler.h"
#include "libmailcore/net/worker_pool.h"

#include <memory>
#include <span>

struct uv_loop_s;

namespace mailcore::net {

using TurnHook = std::move_only_function<void()>;
using TurnHookId = base::Strong<struct TurnHookIdTag>;

/// libuv's loop as a base::Scheduler. A turn is: sockets, timers, posted work, hooks; what posted
/// work posts is the next turn's. Whatever lives on the loop must be gone before it is destroyed.
///
/// `post`, `offload`, `now`, `wall_now` and `stop`: any thread. The rest: the thread that runs it,
/// or, while nobody runs it, one thread. SIGPIPE is blocked in the thread that runs it.
class Loop final : public base::Scheduler {
  public:
    /// `pool` is where `offload` goes; it outlives the loop's running. Fails with LimitExceeded
    /// without file descriptors.
    static Result<std::unique_ptr<Loop>> create(WorkerPool& pool, Log log = {});
    ~Loop() override;
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Turns until `stop`; may be called again later.
    void run();
    /// Ends `run` after the turn that is under way, or the first of the next `run`.
    void stop();

    [[nodiscard]] Instant now() const override { return clock_.now(); }
    [[nodiscard]] WallTime wall_now() const override { return clock_.wall_now(); }
    void post(Work work) override;
    TimerId start_timer(Instant at, Work work) override;
    void cancel_timer(TimerId timer) override;
    void offload(Work work) override;

    /// Calls `hook` at the end of each turn, before the loop waits for sockets again: the place to
    /// hand over at once what a turn has gathered.
    TurnHookId on_turn_end(TurnHook hook);
    void remove_turn_hook(TurnHookId hook);

    /// For reading into, by one user at a time between two waits. 64 KiB, shared by all
    /// connections.
    [[nodiscard]] std::span<char> read_buffer();
    /// Whether one more TLS handshake may take a step in this turn, which is a millisecond of
    /// computing: two may, so that those who are in are served meanwhile.
    [[nodiscard]] bool take_handshake_step();

    [[nodiscard]] const Log& log() const;
    /// For this module's own use of libuv.
    [[nodiscard]] uv_loop_s* native();

  private:
    struct Impl;
    explicit Loop(std::unique_ptr<Impl> impl);
    base::SystemClock clock_;
    std::unique_ptr<Impl> impl_;
};

} // namespace mailcore::net
