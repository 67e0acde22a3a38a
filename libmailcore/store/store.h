// A store: transactions over ordered rows, bodies beside them, and a feed of what changed.
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/base/task.h"
#include "libmailcore/store/transaction.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::store {

/// Octets of a body handed in and not yet named by a transaction. Shared and immutable; any thread.
/// When the last copy goes and no transaction has named it, the octets are forgotten.
class NewBlob {
  public:
    virtual ~NewBlob() = default;
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// BLAKE2b-256 of the octets.
    [[nodiscard]] const std::array<unsigned char, 32>& digest() const { return digest_; }

  protected:
    std::uint64_t size_ = 0;
    std::array<unsigned char, 32> digest_{};
};
using NewBlobRef = std::shared_ptr<const NewBlob>;

/// Takes a body in pieces. Small ones stay in memory until a transaction names them, larger ones
/// are streamed to disk as they come. Dropping the writer drops the body. One scheduler's thread.
class BlobWriter {
  public:
    virtual ~BlobWriter() = default;
    /// Copies `octets`. When it returns there is room for more: that is the back-pressure.
    virtual Task<Result<void>> append(std::string_view octets) = 0;
    /// No more comes. The octets are durable once a transaction that names the blob has committed.
    virtual Task<Result<NewBlobRef>> finish() = 0;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    /// Octets of heap that it holds.
    [[nodiscard]] virtual std::size_t memory() const = 0;
};

/// What a subscriber is told: something of `account` changed, up to `modseq`, in these mailboxes.
struct Change {
    AccountId account;
    ModSeq modseq;
    std::vector<MailboxId> mailboxes;
};

/// Ends its subscription when destroyed. Scheduler's thread only.
class Subscription {
  public:
    virtual ~Subscription() = default;
};

struct StoreStatus {
    bool writable = true;             ///< false after a failed sync, or when the disk is full
    std::string reason;               ///< why it is not writable; empty otherwise
    std::uint64_t free_octets = 0;    ///< of the disk below the store
    std::uint64_t journal_octets = 0; ///< on disk
    std::uint64_t index_octets = 0;
    std::uint64_t overlay_octets = 0; ///< memory of changes not yet in a checkpoint
    std::uint64_t batches = 0, transactions = 0, syncs = 0; ///< since it was opened
    std::vector<std::string> damages; ///< what was found damaged and passed over
    /// On disk and of no use for the present: the past that is kept, and what is waiting to go.
    std::uint64_t reclaimable_octets = 0;
    std::optional<WallTime> last_snapshot; ///< of the index; absent: none yet
    std::optional<WallTime> last_scrub;    ///< since it was opened: when all bodies had been read
    bool scrubbing = false;
    std::uint64_t scrub_octets = 0; ///< read by the scrub under way, or the last one
};

namespace detail {
template <class T>
struct AnswerOf;
template <class T>
struct AnswerOf<TxnTask<T>> {
    using type = T;
};
template <class T>
using Answer = typename AnswerOf<T>::type;
} // namespace detail

/// Who a transaction is made for; checked by what is built on transactions, logged by the store.
enum class Urgency : std::uint8_t {
    Normal,
    Reclaim, ///< makes room (EXPUNGE, queue removal): may use the space held in reserve on a full
             ///< disk
};

/// Ordered rows and bodies, durable when `write` returns. Implementations: in memory; journal and
/// LMDB. May be used from several Schedulers at once; each call returns to the Scheduler it was
/// made on.
class Store {
  public:
    using ReadWork = std::move_only_function<TxnTask<Result<void>>(ReadTransaction&)>;
    using WriteWork = std::move_only_function<TxnTask<Result<void>>(WriteTransaction&)>;

    virtual ~Store() = default;

    /// `function(ReadTransaction&) -> TxnTask<Result<T>>` on a consistent view of what is durable;
    /// answers Result<T>. Runs on the caller's thread, which it blocks meanwhile: read bounded
    /// batches.
    template <class Function>
    auto read(Function function)
        -> Task<detail::Answer<std::invoke_result_t<Function&, ReadTransaction&>>>;

