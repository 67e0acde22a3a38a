// Assertions on our own faults, on in release too. A peer's mistake is never an assertion.
#pragma once

namespace mailcore::base {

/// Prints the failed condition with its place and aborts. Any thread.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

} // namespace mailcore::base

#define MAILCORE_ASSERT(condition)                                                                 \
    (static_cast<bool>(condition)                                                                  \
         ? static_cast<void>(0)                                                                    \
         : ::mailcore::base::assertion_failed(#condition, __FILE__, __LINE__))
