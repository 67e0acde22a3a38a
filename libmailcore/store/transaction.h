// What a transaction sees: ordered rows, and nothing else to wait for.
#pragma once

#include "libmailcore/base/assert.h"
#include "libmailcore/base/clock.h"
#include "libmailcore/base/result.h"
#include "libmailcore/store/ids.h"

#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailcore::store {

/// The coroutine of a transaction's body. It may await only its transaction and other TxnTasks,
/// owns what it captures, and may be run again from its beginning. Runs on whichever thread the
/// store chooses. Nothing it awaits suspends on an engine inside the process; a distributed one
/// resumes it.
template <class T>
class [[nodiscard]] TxnTask {
  public:
    struct promise_type {
        std::optional<T> value;
        std::exception_ptr exception;
        std::coroutine_handle<> parent;
        bool awaited_inline = false;

        TxnTask get_return_object() {
            return TxnTask{std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        struct FinalAwaiter {
            bool await_ready() noexcept { return false; }
            void await_suspend(std::coroutine_handle<promise_type> frame) noexcept {
                auto& promise = frame.promise();
                if (promise.parent && !promise.awaited_inline) promise.parent.resume();
            }
            void await_resume() noexcept {}
        };
        FinalAwaiter final_suspend() noexcept { return {}; }
        void unhandled_exception() noexcept { exception = std::current_exception(); }
        template <class U>
        void return_value(U&& result) {
            value.emplace(std::forward<U>(result));
        }
        T take() {
            if (exception) std::rethrow_exception(exception);
            return std::move(*value);
        }
    };
    using Handle = std::coroutine_handle<promise_type>;

    explicit TxnTask(Handle frame) : frame_(frame) {}
    TxnTask(TxnTask&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
    TxnTask& operator=(TxnTask&&) = delete;
    ~TxnTask() {
        if (frame_) frame_.destroy();
    }

    struct Awaiter {
        Handle child;
        bool await_ready() const noexcept { return false; }
        bool await_suspend(std::coroutine_handle<> parent) {
            auto& promise = child.promise();
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

    /// Runs to the end on an engine that never suspends.
    T run() {
        frame_.resume();
        MAILCORE_ASSERT(frame_.done());
        return frame_.promise().take();
    }

  private:
    Handle frame_;
};

/// The answer of a transaction: there at once on an engine inside the process.
template <class T>
class [[nodiscard]] TxnAnswer {
  public:
    TxnAnswer(Result<T> answer) : answer_(std::move(answer)) {}
    bool await_ready() const noexcept { return true; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    Result<T> await_resume() { return std::move(answer_); }

  private:
    Result<T> answer_;
};

struct Row {
    std::string key;
    std::string value;
    friend bool operator==(const Row&, const Row&) = default;
};

enum class Order : std::uint8_t { Ascending, Descending };

/// A consistent view of ordered rows. Keys are 1 to 480 octets, compared as unsigned octets, and do
/// not begin with octet 0, which the engines keep for themselves; values should stay below about 1
/// KiB and are at most 64 KiB. Used only inside the function it was given to.
class ReadTransaction {
  public:
    virtual ~ReadTransaction() = default;
    /// The row's value, copied; nothing if there is no such row.
    virtual TxnAnswer<std::optional<std::string>> get(std::string_view key) = 0;
    /// At most `rows_max` rows with `from` <= key < `to`, in key order from the end that `order`
    /// names. An empty `to` means: to the end of all keys.
    virtual TxnAnswer<std::vector<Row>> range(std::string_view from, std::string_view to,
                                              std::size_t rows_max,
                                              Order order = Order::Ascending) = 0;
    /// The time of day when the transaction began: the same for all that it writes.
    [[nodiscard]] virtual WallTime now() const = 0;
};

class NewBlob;

/// A ReadTransaction that sees its own changes, all of which become visible and durable together or
/// not at all.
class WriteTransaction : public ReadTransaction {
  public:
    /// Absolute values, never deltas: replaying a change twice changes nothing.
    virtual void put(std::string key, std::string value) = 0;
    virtual void erase(std::string key) = 0;

    /// Makes a body that was handed in durable with this transaction and names it. Its octets are
    /// written once, however many transactions name it later through references.
    virtual BlobId add_blob(const NewBlob& blob) = 0;
    /// Says that `owner` (a row key, or any unique 1 to 480 octets) needs `blob`, or no longer
    /// needs it. A body that nobody needs any more at the end of a transaction is gone with it.
    /// Answers whether that changed anything: false if it was so already. `refer`: NotFound if
    /// there is no such body.
    virtual TxnAnswer<bool> refer(BlobId blob, std::string_view owner) = 0;
    virtual TxnAnswer<bool> release(BlobId blob, std::string_view owner) = 0;

    /// A store-wide number that was never handed out before (for BlobId, QueueId, AccountId ...).
    virtual std::uint64_t next_id() = 0;

    /// Tells subscribers of `account` after the transaction is durable and visible, in commit
    /// order.
    virtual void announce(AccountId account, ModSeq modseq, std::vector<MailboxId> mailboxes) = 0;
};

} // namespace mailcore::store
