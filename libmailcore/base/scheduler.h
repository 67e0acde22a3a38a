// Where work runs and time comes from: an event loop, or a simulation of one.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/strong.h"

#include <functional>

namespace mailcore::base {

/// Something to be run once.
using Work = std::move_only_function<void()>;

using TimerId = Strong<struct TimerIdTag>;

/// One thread's queue of work, with timers and a pool for what may block. `net::Loop` is one; the
/// simulation is another, in virtual time.
class Scheduler : public Clock {
  public:
    /// Runs `work` on this scheduler's thread, in order of posting, never inside this call. Any
    /// thread.
    virtual void post(Work work) = 0;
    /// Runs `work` at `at` or a little after it. This scheduler's thread only.
    virtual TimerId start_timer(Instant at, Work work) = 0;
    /// Forgets a timer; one that has run or was never started is ignored. This scheduler's thread
    /// only.
    virtual void cancel_timer(TimerId timer) = 0;
    /// Runs `work` on a thread of the pool, where it may block. What it has to tell, it posts. Any
    /// thread.
    virtual void offload(Work work) = 0;
};

} // namespace mailcore::base

namespace mailcore {
using base::Scheduler;
using base::TimerId;
using base::Work;
} // namespace mailcore
