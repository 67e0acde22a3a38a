#include "libmailcore/delivery/courier.h"

#include "libmailcore/queue/rows.h"

#include <algorithm>
#include <fmt/format.h>

namespace mailcore::delivery {

namespace {

using queue::Recipient;
using queue::Route;
using queue::State;
using store::ReadTransaction;
using store::TxnTask;
using store::WriteTransaction;

constexpr std::size_t damaged_max = 10'000; // rows that are named

/// What local recipients are planned under; no domain has that name.
const std::string local_destination = ".local";

std::string destination_of(const Recipient& recipient) {
    return recipient.route == Route::Local ? local_destination : recipient.destination;
}

/// Takes recipients out of the queue, writes down what others wait for, and puts a report in, in
/// one transaction: neither a report without its reason nor a loss without its report.
TxnTask<Result<std::optional<queue::QueueId>>> write_down(WriteTransaction& txn, queue::QueueId id,
                                                          std::vector<std::uint32_t> removed,
                                                          std::vector<Recipient> updated,
                                                          PreparedReport report) {
    for (const auto index : removed) {
        MAILCORE_CO_TRY(queue::remove_recipient(txn, id, index));
    }
    for (auto& recipient : updated) {
        MAILCORE_CO_TRY(queue::update_recipient(txn, id, recipient));
    }
    co_return co_await enqueue(txn, std::move(report));
}

} // namespace

Courier::Courier(Scheduler& scheduler, store::Store& store, LocalDelivery& local,
                 Reporter& reporter, RemoteTransport& transport, CourierOptions options,
                 Random& random, Log log)
    : scheduler_(scheduler), store_(store), local_(local), reporter_(reporter),
      transport_(transport), options_(std::move(options)), random_(random), log_(log),
      schedule_(options_.limits), planning_(scheduler), connections_(scheduler) {}

void Courier::start() {
    if (!loading_) planning_.spawn(load());
}

void Courier::notice(queue::QueueId id) {
    if (!stopped_) planning_.spawn(plan(id, false));
}

void Courier::retry_now(queue::QueueId id) {
    if (!stopped_) planning_.spawn(plan(id, true));
}

void Courier::stop() {
    stopped_ = true;
    planning_.cancel();
    if (timer_) scheduler_.cancel_timer(*timer_);
    timer_.reset();
}

// Planning

/// A row could not be read. Damage is told once; the row stays, for somebody to look at.
void Courier::unreadable(queue::QueueId id, std::optional<std::uint32_t> index,
                         const Error& error) {
    if (error.kind == ErrorKind::NotFound) return; // it was dealt with meanwhile
    if (error.kind == ErrorKind::Corrupt) {
        if (damaged_.size() == damaged_max || !damaged_.emplace(id, index).second) return;
        ++damaged_count_;
    }
    MAILCORE_LOG(log_, Error, "queue.unreadable",
                 {{"queue_id", id},
                  {"row", index ? fmt::format("recipient {}", *index) : std::string("message")},
                  {"error", error.detail}});
}

void Courier::add(const queue::Message& message, const Recipient& recipient) {
    if (recipient.state != State::Waiting) return schedule_.forget(message.id, recipient.index);
    const auto& sender = message.account.empty() ? message.sender : message.account;
    // No wait is that long: it was planned before the clock was set back.
    const auto now = scheduler_.wall_now();
    const auto at = recipient.next_try > now + wait_max() ? now : recipient.next_try;
    schedule_.add(queue::Due{at, message.id, recipient.index}, destination_of(recipient), sender);
}

std::chrono::seconds Courier::wait_max() const {
    std::chrono::seconds longest{0};
    for (const auto wait : options_.retry.waits) longest = std::max(longest, wait);
    return longest + longest / 4; // what chance adds, and some more
}

/// The time of day may be set back; what was planned by the old one must not wait for it to come
/// again.
void Courier::watch_clock() {
    const auto now = scheduler_.wall_now();
    const auto offset = now.time_since_epoch() - std::chrono::floor<std::chrono::microseconds>(
                                                     scheduler_.now().time_since_epoch());
    if (wall_offset_ && offset < *wall_offset_ - std::chrono::seconds{60}) {
        MAILCORE_LOG(log_, Warning, "queue.clock_set_back",
                     {{"seconds",
                       std::chrono::floor<std::chrono::seconds>(*wall_offset_ - offset).count()}});
        schedule_.clock_set_back(now, wait_max());
    }
    wall_offset_ = offset;
}

/// Reads the due index up to the horizon, again and again; the first time all of it, for rows of a
/// time that has not come yet because the clock was set back meanwhile.
Task<void> Courier::load() {
    loading_ = true;
    for (bool first = true;; first = false) {
        const auto until = scheduler_.wall_now() + options_.horizon;
        std::optional<queue::Due> after;
        while (schedule_.waiting() < options_.items_max) {
            MAILCORE_CO_AWAIT(auto due, store_.read([after](ReadTransaction& txn) {
                return queue::list_due(txn, after, 256);
            }));
            if (!due) {
                MAILCORE_LOG(log_, Error, "queue.unreadable", {{"error", due.error().detail}});
                break;
            }
            if (due->empty()) break;
            bool beyond = false;
            for (const auto& item : *due) {
                after = item;
                beyond = item.at > until;
                if (beyond && first && item.at <= until + wait_max()) continue;
                if (beyond && !first) break;
                MAILCORE_CO_AWAIT(auto message, store_.read([id = item.id](ReadTransaction& txn) {
                    return queue::read_message(txn, id);
                }));
                MAILCORE_CO_AWAIT(auto recipient, store_.read([item](ReadTransaction& txn) {
                    return queue::read_recipient(txn, item.id, item.index);
                }));
                if (!message)
                    unreadable(item.id, std::nullopt, message.error());
                else if (!recipient)
                    unreadable(item.id, item.index, recipient.error());
                else
                    add(*message, *recipient);
            }
            pump();
            if (beyond && !first) break;
        }
        co_await base::sleep_until(scheduler_.now() + options_.horizon / 2);
    }
}

Task<void> Courier::plan(queue::QueueId id, bool now) {
    MAILCORE_CO_AWAIT(auto message, store_.read([id](ReadTransaction& txn) {
        return queue::read_message(txn, id);
    }));
    if (!message) {
        unreadable(id, std::nullopt, message.error());
        co_return;
    }
    std::optional<std::uint32_t> from = 0;
    while (from) {
        MAILCORE_CO_AWAIT(auto list, store_.read([id, at = *from](ReadTransaction& txn) {
            return queue::read_recipients(txn, id, at, 256);
        }));
        if (!list) {
            unreadable(id, std::nullopt, list.error());
            break;
        }
        for (const auto& row : list->damaged)
            unreadable(id, row.index, Error{ErrorKind::Corrupt, row.why});
        for (auto& recipient : list->recipients) {
            if (now) {
                recipient.next_try = scheduler_.wall_now();
                schedule_.forgive(destination_of(recipient));
            }
            if (schedule_.waiting() < options_.items_max) add(*message, recipient);
        }
        from = list->next;
    }
    pump();
}

void Courier::pump() {
    if (stopped_) return;
    watch_clock();
    while (auto begin = schedule_.next(scheduler_.wall_now()))
        connections_.spawn(run(std::move(begin->destination), std::move(begin->job)));
    if (timer_) scheduler_.cancel_timer(*timer_);
    timer_.reset();
    const auto now = scheduler_.wall_now();
    if (const auto at = schedule_.next_time(now)) {
        // The time of day may jump: look again now and then, whatever was planned.
        const auto wait = std::clamp<std::chrono::microseconds>(
            *at - now, std::chrono::milliseconds{10}, std::chrono::minutes{1});
        timer_ = scheduler_.start_timer(scheduler_.now() + wait, [this] {
            timer_.reset();
            pump();
        });
    }
}

// Working

Task<Result<Courier::Work>> Courier::read(queue::Job job) {
    Work work;
    MAILCORE_CO_AWAIT(auto message, store_.read([id = job.id](ReadTransaction& txn) {
        return queue::read_message(txn, id);
    }));
    if (!message) {
        unreadable(job.id, std::nullopt, message.error());
        co_return std::unexpected(std::move(message).error());
    }
    work.message = std::move(*message);
    for (const auto index : job.indexes) {
        MAILCORE_CO_AWAIT(auto recipient, store_.read([id = job.id, index](ReadTransaction& txn) {
            return queue::read_recipient(txn, id, index);
        }));
        if (!recipient)
            unreadable(job.id, index, recipient.error());
        else if (recipient->state == State::Waiting)
            work.recipients.push_back(std::move(*recipient));
    }
    co_return work;
}

Task<void> Courier::run(std::string destination, queue::Job job) {
    bool reached = true;
    if (destination == local_destination) {
        co_await run_local(job);
    } else {
        const bool may = co_await may_hand_over(job);
        if (may) {
            reached = co_await run_remote(destination, job);
        }
    }
    schedule_.connection_closed(destination, reached, scheduler_.wall_now());
    pump();
}

Task<void> Courier::run_local(queue::Job job) {
    auto work = co_await read(job);
    if (!work) {
        schedule_.done(job);
        co_return;
    }
    std::vector<Outcome> outcomes;
    const auto message = std::make_shared<const queue::Message>(work->message);
    for (const auto& recipient : work->recipients) {
        auto outcome = co_await local_.deliver(message, recipient, nullptr, pipeline_);
        if (outcome.report) planning_.spawn(plan(*outcome.report, false));
        // Filing has taken the recipient out of the queue itself.
        if (outcome.kind == Outcome::Kind::Delivered) outcome = Outcome::gone();
        outcomes.push_back(std::move(outcome));
    }
    co_await settle(job, std::move(work->message), std::move(work->recipients),
                    std::move(outcomes));
}

/// True if the other side spoke with us.
/// False: the store could not write down what became of mail, and still cannot; the job waits.
/// Otherwise a server with a broken disk would send the same mail once a minute.
Task<bool> Courier::may_hand_over(queue::Job job) {
    if (!unwritable_) co_return true;
    auto work = co_await read(job);
    if (!work || work->recipients.empty()) {
        schedule_.done(job);
        co_return false;
    }
    MAILCORE_CO_AWAIT(
        const auto written,
        store_.write(
            [id = job.id, recipient = work->recipients.front()](WriteTransaction& txn) {
                return queue::update_recipient(txn, id, recipient);
            },
            store::Urgency::Reclaim));
    if (written || written.error().kind == ErrorKind::NotFound) {
        unwritable_ = false;
        co_return true;
    }
    schedule_.done(job);
    put_off(work->message, std::move(work->recipients));
    co_return false;
}

void Courier::put_off(const queue::Message& message, std::vector<Recipient> recipients) {
    for (auto& recipient : recipients) {
        recipient.next_try = scheduler_.wall_now() + std::chrono::minutes{1};
        add(message, recipient);
    }
}

Task<bool> Courier::run_remote(const std::string& destination, queue::Job job) {
    auto opened = co_await transport_.open(destination);
    if (!opened) {
        auto work = co_await read(job);
        if (!work) {
            schedule_.done(job);
            co_return false;
        }
        const std::vector<Outcome> outcomes(work->recipients.size(), opened.error());
        // A domain that does not exist is an answer too; only silence makes us wait.
        const bool answered = opened.error().kind == Outcome::Kind::Failed;
        co_await settle(job, std::move(work->message), std::move(work->recipients), outcomes);
        co_return answered;
    }
    const auto connection = std::move(*opened);
    std::size_t jobs = 0;
    for (std::optional<queue::Job> next = std::move(job); next;) {
        auto work = co_await read(*next);
        if (!work || work->recipients.empty()) {
            schedule_.done(*next);
        } else {
            auto outcomes = co_await connection->send(work->message, work->recipients);
            co_await settle(*next, std::move(work->message), std::move(work->recipients),
                            std::move(outcomes));
        }
        next.reset();
        if (!stopped_ && !unwritable_ && connection->usable() &&
            ++jobs < options_.limits.jobs_per_connection_max)
            next = schedule_.next_for(destination, scheduler_.wall_now());
    }
    co_await connection->close();
    co_return true;
}

// Writing down what became of it

Task<void> Courier::settle(const queue::Job& job, queue::Message message,
                           std::vector<Recipient> recipients, std::vector<Outcome> outcomes) {
    using Action = mime::RecipientReport::Action;
    const auto now = scheduler_.wall_now();
    const auto lifetime =
        message.sender.empty() ? options_.retry.lifetime_null_sender : options_.retry.lifetime;
    const auto expires = message.arrived + lifetime;
    std::vector<std::uint32_t> removed;
    std::vector<Recipient> updated;
    std::vector<Reported> failed, delayed, delivered;
    for (std::size_t i = 0; i < recipients.size(); ++i) {
        auto recipient = recipients[i];
        auto outcome = outcomes[i];
        if (outcome.kind == Outcome::Kind::Gone) continue;
        recipient.status = outcome.status;
        recipient.reply = outcome.text;
        recipient.remote_host = outcome.remote_host;
        ++recipient.attempts;
        if (outcome.kind == Outcome::Kind::Deferred && now >= expires) {
            outcome.kind = Outcome::Kind::Failed;
            recipient.status = "4.4.7"; // delivery time expired; the last reply says why
        }
        MAILCORE_LOG(log_, Info, "delivery.attempt",
                     {{"queue_id", message.id},
                      {"recipient", recipient.address},
                      {"outcome", outcome.kind == Outcome::Kind::Delivered ? "delivered"
                                  : outcome.kind == Outcome::Kind::Failed  ? "failed"
                                                                           : "deferred"},
                      {"host", outcome.remote_host},
                      {"status", outcome.status},
                      {"text", outcome.text}},
                     message.trace);
        switch (outcome.kind) {
        case Outcome::Kind::Delivered:
            removed.push_back(recipient.index);
            if (recipient.notify.success && !outcome.reports_success)
                delivered.push_back({recipient, Action::Relayed, std::nullopt});
            break;
        case Outcome::Kind::Failed:
            removed.push_back(recipient.index);
            if (recipient.notify.failure)
                failed.push_back({recipient, Action::Failed, std::nullopt});
            break;
        default:
            recipient.next_try =
                std::min(now + options_.retry.wait_after(recipient.attempts, random_), expires);
            if (!recipient.delay_reported &&
                now - message.arrived >= options_.retry.delay_report_after) {
                recipient.delay_reported = true;
                if (recipient.notify.delay)
                    delayed.push_back({recipient, Action::Delayed, expires});
            }
            updated.push_back(std::move(recipient));
        }
    }
    // A report is never answered by a report (RFC 5321 §6.1): with the null sender nobody is told.
    if (message.sender.empty()) {
        failed.clear();
        delayed.clear();
        delivered.clear();
    }
    schedule_.done(job);
    // Each kind of report goes with the rows it is about; what has no report goes with the last.
    const auto indexes_of = [](const std::vector<Reported>& reported) {
        std::vector<std::uint32_t> indexes;
        for (const auto& each : reported) indexes.push_back(each.recipient.index);
        return indexes;
    };
    Result<void> written;
    if (!delivered.empty() && !failed.empty()) {
        const auto indexes = indexes_of(delivered);
        std::erase_if(removed, [&](auto index) {
            return std::ranges::find(indexes, index) != indexes.end();
        });
        MAILCORE_CO_AWAIT(written, report(message, std::move(delivered), indexes, {}));
        delivered.clear();
    }
    if (written && !delayed.empty()) {
        MAILCORE_CO_AWAIT(written, report(message, std::move(delayed), {}, updated));
        for (const auto& recipient : updated) add(message, recipient);
        updated.clear();
    }
    if (written) {
        auto& reported = failed.empty() ? delivered : failed;
        written = co_await report(message, std::move(reported), removed, updated);
    }
    if (!written && written.error().kind != ErrorKind::NotFound) {
        // Nothing was written down: the same again when that is possible. Mail that was handed over
        // then goes twice, which is the lesser evil.
        unwritable_ = true;
        MAILCORE_LOG(log_, Error, "queue.unwritable", {{"error", written.error().detail}},
                     message.trace);
        put_off(message, std::move(recipients));
        co_return;
    }
    for (const auto& recipient : updated) add(message, recipient);
}

Task<Result<void>> Courier::report(queue::Message message, std::vector<Reported> reported,
                                   std::vector<std::uint32_t> removed,
                                   std::vector<Recipient> updated) {
    const auto id = message.id;
    const auto trace = message.trace;
    MAILCORE_CO_TRY(auto prepared, reporter_.prepare(std::move(message), std::move(reported)));
    MAILCORE_CO_AWAIT(auto written,
                      store_.write(
                          [id, removed = std::move(removed), updated = std::move(updated),
                           prepared = std::move(prepared)](WriteTransaction& txn) {
                              return write_down(txn, id, removed, updated, prepared);
                          },
                          store::Urgency::Reclaim));
    if (!written) co_return std::unexpected(written.error());
    if (*written) {
        MAILCORE_LOG(log_, Info, "delivery.reported", {{"queue_id", id}, {"report", **written}},
                     trace);
        planning_.spawn(plan(**written, false));
    }
    co_return Result<void>{};
}

} // namespace mailcore::delivery
