// Coroutines for what waits in sequence: sessions, delivery, filters.
//
// A Task is lazy, has one owner, and runs on one Scheduler only. It is started by awaiting it in
// another Task or by `Scope::spawn`; cancelling is destroying its frames, so cleaning up is what
// destructors do. g++ 12 miscompiles several forms of co_await: libmailcore/STYLE.md, "Coroutines",
// is law here.
#pragma once

#include "libmailcore/base/assert.h"
#include "libmailcore/base/scheduler.h"

#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace mailcore::base {

template <class T>
class Task;
class Scope;

namespace detail {

struct PromiseBase;

/// What all frames of one spawned Task share: where it runs, and whether it still may.
class Strand : public std::enable_shared_from_this<Strand> {
  public:
    Strand(Scheduler& scheduler, Scope* owner) : scheduler_(scheduler), owner_(owner) {}
    Strand(const Strand&) = delete;
    Strand& operator=(const Strand&) = delete;
    ~Strand();

    [[nodiscard]] Scheduler& scheduler() const { return scheduler_; }
    void start(std::coroutine_handle<> root, PromiseBase& promise);
    /// Runs `frame` and then every parent that became ready meanwhile.
    void resume(std::coroutine_handle<> frame);
    /// Called by a finishing child: its parent goes on when the child has returned.
    void ready(std::coroutine_handle<> parent) { ready_ = parent; }
    void cancel();
    [[nodiscard]] bool running() const { return running_; }

  private:
    friend class base::Scope;
    Scheduler& scheduler_;
    Scope* owner_; // absent once the scope has let go
    std::coroutine_handle<> root_;
    PromiseBase* root_promise_ = nullptr;
    std::coroutine_handle<> ready_;
    bool running_ = false;
    bool cancelled_ = false;
};

struct PromiseBase {
    Strand* strand = nullptr;
    std::coroutine_handle<> parent;
    bool awaited_inline = false; // the parent is still inside await_suspend
    std::exception_ptr exception;

    std::suspend_always initial_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { exception = std::current_exception(); }

    struct FinalAwaiter {
        bool await_ready() noexcept { return false; }
        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> frame) noexcept {
            auto& promise = frame.promise();
            if (promise.parent && !promise.awaited_inline) promise.strand->ready(promise.parent);
        }
        void await_resume() noexcept {}
    };
    FinalAwaiter final_suspend() noexcept { return {}; }
};

template <class T>
struct Promise : PromiseBase {
    std::optional<T> value;
    Task<T> get_return_object();
    template <class U>
    void return_value(U&& result) {
        value.emplace(std::forward<U>(result));
    }
    T take() {
        if (exception) std::rethrow_exception(exception);
        return std::move(*value);
    }
};

template <>
struct Promise<void> : PromiseBase {
    Task<void> get_return_object();
    void return_void() {}
    void take() {
        if (exception) std::rethrow_exception(exception);
    }
};

} // namespace detail

/// A computation that may wait. Move only; destroying it cancels it. One Scheduler's thread only.
template <class T = void>
class [[nodiscard]] Task {
  public:
    using promise_type = detail::Promise<T>;
    using Handle = std::coroutine_handle<promise_type>;

    explicit Task(Handle frame) : frame_(frame) {}
    Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
    Task& operator=(Task&& other) noexcept {
        if (this != &other) {
            if (frame_) frame_.destroy();
            frame_ = std::exchange(other.frame_, {});
        }
        return *this;
    }
    ~Task() {
        if (frame_) frame_.destroy();
    }

    struct Awaiter {
        Handle child;
        bool await_ready() const noexcept { return false; }
        template <class P>
        bool await_suspend(std::coroutine_handle<P> parent) {
            auto& promise = child.promise();
            promise.strand = parent.promise().strand;
            promise.parent = parent;
            promise.awaited_inline = true;
            child.resume();
            promise.awaited_inline = false;
            return !child.done();
        }
        T await_resume() { return child.promise().take(); }
    };
    Awaiter operator co_await() & noexcept { return Awaiter{frame_}; }
    Awaiter operator co_await() && noexcept { return Awaiter{frame_}; }

  private:
    friend class Scope;
    Handle frame_;
};

template <class T>
Task<T> detail::Promise<T>::get_return_object() {
    return Task<T>{std::coroutine_handle<Promise<T>>::from_promise(*this)};
}
inline Task<void> detail::Promise<void>::get_return_object() {
    return Task<void>{std::coroutine_handle<Promise<void>>::from_promise(*this)};
}

/// Owns running Tasks: each ends before its Scope does. A Scope must not be destroyed from inside
/// one of its own Tasks (post the destruction instead). One Scheduler's thread only.
class Scope {
  public:
    explicit Scope(Scheduler& scheduler) : scheduler_(scheduler) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope();

    /// Starts `task` at once; it runs until its first wait before this returns. An exception that
    /// leaves the task leaves the work item that resumed it.
    void spawn(Task<void> task);
    /// Destroys the frames of every task; one that is running now (it called this) when it next
    /// waits.
    void cancel();
    [[nodiscard]] bool empty() const { return strands_.empty(); }
    [[nodiscard]] std::size_t size() const { return strands_.size(); }
    /// Called each time that the last task has ended by itself.
    void when_empty(Work work) { when_empty_ = std::move(work); }
    [[nodiscard]] Scheduler& scheduler() const { return scheduler_; }

  private:
    friend class detail::Strand;
    void ended(detail::Strand& strand);
    Scheduler& scheduler_;
    std::vector<std::shared_ptr<detail::Strand>> strands_;
    Work when_empty_;
};

