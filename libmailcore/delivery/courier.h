// Works the queue off: finds what is due, hands it over, and writes down what became of it.
#pragma once

#include "libmailcore/base/log.h"
#include "libmailcore/base/random.h"
#include "libmailcore/delivery/local.h"
#include "libmailcore/delivery/report.h"
#include "libmailcore/delivery/transport.h"
#include "libmailcore/queue/retry.h"
#include "libmailcore/queue/schedule.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace mailcore::delivery {

struct CourierOptions {
    queue::ScheduleLimits limits;
    queue::RetrySchedule retry;
    std::size_t items_max = 100'000;   ///< recipients planned in memory; the rest waits in rows
    std::chrono::seconds horizon{600}; ///< how far ahead is planned
};

/// One a store. Every step it takes is a transaction, so it may stop at any moment: what it had not
/// written down is done again (RFC 5321 §6.1: rather twice than never). Loop thread only.
class Courier {
  public:
    Courier(Scheduler& scheduler, store::Store& store, LocalDelivery& local, Reporter& reporter,
            RemoteTransport& transport, CourierOptions options, Random& random, Log log);

    /// Reads what the queue holds and begins.
    void start();
    /// New mail, or rows that somebody changed: looks at all recipients of `id`.
    void notice(queue::QueueId id);
    /// The same, and tries them now, whatever their waits are.
    void retry_now(queue::QueueId id);
    void set_pipeline(std::shared_ptr<const filter::Pipeline> pipeline) {
        pipeline_ = std::move(pipeline);
    }
    /// Begins nothing new; `under_way` goes to zero.
    void stop();
    [[nodiscard]] std::size_t under_way() const { return connections_.size(); }
    [[nodiscard]] std::size_t planned() const { return schedule_.waiting(); }
    /// Rows of the queue that were found damaged since it began; what they hold is not delivered.
    /// Any thread.
    [[nodiscard]] std::size_t damaged() const { return damaged_count_; }

  private:
    Task<void> load();
    Task<void> plan(queue::QueueId id, bool now);
    Task<void> run(std::string destination, queue::Job job);
    Task<void> run_local(queue::Job job);
    Task<bool> run_remote(const std::string& destination, queue::Job job);
    Task<bool> may_hand_over(queue::Job job);
    struct Work {
        queue::Message message;
        std::vector<queue::Recipient> recipients;
    };
    Task<Result<Work>> read(queue::Job job);
    Task<void> settle(const queue::Job& job, queue::Message message,
                      std::vector<queue::Recipient> recipients, std::vector<Outcome> outcomes);
    Task<Result<void>> report(queue::Message message, std::vector<Reported> reported,
                              std::vector<std::uint32_t> removed,
                              std::vector<queue::Recipient> updated);
    void unreadable(queue::QueueId id, std::optional<std::uint32_t> index, const Error& error);
    void add(const queue::Message& message, const queue::Recipient& recipient);
    void put_off(const queue::Message& message, std::vector<queue::Recipient> recipients);
    void pump();
    void watch_clock();
    [[nodiscard]] std::chrono::seconds wait_max() const;

    Scheduler& scheduler_;
    store::Store& store_;
    LocalDelivery& local_;
    Reporter& reporter_;
    RemoteTransport& transport_;
    CourierOptions options_;
    Random& random_;
    Log log_;
    std::shared_ptr<const filter::Pipeline> pipeline_;
    queue::Schedule schedule_;
    /// Each is named once: a recipient's row, or without an index a message's own.
    std::set<std::pair<queue::QueueId, std::optional<std::uint32_t>>> damaged_;
    std::atomic<std::size_t> damaged_count_ = 0;
    std::optional<TimerId> timer_;
    std::optional<std::chrono::microseconds> wall_offset_; // of the time of day, to see it jump
    bool unwritable_ = false; // what became of the last mail could not be written down
    bool stopped_ = false;
    bool loading_ = false;
    Scope planning_;
    Scope connections_; // last: their tasks use the others
};

} // namespace mailcore::delivery
