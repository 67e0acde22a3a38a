#include "libmailcore/queue/schedule.h"

#include "libmailcore/base/assert.h"

#include <algorithm>

namespace mailcore::queue {

void Schedule::add(const Due& due, const std::string& destination, const std::string& sender) {
    const ItemId id{due.id, due.index};
    if (const auto found = items_.find(id); found != items_.end()) {
        if (found->second.under_way) return;
        destinations_[found->second.destination].due.erase(
            Due{found->second.at, due.id, due.index});
        tidy(found->second.destination);
    }
    items_[id] = Item{due.at, destination, sender, false};
    destinations_[destination].due.insert(due);
}

void Schedule::forget(QueueId id, std::uint32_t index) {
    const auto found = items_.find({id, index});
    if (found == items_.end() || found->second.under_way) return;
    const auto name = found->second.destination;
    destinations_[name].due.erase(Due{found->second.at, id, index});
    items_.erase(found);
    tidy(name);
}

/// What of a destination goes next: of the senders that wait, the one served least; of his, the
/// oldest message, with all its recipients here that are due.
std::optional<Job> Schedule::take(Destination& destination, WallTime now) {
    constexpr std::size_t looked_at_max =
        500; // bounded work: a sender with a million waits is seen as one
    std::map<std::string_view, Due> first_of;
    std::size_t looked_at = 0;
    for (const auto& due : destination.due) {
        if (due.at > now || ++looked_at > looked_at_max) break;
        first_of.try_emplace(items_.at({due.id, due.index}).sender, due);
    }
    if (first_of.empty()) return std::nullopt;
    const auto served = [&](std::string_view sender) {
        const auto found = destination.served.find(std::string(sender));
        return found == destination.served.end() ? std::uint64_t{0} : found->second;
    };
    const auto chosen = std::ranges::min_element(first_of, [&](const auto& a, const auto& b) {
        const auto served_a = served(a.first), served_b = served(b.first);
        return served_a != served_b ? served_a < served_b : a.second < b.second;
    });
    if (destination.served.size() > looked_at_max) destination.served.clear();
    ++destination.served[std::string(chosen->first)];

    Job job{chosen->second.id, {}};
    for (auto item = items_.lower_bound({job.id, 0});
         item != items_.end() && item->first.first == job.id &&
         job.indexes.size() < limits_.recipients_per_job_max;
         ++item) {
        auto& [id, facts] = *item;
        if (facts.under_way || facts.at > now) continue;
        if (!destination.due.contains(Due{facts.at, id.first, id.second})) continue;
        destination.due.erase(Due{facts.at, id.first, id.second});
        facts.under_way = true;
        job.indexes.push_back(id.second);
    }
    return job;
}

std::optional<Schedule::Begin> Schedule::next(WallTime now) {
    if (connections_ >= limits_.connections_max || destinations_.empty()) return std::nullopt;
    // Round robin over destinations, from behind the one that was served last.
    auto place = destinations_.upper_bound(last_destination_);
    for (std::size_t looked_at = 0; looked_at < destinations_.size(); ++looked_at, ++place) {
        if (place == destinations_.end()) place = destinations_.begin();
        auto& [name, destination] = *place;
        if (destination.connections >= limits_.destination_connections_max ||
            destination.not_before > now)
            continue;
        // While a destination is in doubt, one connection finds out for all.
        if (destination.failures > 0 && destination.connections > 0) continue;
        auto job = take(destination, now);
        if (!job) continue;
        ++destination.connections;
        ++connections_;
        last_destination_ = name;
        return Begin{name, std::move(*job)};
    }
    return std::nullopt;
}

std::optional<Job> Schedule::next_for(const std::string& name, WallTime now) {
    const auto found = destinations_.find(name);
    return found == destinations_.end() ? std::nullopt : take(found->second, now);
}

void Schedule::done(const Job& job) {
    for (const auto index : job.indexes) {
        const auto found = items_.find({job.id, index});
        MAILCORE_ASSERT(found != items_.end() && found->second.under_way);
        items_.erase(found);
    }
}

void Schedule::connection_closed(const std::string& name, bool reached, WallTime now) {
    auto& destination = destinations_[name];
    MAILCORE_ASSERT(destination.connections > 0 && connections_ > 0);
    --destination.connections;
    --connections_;
    if (reached) {
        destination.failures = 0;
        destination.not_before = {};
    } else {
        auto wait = limits_.backoff_first;
        for (std::size_t i = 0; i < destination.failures && wait < limits_.backoff_max; ++i)
            wait *= 2;
        ++destination.failures;
        destination.not_before = now + std::min(wait, limits_.backoff_max);
    }
    tidy(name);
    // Failures of destinations that nobody writes to any more are forgotten when their wait is
    // over.
    constexpr std::size_t destinations_wanted = 1'000;
    if (destinations_.size() > destinations_wanted)
        std::erase_if(destinations_, [&](const auto& entry) {
            return entry.second.due.empty() && entry.second.connections == 0 &&
                   entry.second.not_before <= now;
        });
}

std::optional<WallTime> Schedule::next_time(WallTime) const {
    std::optional<WallTime> first;
    if (connections_ >= limits_.connections_max) return std::nullopt;
    for (const auto& [name, destination] : destinations_) {
        if (destination.due.empty() ||
            destination.connections >= limits_.destination_connections_max ||
            (destination.failures > 0 && destination.connections > 0))
            continue;
        const auto at = std::max(destination.due.begin()->at, destination.not_before);
        first = first ? std::min(*first, at) : at;
    }
    return first;
}

void Schedule::clock_set_back(WallTime now, std::chrono::seconds wait_max) {
    for (auto& [name, destination] : destinations_)
        destination.not_before = std::min(destination.not_before, now + limits_.backoff_max);
    for (auto& [id, item] : items_) {
        if (item.at <= now + wait_max) continue;
        if (auto place = destinations_.find(item.destination);
            !item.under_way && place != destinations_.end()) {
            place->second.due.erase(Due{item.at, id.first, id.second});
            place->second.due.insert(Due{now, id.first, id.second});
        }
        item.at = now;
    }
}

void Schedule::forgive(const std::string& name) {
    const auto found = destinations_.find(name);
    if (found == destinations_.end()) return;
    found->second.not_before = {};
    found->second.failures = 0;
}

/// A destination without mail, connection or back-off is nothing to remember.
void Schedule::tidy(const std::string& name) {
    const auto found = destinations_.find(name);
    if (found != destinations_.end() && found->second.due.empty() &&
        found->second.connections == 0 && found->second.failures == 0)
        destinations_.erase(found);
}

} // namespace mailcore::queue
