// The top of a work item: what flies here is logged and goes no further.
#pragma once

#include "libmailcore/base/log.h"

#include <exception>
#include <utility>

namespace mailcore::net::detail {

/// Runs `work`. No exception may cross libuv's, c-ares's or a thread's frames.
template <class Function>
void guarded(const Log& log, std::string_view event, Function&& work) noexcept {
    try {
        std::forward<Function>(work)();
    } catch (const std::exception& error) {
        MAILCORE_LOG(log, Error, event, {{"error", error.what()}});
    } catch (...) {
        MAILCORE_LOG(log, Error, event, {{"error", "unknown exception"}});
    }
}

} // namespace mailcore::net::detail
