#include "tests/sim/virtual_scheduler.h"

namespace mailcore::sim {

WallTime VirtualScheduler::wall_now() const {
    return WallTime{std::chrono::floor<std::chrono::microseconds>(now_.time_since_epoch()) +
                    wall_offset_};
}

void VirtualScheduler::post(Work work) {
    const std::scoped_lock lock(mutex_);
    ready_.push_back(std::move(work));
}

void VirtualScheduler::offload(Work work) {
    const std::scoped_lock lock(mutex_);
    offloaded_.push_back(std::move(work));
}

TimerId VirtualScheduler::start_timer(Instant at, Work work) {
    ++last_timer_.value;
    timers_.emplace(at, Timer{last_timer_, std::move(work)});
    return last_timer_;
}

void VirtualScheduler::cancel_timer(TimerId timer) {
    for (auto i = timers_.begin(); i != timers_.end(); ++i)
        if (i->second.id == timer) {
            timers_.erase(i);
            return;
        }
}

std::size_t VirtualScheduler::run_ready() {
    for (std::size_t count = 0;; ++count) {
        Work work;
        {
            const std::scoped_lock lock(mutex_);
            auto& queue = ready_.empty() ? offloaded_ : ready_;
            if (queue.empty()) return count;
            work = std::move(queue.front());
            queue.pop_front();
        }
        work();
    }
}

void VirtualScheduler::run_until(Instant at) {
    run_ready();
    while (!timers_.empty() && timers_.begin()->first <= at) step();
    now_ = std::max(now_, at);
    run_ready();
}

bool VirtualScheduler::step() {
    run_ready();
    if (timers_.empty()) return false;
    const auto first = timers_.begin();
    now_ = std::max(now_, first->first);
    auto work = std::move(first->second.work);
    timers_.erase(first);
    work();
    run_ready();
    return true;
}

std::optional<Instant> VirtualScheduler::next_timer() const {
    if (timers_.empty()) return std::nullopt;
    return timers_.begin()->first;
}

} // namespace mailcore::sim
