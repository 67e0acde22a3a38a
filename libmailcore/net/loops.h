// Several loops, each on a thread of its own, and the pool that they share.
#pragma once

#include "libmailcore/net/loop.h"

#include <memory>
#include <thread>
#include <vector>

namespace mailcore::net {

struct LoopsOptions {
    unsigned loops = 0;   ///< 0: one a core
    unsigned workers = 0; ///< threads of the pool; 0: one a core, at least 2
};

/// Makes, runs, stops and destroys in the right order. The objects that live on the loops must be
/// gone before this is destroyed. One thread, which is none of the loops'.
class Loops {
  public:
    static Result<std::unique_ptr<Loops>> create(LoopsOptions options = {}, Log log = {});
    /// Stops.
    ~Loops();

    [[nodiscard]] std::size_t size() const { return loops_.size(); }
    [[nodiscard]] Loop& operator[](std::size_t index) { return *loops_[index]; }
    [[nodiscard]] std::vector<Loop*> all() const;
    [[nodiscard]] WorkerPool& pool() { return *pool_; }

    /// A thread for each loop. All signals are blocked in them: they are the caller's thread's.
    void start();
    /// Ends the loops' threads, then the pool's. What was posted and has not run is destroyed with
    /// the loops.
    void stop();

  private:
    Loops() = default;
    std::unique_ptr<WorkerPool> pool_;
    std::vector<std::unique_ptr<Loop>> loops_;
    std::vector<std::thread> threads_;
};

} // namespace mailcore::net
