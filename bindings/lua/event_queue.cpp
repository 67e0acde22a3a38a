#include "bindings/lua/event_queue.h"

#include <utility>

namespace mailcore::lua {

bool EventQueue::put(Event event) {
    const auto octets = event.json.size() + event.octets.size();
    {
        const std::scoped_lock lock(mutex_);
        if (closed_ || events_.size() >= events_max || octets_ + octets > octets_max) {
            ++dropped_;
            return false;
        }
        octets_ += octets;
        events_.push_back(std::move(event));
    }
    filled_.notify_one();
    return true;
}

std::optional<Event> EventQueue::take(std::chrono::duration<double> time) {
    std::unique_lock lock(mutex_);
    if (!filled_.wait_for(lock, time, [this] { return !events_.empty(); })) return std::nullopt;
    auto event = std::move(events_.front());
    events_.pop_front();
    octets_ -= event.json.size() + event.octets.size();
    return event;
}

std::uint64_t EventQueue::dropped() const {
    const std::scoped_lock lock(mutex_);
    return dropped_;
}

std::deque<Event> EventQueue::close() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    octets_ = 0;
    return std::exchange(events_, {});
}

} // namespace mailcore::lua
