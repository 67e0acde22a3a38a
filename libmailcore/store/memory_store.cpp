#include "libmailcore/store/memory_store.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/crypto/hash.h"
#include "libmailcore/kv/table.h"
#include "libmailcore/kv/view.h"
#include "libmailcore/store/detail/body_reading.h"
#include "libmailcore/store/detail/engine_rows.h"
#include "libmailcore/store/detail/outbox.h"
#include "libmailcore/store/detail/row_transaction.h"
#include "libmailcore/store/detail/subscribers.h"

#include <mutex>
#include <unordered_map>
#include <utility>

namespace mailcore::store {

namespace {

class MemoryBody final : public detail::Body {
  public:
    MemoryBody(const Store& store, std::string octets) : octets_(std::move(octets)) {
        maker = &store;
        size_ = octets_.size();
        digest_ = crypto::Blake2b256::of(octets_);
    }
    [[nodiscard]] const std::string& octets() const { return octets_; }

  private:
    std::string octets_;
};

class MemoryBlobWriter final : public BlobWriter {
  public:
    explicit MemoryBlobWriter(const Store& store) : store_(store) {}
    Task<Result<void>> append(std::string_view octets) override {
        octets_ += octets;
        co_return Result<void>{};
    }
    Task<Result<NewBlobRef>> finish() override {
        NewBlobRef blob = std::make_shared<MemoryBody>(store_, std::move(octets_));
        co_return blob;
    }
    [[nodiscard]] std::uint64_t size() const override { return octets_.size(); }
    [[nodiscard]] std::size_t memory() const override { return sizeof *this + octets_.capacity(); }

  private:
    const Store& store_;
    std::string octets_;
};

} // namespace

struct MemoryStore::State {
    State(const base::Clock& c, Options o) : clock(c), options(o) {}

    const base::Clock& clock;
    const Options options;
    detail::Subscribers subscribers;

    mutable std::mutex mutex; // over all below; held while a write function runs
    std::shared_ptr<kv::Table> table = std::make_shared<kv::Table>();
    kv::Version version = 0;
    std::size_t live_octets = 0; // of the table when it was last rid of its past
    detail::IdSource ids;
    std::unordered_map<BlobId, std::shared_ptr<const MemoryBody>> bodies;
    std::uint64_t transactions = 0;
    detail::Outbox outbox;

    [[nodiscard]] kv::View view() const { return {table, nullptr, nullptr, version}; }
    Result<void> commit(const Store& store, WriteWork& work);
    void forget_the_past();
};

MemoryStore::MemoryStore(const base::Clock& clock, Options options)
    : state_(std::make_unique<State>(clock, options)) {}
MemoryStore::~MemoryStore() = default;

Result<void> MemoryStore::State::commit(const Store& store, WriteWork& work) {
    const auto seen = view();
    const auto now = clock.wall_now();
    if (options.rehearse) {
        detail::RowWriter rehearsal(seen, now, ids, store);
        auto answer = work(rehearsal).run();
        if (!answer) return answer;
    }
    detail::RowWriter transaction(seen, now, ids, store);
    auto answer = work(transaction).run();
    if (!answer) return answer;
    MAILCORE_TRY(transaction.close());
    const auto next = version + 1;
    for (const auto& [key, value] : transaction.changes()) {
        if (value)
            table->put(key, *value, next);
        else
            table->erase(key, next);
        if (const auto gone = detail::blob_of_key(key); gone && !value) bodies.erase(*gone);
    }
    for (const auto& [id, body] : transaction.bodies()) {
        body->named = id;
        bodies.emplace(id, std::static_pointer_cast<const MemoryBody>(body));
    }
    version = next;
    ++transactions;
    subscribers.tell(transaction.announcements(), outbox);
    forget_the_past();
    return {};
}

/// Nothing takes old versions away one by one: once they outweigh the rest, the table is made anew.
void MemoryStore::State::forget_the_past() {
    constexpr std::size_t slack_octets = 1024 * 1024;
    if (table->octets() < 2 * live_octets + slack_octets) return;
    auto fresh = std::make_shared<kv::Table>();
    const auto copied = view().walk({}, kv::Order::Ascending, nullptr,
                                    [&](std::string_view key, std::string_view value) {
                                        fresh->put(key, value, version);
                                        return true;
                                    });
    MAILCORE_ASSERT(copied);
    table = std::move(fresh);
    live_octets = table->octets();
}

Task<Result<void>> MemoryStore::run_read(ReadWork work) {
    const auto seen = [this] {
        const std::scoped_lock lock(state_->mutex);
        return state_->view();
    }();
    detail::RowReader transaction(seen, state_->clock.wall_now());
    co_return work(transaction).run();
}

Task<Result<void>> MemoryStore::run_write(WriteWork work, Urgency) {
    auto& scheduler = co_await base::current_scheduler();
    base::Completion<Result<void>> done(scheduler);
    {
        // Told and answered in commit order, as on a durable store: announcements first.
        const std::scoped_lock lock(state_->mutex);
        auto answer = state_->commit(*this, work);
        state_->outbox.add(scheduler,
                           [completer = done.completer(), answer = std::move(answer)]() mutable {
                               completer.complete_here(std::move(answer));
                           });
        state_->outbox.send();
    }
    co_return co_await done;
}

std::unique_ptr<BlobWriter> MemoryStore::new_blob(Scheduler&, std::uint64_t) {
    return std::make_unique<MemoryBlobWriter>(*this);
}

Task<Result<std::string>> MemoryStore::read_blob(BlobId blob, std::uint64_t offset,
                                                 std::size_t octets) {
    MAILCORE_ASSERT(octets <= detail::blob_read_octets_max);
    std::shared_ptr<const MemoryBody> body;
    {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->bodies.find(blob);
        if (found != state_->bodies.end()) body = found->second;
    }
    if (!body) co_return fail(ErrorKind::NotFound, "no such body");
    if (offset >= body->octets().size()) co_return std::string();
    co_return body->octets().substr(static_cast<std::size_t>(offset), octets);
}

Task<Result<std::string>> MemoryStore::read_new_blob(NewBlobRef blob, std::uint64_t offset,
                                                     std::size_t octets) {
    MAILCORE_ASSERT(octets <= detail::blob_read_octets_max);
    const auto& body = static_cast<const MemoryBody&>(*blob);
    MAILCORE_ASSERT(body.maker == this);
    if (offset >= body.octets().size()) co_return std::string();
    co_return body.octets().substr(static_cast<std::size_t>(offset), octets);
}

std::unique_ptr<Subscription>
MemoryStore::subscribe(Scheduler& scheduler, AccountId account,
                       std::move_only_function<void(const Change&)> told) {
    return state_->subscribers.add(scheduler, account, std::move(told));
}

StoreStatus MemoryStore::status() const {
    const std::scoped_lock lock(state_->mutex);
    StoreStatus status;
    status.overlay_octets = state_->table->octets();
    status.transactions = status.batches = state_->transactions;
    return status;
}

} // namespace mailcore::store
