// How functions fail: the world's faults as Error, a text's faults as ParseError.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace mailcore::base {

/// What the caller should do about a failure; nothing else is branched on.
enum class ErrorKind {
    Rejected,      ///< refused for good: do not try again
    Unavailable,   ///< not now: try again later
    NotFound,      ///< what was named does not exist
    Conflict,      ///< somebody else changed it first, or it exists already
    LimitExceeded, ///< a stated limit (quota, size, count) is reached
    Corrupt,       ///< stored or received data contradicts itself
};

[[nodiscard]] std::string_view to_string(ErrorKind kind);

/// A failure of the world around us. `detail` is for logs and administrators, never for a protocol.
struct Error {
    ErrorKind kind;
    std::string detail;

    friend bool operator==(const Error&, const Error&) = default;
};

/// Where a text stops being what its grammar says. `expected` is a static string: no allocation on
/// hostile input.
struct ParseError {
    std::size_t offset = 0;
    std::string_view expected;

    friend bool operator==(const ParseError&, const ParseError&) = default;
};

template <class T, class E = Error>
using Result = std::expected<T, E>;

/// `return fail(ErrorKind::NotFound, "...")` from any function that answers a Result.
[[nodiscard]] inline std::unexpected<Error> fail(ErrorKind kind, std::string detail) {
    return std::unexpected(Error{kind, std::move(detail)});
}

/// The same for a system call that set `errno_value`, with what was being done and to what.
[[nodiscard]] std::unexpected<Error> fail_errno(int errno_value, std::string_view doing,
                                                std::string_view what = {});

} // namespace mailcore::base

namespace mailcore {
using base::Error;
using base::ErrorKind;
using base::fail;
using base::ParseError;
using base::Result;
} // namespace mailcore

#define MAILCORE_DETAIL_JOIN2(a, b) a##b
#define MAILCORE_DETAIL_JOIN(a, b) MAILCORE_DETAIL_JOIN2(a, b)
#define MAILCORE_DETAIL_PICK(a, b, name, ...) name

#define MAILCORE_DETAIL_TRY1(name, expression)                                                     \
    if (auto name = (expression); !name) return std::unexpected(std::move(name).error())
#define MAILCORE_DETAIL_TRY2(name, declaration, expression)                                        \
    auto name = (expression);                                                                      \
    if (!name) return std::unexpected(std::move(name).error());                                    \
    declaration = *std::move(name)
// What is awaited is named first: g++ 12 destroys braced and closure temporaries of a co_await
// twice.
#define MAILCORE_DETAIL_CO_TRY1(name, expression)                                                  \
    auto MAILCORE_DETAIL_JOIN(name, _awaited) = (expression);                                      \
    auto name = co_await std::move(MAILCORE_DETAIL_JOIN(name, _awaited));                          \
    if (!name) co_return std::unexpected(std::move(name).error())
#define MAILCORE_DETAIL_CO_TRY2(name, declaration, expression)                                     \
    auto MAILCORE_DETAIL_JOIN(name, _awaited) = (expression);                                      \
    auto name = co_await std::move(MAILCORE_DETAIL_JOIN(name, _awaited));                          \
    if (!name) co_return std::unexpected(std::move(name).error());                                 \
    declaration = *std::move(name)
#define MAILCORE_DETAIL_TRY_ONE(expression)                                                        \
    MAILCORE_DETAIL_TRY1(MAILCORE_DETAIL_JOIN(try_, __COUNTER__), expression)
#define MAILCORE_DETAIL_TRY_TWO(declaration, expression)                                           \
    MAILCORE_DETAIL_TRY2(MAILCORE_DETAIL_JOIN(try_, __COUNTER__), declaration, expression)
#define MAILCORE_DETAIL_CO_AWAIT1(name, expression)                                                \
    auto name = (expression);                                                                      \
    co_await std::move(name)
#define MAILCORE_DETAIL_CO_AWAIT2(name, declaration, expression)                                   \
    auto name = (expression);                                                                      \
    declaration = co_await std::move(name)
#define MAILCORE_DETAIL_CO_AWAIT_ONE(expression)                                                   \
    MAILCORE_DETAIL_CO_AWAIT1(MAILCORE_DETAIL_JOIN(awaited_, __COUNTER__), expression)
#define MAILCORE_DETAIL_CO_AWAIT_TWO(declaration, expression)                                      \
    MAILCORE_DETAIL_CO_AWAIT2(MAILCORE_DETAIL_JOIN(awaited_, __COUNTER__), declaration, expression)
#define MAILCORE_DETAIL_CO_TRY_ONE(expression)                                                     \
    MAILCORE_DETAIL_CO_TRY1(MAILCORE_DETAIL_JOIN(try_, __COUNTER__), expression)
#define MAILCORE_DETAIL_CO_TRY_TWO(declaration, expression)                                        \
    MAILCORE_DETAIL_CO_TRY2(MAILCORE_DETAIL_JOIN(try_, __COUNTER__), declaration, expression)

/// `MAILCORE_TRY(auto path, parse_path(text));` or `MAILCORE_TRY(file.sync());`: returns the error
/// to the caller, else goes on with the value. One a line, as a statement.
#define MAILCORE_TRY(...)                                                                          \
    MAILCORE_DETAIL_PICK(__VA_ARGS__, MAILCORE_DETAIL_TRY_TWO, MAILCORE_DETAIL_TRY_ONE)(__VA_ARGS__)

/// The same in a coroutine, for something that is awaited and answers a Result.
#define MAILCORE_CO_TRY(...)                                                                       \
    MAILCORE_DETAIL_PICK(__VA_ARGS__, MAILCORE_DETAIL_CO_TRY_TWO, MAILCORE_DETAIL_CO_TRY_ONE)      \
    (__VA_ARGS__)

/// `MAILCORE_CO_AWAIT(auto read, store.read([id](auto& txn) { ... }));` or, where nothing is wanted
/// of it, `MAILCORE_CO_AWAIT(finish(id, no("gone")));`: co_await for a call that is given closures,
/// braced values or the values of other calls.
#define MAILCORE_CO_AWAIT(...)                                                                     \
    MAILCORE_DETAIL_PICK(__VA_ARGS__, MAILCORE_DETAIL_CO_AWAIT_TWO, MAILCORE_DETAIL_CO_AWAIT_ONE)  \
    (__VA_ARGS__)
