// Which recipient is tried next: due times, destinations that have had enough, fairness between
// senders.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/queue/rows.h"

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace mailcore::queue {

/// Bounds of what is under way at a time.
struct ScheduleLimits {
    std::size_t connections_max = 200;            ///< to all destinations together
    std::size_t destination_connections_max = 10; ///< to one
    std::size_t recipients_per_job_max =
        100; ///< of one message, in one transaction (RFC 5321 §4.5.3.1.8)
    std::size_t jobs_per_connection_max = 100;
    /// Waits after a destination could not be reached at all, doubling up to the second.
    std::chrono::seconds backoff_first{60};
    std::chrono::seconds backoff_max{3600};
};

/// Recipients of one message for one destination: what one SMTP transaction delivers.
struct Job {
    QueueId id;
    std::vector<std::uint32_t> indexes; ///< ascending
};

/// The queue's plan in memory: rows say what is due, this says what is done next and what not yet.
/// Holds what is due up to a horizon; the owner feeds it from `list_due` and from new mail.
/// Deterministic: time comes in with each call. One scheduler's thread.
class Schedule {
  public:
    explicit Schedule(ScheduleLimits limits) : limits_(limits) {}

    /// A recipient that is to be tried at `at`. Known already: its time is changed. `sender` is who
    /// the mail is from, for fairness: an account, or a host.
    void add(const Due& due, const std::string& destination, const std::string& sender);
    /// Held, removed or delivered by somebody else. One that is under way is left alone.
    void forget(QueueId id, std::uint32_t index);

    /// The next job to open a connection for; nothing: none may begin now. Its destination counts
    /// one connection more until `connection_closed`.
    struct Begin {
        std::string destination;
        Job job;
    };
    [[nodiscard]] std::optional<Begin> next(WallTime now);
    /// One more job for a connection that stands, nothing if the destination has no more that is
    /// due.
    [[nodiscard]] std::optional<Job> next_for(const std::string& destination, WallTime now);
    /// The job's recipients are no longer under way: the owner has removed them or adds them again.
    void done(const Job& job);
    /// A connection begun by `next` is over. `reached`: the other side spoke SMTP with us;
    /// otherwise the destination is left alone for a while, longer each time.
    void connection_closed(const std::string& destination, bool reached, WallTime now);

    /// When `next` may have something to say again; nothing: not before something is added or
    /// closed.
    [[nodiscard]] std::optional<WallTime> next_time(WallTime now) const;
    /// The clock was set back to `now`: what would wait longer than `wait_max` from here was
    /// planned in a time that is not true any more, and is due; no back-off is longer than
    /// `backoff_max`.
    void clock_set_back(WallTime now, std::chrono::seconds wait_max);
    /// Forgets a destination's back-off ("queue retry").
    void forgive(const std::string& destination);

    [[nodiscard]] std::size_t waiting() const { return items_.size(); }
    [[nodiscard]] std::size_t connections() const { return connections_; }

  private:
    struct Item {
        WallTime at;
        std::string destination;
        std::string sender;
        bool under_way = false;
    };
    using ItemId = std::pair<QueueId, std::uint32_t>;
    struct Destination {
        std::set<Due> due; ///< items of it that are not under way
        std::size_t connections = 0;
        std::size_t failures = 0;
        WallTime not_before{};
        std::map<std::string, std::uint64_t> served; ///< jobs given to each sender lately
    };
    [[nodiscard]] std::optional<Job> take(Destination& destination, WallTime now);
    void tidy(const std::string& name);

    ScheduleLimits limits_;
    std::map<ItemId, Item> items_;
    std::map<std::string, Destination> destinations_;
    std::string last_destination_; ///< where the round goes on
    std::size_t connections_ = 0;
};

} // namespace mailcore::queue
