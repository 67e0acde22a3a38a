// Costly work, a few at a time.
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/base/task.h"

#include <deque>
#include <memory>
#include <mutex>

namespace mailcore::accounts {

struct HashingQueueOptions {
    /// Hashes computed at the same time: each takes 19 MiB and 20 ms of a core. Default: 2.
    std::size_t running_max = 2;
    /// Logins that wait for their turn. Default: 128.
    std::size_t waiting_max = 128;
};

/// Runs work on the pool of the Scheduler that asks, at most `running_max` at once whoever asks, in
/// order. Any thread.
class HashingQueue {
  public:
    explicit HashingQueue(HashingQueueOptions options = {});
    ~HashingQueue();

    /// What `function` answers. Unavailable: too many are waiting. The function owns what it
    /// captures; it runs to its end even if the Task is cancelled meanwhile, unless it has not
    /// begun.
    template <class Function>
    Task<Result<std::invoke_result_t<Function&>>> run(Function function);

    [[nodiscard]] std::size_t waiting() const;

  private:
    struct State;
    /// False: full.
    static bool enqueue(const std::shared_ptr<State>& state, Scheduler& scheduler, Work work);
    static void begin(const std::shared_ptr<State>& state, Scheduler& scheduler, Work work);
    static void end(const std::shared_ptr<State>& state);
    std::shared_ptr<State> state_;
};

template <class Function>
Task<Result<std::invoke_result_t<Function&>>> HashingQueue::run(Function function) {
    using Answer = std::invoke_result_t<Function&>;
    auto& scheduler = co_await base::current_scheduler();
    base::Completion<Answer> done(scheduler);
    Work work = [completer = done.completer(), function = std::move(function)]() mutable {
        completer.complete(function());
    };
    if (!enqueue(state_, scheduler, std::move(work)))
        co_return fail(ErrorKind::Unavailable, "too many passwords are being checked");
    co_return co_await done;
}

} // namespace mailcore::accounts
