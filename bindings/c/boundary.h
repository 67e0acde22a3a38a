// The edge between C and C++: arguments in, statuses and texts out, no exception across.
#pragma once

#include "bindings/c/mailcore.h"

#include "libmailcore/base/result.h"

#include <concepts>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace mailcore::c {

inline constexpr std::size_t request_octets_max = 64 * 1024 * 1024;

[[nodiscard]] mailcore_status status_of(ErrorKind kind) noexcept;

/// Memory for `mailcore_free`, ended by NUL; NULL: there is none.
[[nodiscard]] char* copy_text(std::string_view text) noexcept;

/// Hands `text` out. std::bad_alloc: there is no memory.
void hand_out(char** into, std::string_view text);

/// Set while a callback of ours runs on this thread: what would wait for it is refused.
class InCallback {
  public:
    InCallback() noexcept;
    ~InCallback();
    InCallback(const InCallback&) = delete;
    InCallback& operator=(const InCallback&) = delete;
    [[nodiscard]] static bool here() noexcept;
};

/// Fails inside a callback.
[[nodiscard]] Result<void> outside_callbacks();

/// What `work() -> Result<void>` did, with every exception turned into a status.
template <class Work>
mailcore_status guarded(char** why, Work&& work) noexcept {
    if (why) *why = nullptr;
    auto status = MAILCORE_OK;
    const auto failed = [&](mailcore_status what, std::string_view text) {
        status = what;
        if (why) *why = copy_text(text);
    };
    try {
        if (const Result<void> done = work(); !done)
            failed(status_of(done.error().kind), done.error().detail);
    } catch (const std::bad_alloc&) {
        failed(MAILCORE_NO_MEMORY, "out of memory");
    } catch (const std::system_error& error) { // a thread that the system does not give
        failed(MAILCORE_UNAVAILABLE, error.what());
    } catch (const std::exception& error) {
        failed(MAILCORE_FAULT, error.what());
    } catch (...) {
        failed(MAILCORE_FAULT, "an unknown error");
    }
    return status;
}

/// The caller's struct as this library knows it: fields that the caller does not know are zero.
/// Rejected: it sets fields that this library does not know, or its size cannot be.
template <class Struct>
Result<Struct> take_struct(const Struct* given, std::string_view name) {
    static_assert(std::is_trivially_copyable_v<Struct>);
    Struct taken{};
    taken.size = sizeof taken;
    if (!given) return taken;
    constexpr std::size_t size_max = 4096; // no struct of ours will ever be larger
    const auto size = given->size;
    if (size < sizeof(std::size_t) || size > size_max)
        return fail(ErrorKind::Rejected,
                    std::string(name) + ".size: expected sizeof, not " + std::to_string(size));
    const auto* octets = reinterpret_cast<const unsigned char*>(given);
    for (auto at = sizeof taken; at < size; ++at)
        if (octets[at] != 0)
            return fail(ErrorKind::Rejected,
                        std::string(name) + ": sets a field that this library does not know");
    std::memcpy(&taken, given, size < sizeof taken ? size : sizeof taken);
    taken.size = sizeof taken;
    return taken;
}

/// Rejected: a pointer that may not be NULL is.
[[nodiscard]] Result<void> needed(const void* argument, std::string_view name);

/// A text that may be NULL, then empty. LimitExceeded: longer than a request may be.
[[nodiscard]] Result<std::string> take_text(const char* text, std::string_view name);

/// Octets with a length; NULL only if there are none.
[[nodiscard]] Result<std::string_view> take_octets(const char* octets, std::size_t length);

} // namespace mailcore::c
