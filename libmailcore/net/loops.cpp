#include "libmailcore/net/loops.h"

#include <algorithm>
#include <csignal>

namespace mailcore::net {

Result<std::unique_ptr<Loops>> Loops::create(LoopsOptions options, Log log) {
    const auto cores = std::max(1u, std::thread::hardware_concurrency());
    auto loops = std::unique_ptr<Loops>(new Loops);
    loops->pool_ = std::make_unique<WorkerPool>(
        options.workers > 0 ? options.workers : std::max(2u, cores), log);
    for (unsigned i = 0; i < (options.loops > 0 ? options.loops : cores); ++i) {
        MAILCORE_TRY(auto loop, Loop::create(*loops->pool_, log));
        loops->loops_.push_back(std::move(loop));
    }
    return loops;
}

Loops::~Loops() {
    stop();
    pool_->stop();
}

std::vector<Loop*> Loops::all() const {
    std::vector<Loop*> out;
    for (const auto& loop : loops_) out.push_back(loop.get());
    return out;
}

void Loops::start() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (const auto& loop : loops_) threads_.emplace_back([&each = *loop] { each.run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Loops::stop() {
    if (threads_.empty()) return;
    for (const auto& loop : loops_) loop->stop();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    pool_->stop();
}

} // namespace mailcore::net
