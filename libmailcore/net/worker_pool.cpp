#include "libmailcore/net/worker_pool.h"

#include "libmailcore/net/detail/guarded.h"

#include <csignal>

namespace mailcore::net {

WorkerPool::WorkerPool(unsigned threads, Log log) : log_(log) {
    // New threads inherit the mask: it is set around their making.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::run(Work work) {
    {
        const std::scoped_lock lock(mutex_);
        if (stopping_) return;
        queue_.push_back(std::move(work));
    }
    changed_.notify_one();
}

void WorkerPool::stop() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
}

std::size_t WorkerPool::waiting() const {
    const std::scoped_lock lock(mutex_);
    return queue_.size();
}

void WorkerPool::serve() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        auto work = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        detail::guarded(log_, "net.worker.failed", work);
        work = nullptr; // what it holds is let go outside of the lock too
        lock.lock();
    }
}

} // namespace mailcore::net