/// `auto& scheduler = co_await current_scheduler();`
struct CurrentScheduler {
    Scheduler* scheduler = nullptr;
    bool await_ready() const noexcept { return false; }
    template <class P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        scheduler = &frame.promise().strand->scheduler();
        return false;
    }
    Scheduler& await_resume() const noexcept { return *scheduler; }
};
[[nodiscard]] inline CurrentScheduler current_scheduler() { return {}; }

/// The two ends of a value that comes later, once. `Completer::complete` may be called from any
/// thread and copies of it may be handed out: the first call counts. The waiting Task goes on from
/// its scheduler's queue, never inside `complete`. A waiter that was cancelled is forgotten.
template <class T>
class Completion {
    struct State {
        std::optional<T> value;
        std::weak_ptr<detail::Strand> strand;
        std::coroutine_handle<> waiter;
    };

  public:
    class Completer {
      public:
        void complete(T value) const {
            scheduler_->post([self = *this, value = std::move(value)]() mutable {
                self.complete_here(std::move(value));
            });
        }
        /// The same at once, from an item of the waiter's own scheduler's queue (one for many).
        void complete_here(T value) const {
            if (state_->value) return;
            state_->value.emplace(std::move(value));
            if (!state_->waiter) return;
            const auto waiter = std::exchange(state_->waiter, {});
            if (const auto strand = state_->strand.lock()) strand->resume(waiter);
        }

      private:
        friend class Completion;
        Completer(Scheduler& scheduler, std::shared_ptr<State> state)
            : scheduler_(&scheduler), state_(std::move(state)) {}
        Scheduler* scheduler_;
        std::shared_ptr<State> state_;
    };

    explicit Completion(Scheduler& scheduler)
        : scheduler_(&scheduler), state_(std::make_shared<State>()) {}
    Completion(Completion&&) = default;
    Completion& operator=(Completion&&) = default;
    ~Completion() {
        if (state_) state_->waiter = {};
    }

    [[nodiscard]] Completer completer() const { return Completer{*scheduler_, state_}; }

    struct Awaiter {
        std::shared_ptr<State> state;
        explicit Awaiter(std::shared_ptr<State> shared) : state(std::move(shared)) {}
        Awaiter(const Awaiter&) = delete;
        ~Awaiter() { state->waiter = {}; }
        bool await_ready() const noexcept { return state->value.has_value(); }
        template <class P>
        void await_suspend(std::coroutine_handle<P> frame) {
            state->strand = frame.promise().strand->weak_from_this();
            state->waiter = frame;
        }
        T await_resume() { return std::move(*state->value); }
    };
    /// Waits for the value; one waiter, once.
    Awaiter operator co_await() { return Awaiter{state_}; }

  private:
    Scheduler* scheduler_;
    std::shared_ptr<State> state_;
};

/// Waits until `at`; at once if that is past (but still after what is queued already).
class SleepUntil {
  public:
    explicit SleepUntil(Instant at) : at_(at) {}
    SleepUntil(const SleepUntil&) = delete;
    ~SleepUntil() {
        if (scheduler_) scheduler_->cancel_timer(timer_);
    }
    bool await_ready() const noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> frame) {
        scheduler_ = &frame.promise().strand->scheduler();
        timer_ = scheduler_->start_timer(
            at_, [this, strand = frame.promise().strand->weak_from_this(), frame] {
                scheduler_ = nullptr;
                if (const auto alive = strand.lock()) alive->resume(frame);
            });
    }
    void await_resume() const noexcept {}

  private:
    Instant at_;
    Scheduler* scheduler_ = nullptr;
    TimerId timer_;
};
[[nodiscard]] inline SleepUntil sleep_until(Instant at) { return SleepUntil{at}; }

/// Runs `function` on the pool and comes back with what it answers. It owns what it captures: if
/// the Task is cancelled meanwhile, it still runs to its end and its answer is dropped.
template <class Function>
Task<std::invoke_result_t<Function&>> offload(Function function) {
    using Answer = std::invoke_result_t<Function&>;
    auto& scheduler = co_await current_scheduler();
    Completion<Answer> done(scheduler);
    scheduler.offload([completer = done.completer(), function = std::move(function)]() mutable {
        completer.complete(function());
    });
    co_return co_await done;
}

namespace detail {
template <class T>
Task<void> run_into(Task<T> work, typename Completion<std::optional<T>>::Completer completer) {
    auto value = co_await std::move(work);
    completer.complete(std::optional<T>(std::move(value)));
}
} // namespace detail

/// What `work` answers, or nothing if it has not by `at`: it is then cancelled.
template <class T>
Task<std::optional<T>> with_deadline(Task<T> work, Instant at) {
    auto& scheduler = co_await current_scheduler();
    Completion<std::optional<T>> first(scheduler);
    const auto completer = first.completer();
    Scope scope(scheduler);
    const auto timer = scheduler.start_timer(at, [completer] { completer.complete(std::nullopt); });
    struct Guard {
        Scheduler& scheduler;
        TimerId timer;
        Guard(Scheduler& s, TimerId t) : scheduler(s), timer(t) {}
        ~Guard() { scheduler.cancel_timer(timer); }
    };
    const Guard guard(scheduler, timer);
    scope.spawn(detail::run_into(std::move(work), completer));
    co_return co_await first;
}

} // namespace mailcore::base

namespace mailcore {
using base::Scope;
using base::Task;
} // namespace mailcore
