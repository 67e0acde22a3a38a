// Waits for a task where nobody can wait.
#pragma once

#include "libmailcore/base/task.h"
#include "tests/sim/virtual_scheduler.h"

#include <optional>
#include <stdexcept>
#include <utility>

namespace mailcore::world {

namespace detail {

template <class T>
Task<void> keep(Task<T> task, std::optional<T>& answer) {
    auto value = co_await std::move(task);
    answer.emplace(std::move(value));
}

} // namespace detail

/// Runs a task to its end while time stands still.
template <class T>
T run_now(sim::VirtualScheduler& scheduler, Task<T> task) {
    std::optional<T> answer;
    Scope scope(scheduler);
    scope.spawn(detail::keep(std::move(task), answer));
    scheduler.run_ready();
    if (!answer) throw std::runtime_error("a task waits for something that does not come");
    return std::move(*answer);
}

} // namespace mailcore::world
