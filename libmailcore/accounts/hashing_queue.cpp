#include "libmailcore/accounts/hashing_queue.h"

namespace mailcore::accounts {

struct HashingQueue::State {
    struct Waiting {
        Scheduler* scheduler; // of who asks; it waits, so it lives
        Work work;
    };
    explicit State(HashingQueueOptions limits) : options(limits) {}
    const HashingQueueOptions options;
    std::mutex mutex;
    std::size_t running = 0;
    std::deque<Waiting> waiting;
};

HashingQueue::HashingQueue(HashingQueueOptions options)
    : state_(std::make_shared<State>(options)) {}
HashingQueue::~HashingQueue() = default;

bool HashingQueue::enqueue(const std::shared_ptr<State>& state, Scheduler& scheduler, Work work) {
    {
        const std::scoped_lock lock(state->mutex);
        if (state->running >= state->options.running_max) {
            if (state->waiting.size() >= state->options.waiting_max) return false;
            state->waiting.push_back({&scheduler, std::move(work)});
            return true;
        }
        ++state->running;
    }
    begin(state, scheduler, std::move(work));
    return true;
}

void HashingQueue::begin(const std::shared_ptr<State>& state, Scheduler& scheduler, Work work) {
    scheduler.offload([state, work = std::move(work)]() mutable {
        work();
        end(state);
    });
}

void HashingQueue::end(const std::shared_ptr<State>& state) {
    State::Waiting next{};
    {
        const std::scoped_lock lock(state->mutex);
        if (state->waiting.empty()) {
            --state->running;
            return;
        }
        next = std::move(state->waiting.front());
        state->waiting.pop_front();
    }
    begin(state, *next.scheduler, std::move(next.work));
}

std::size_t HashingQueue::waiting() const {
    const std::scoped_lock lock(state_->mutex);
    return state_->waiting.size();
}

} // namespace mailcore::accounts