    /// `function(WriteTransaction&) -> TxnTask<Result<T>>`; answers Result<T> when its changes are
    /// durable, or its error and nothing is changed. LimitExceeded: the disk is full (and `urgency`
    /// is Normal). Unavailable: the store takes no more writes. A caller that is cancelled
    /// meanwhile does not undo it.
    template <class Function>
    auto write(Function function, Urgency urgency = Urgency::Normal)
        -> Task<detail::Answer<std::invoke_result_t<Function&, WriteTransaction&>>>;

    /// Whether a write that needs `octets` would be taken now, so that a peer is told before it
    /// sends. LimitExceeded: no room. Unavailable: the store takes no more writes. Any thread;
    /// cheap.
    [[nodiscard]] virtual Result<void> room_for(std::uint64_t octets) const = 0;
    /// Begins a body. `size_hint` octets are expected; 0: unknown.
    virtual std::unique_ptr<BlobWriter> new_blob(Scheduler& scheduler, std::uint64_t size_hint) = 0;
    /// Octets `offset` to `offset` + `octets` of a body, fewer only at its end. At most 1 MiB a
    /// call. NotFound: no such body. Corrupt: its octets on disk are damaged (and named in the
    /// log).
    virtual Task<Result<std::string>> read_blob(BlobId blob, std::uint64_t offset,
                                                std::size_t octets) = 0;

    /// The same of a body that was handed in here and that no transaction needs to have named.
    virtual Task<Result<std::string>> read_new_blob(NewBlobRef blob, std::uint64_t offset,
                                                    std::size_t octets) = 0;

    /// Calls `told` on `scheduler` after each commit that announced a change of `account` (0: of
    /// any).
    [[nodiscard]] virtual std::unique_ptr<Subscription>
    subscribe(Scheduler& scheduler, AccountId account,
              std::move_only_function<void(const Change&)> told) = 0;

    /// Any thread.
    [[nodiscard]] virtual StoreStatus status() const = 0;

  protected:
    virtual Task<Result<void>> run_read(ReadWork work) = 0;
    virtual Task<Result<void>> run_write(WriteWork work, Urgency urgency) = 0;
};

namespace detail {

/// Shared by the waiting caller and the running transaction, since either may end first.
template <class Function, class T>
struct Call {
    Function function;
    std::optional<T> value;
    explicit Call(Function f) : function(std::move(f)) {}
};

template <class Transaction, class Function, class T>
TxnTask<Result<void>> run_call(std::shared_ptr<Call<Function, Result<T>>> call,
                               Transaction& transaction) {
    auto answer = co_await call->function(transaction);
    if (!answer) co_return std::unexpected(answer.error());
    call->value.emplace(std::move(answer));
    co_return Result<void>{};
}

} // namespace detail

template <class Function>
auto Store::read(Function function)
    -> Task<detail::Answer<std::invoke_result_t<Function&, ReadTransaction&>>> {
    using Answer = detail::Answer<std::invoke_result_t<Function&, ReadTransaction&>>;
    using T = typename Answer::value_type;
    auto call = std::make_shared<detail::Call<Function, Answer>>(std::move(function));
    ReadWork work = [call](ReadTransaction& transaction) {
        return detail::run_call<ReadTransaction, Function, T>(call, transaction);
    };
    auto done = co_await run_read(std::move(work));
    if (!done) co_return std::unexpected(std::move(done).error());
    co_return std::move(*call->value);
}

template <class Function>
auto Store::write(Function function, Urgency urgency)
    -> Task<detail::Answer<std::invoke_result_t<Function&, WriteTransaction&>>> {
    using Answer = detail::Answer<std::invoke_result_t<Function&, WriteTransaction&>>;
    using T = typename Answer::value_type;
    auto call = std::make_shared<detail::Call<Function, Answer>>(std::move(function));
    WriteWork work = [call](WriteTransaction& transaction) {
        return detail::run_call<WriteTransaction, Function, T>(call, transaction);
    };
    auto done = co_await run_write(std::move(work), urgency);
    if (!done) co_return std::unexpected(std::move(done).error());
    co_return std::move(*call->value);
}

} // namespace mailcore::store
