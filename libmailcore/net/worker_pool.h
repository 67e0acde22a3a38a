// Threads for what may block: password hashes, signatures, compression, disk reads.
#pragma once

#include "libmailcore/base/log.h"
#include "libmailcore/base/scheduler.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace mailcore::net {

using base::Work;

/// A queue and the threads that work it off in order; shared by all loops. libuv's own pool is one
/// a process and configured by its environment, so it is not used. Any thread.
class WorkerPool {
  public:
    /// All signals are blocked in its threads.
    explicit WorkerPool(unsigned threads, Log log = {});
    /// Stops.
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    /// An exception that leaves `work` is logged. After `stop`, `work` is dropped.
    void run(Work work);
    /// Works off what is queued, then ends the threads. The schedulers that work posts its results
    /// to must still exist, running or not. Again: nothing.
    void stop();
    /// Queued and not yet begun.
    [[nodiscard]] std::size_t waiting() const;

  private:
    void serve();

    Log log_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Work> queue_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

} // namespace mailcore::net
