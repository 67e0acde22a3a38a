// What every store must do, as a suite that each implementation runs.
#pragma once

#include "libmailcore/store/store.h"
#include "tests/sim/virtual_scheduler.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

namespace mailcore::test {

/// Makes a fresh, empty store; `clock` outlives it.
using StoreMaker = std::function<std::unique_ptr<store::Store>(const base::Clock& clock)>;

/// Runs the suite. To be called from a test case; it has sections.
void check_store_contract(const StoreMaker& make);

template <class T>
Task<void> keep_answer(Task<T> task, std::optional<T>& answer) {
    auto value = co_await std::move(task);
    answer.emplace(std::move(value));
}

/// Runs `task` on `scheduler` until it answers. Stores with threads of their own answer when they
/// can.
template <class T>
T run(sim::VirtualScheduler& scheduler, Task<T> task) {
    std::optional<T> answer;
    Scope scope(scheduler);
    scope.spawn(keep_answer(std::move(task), answer));
    while (!answer)
        if (scheduler.run_ready() == 0 && !answer) std::this_thread::yield();
    return std::move(*answer);
}

Task<Result<store::NewBlobRef>> hand_in(store::Store& store, Scheduler& scheduler,
                                        std::string octets, std::size_t piece_octets = 1 << 20);
/// All of a body, read in pieces.
Task<Result<std::string>> read_whole(store::Store& store, store::BlobId blob);

} // namespace mailcore::test
