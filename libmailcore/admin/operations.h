// Everything that an administrator does to a running server's state, as typed requests.
#pragma once

#include "libmailcore/accounts/store_directory.h"
#include "libmailcore/base/log.h"
#include "libmailcore/base/task.h"
#include "libmailcore/queue/message.h"
#include "libmailcore/store/store.h"

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace mailcore::admin {

/// What operations work on, and for whom.
struct Context {
    store::Store& store;
    accounts::StoreDirectory& directory;
    /// Tells the courier that rows of a message changed; `now`: try at once.
    std::function<void(queue::QueueId id, bool now)> queue_changed;
    std::string actor; ///< for the audit event: "control", an account's address
    Log log;
};

/// What a caller must be allowed to do.
enum class Permission : std::uint8_t { Look, Change };

/// One operation. Requests and answers are JSON objects, as the C ABI's events are.
struct Operation {
    std::string_view method; ///< "account.add"
    Permission permission;
    std::string_view request; ///< its fields, for people: "address, password, name?, quota?"
    std::string_view summary;
    Task<Result<std::string>> (*run)(Context& context, std::string request);
};

/// All of them, by name. Immutable.
[[nodiscard]] std::span<const Operation> operations();

/// Runs one and writes its audit event. NotFound: no such operation. Rejected: the request's fields
/// are not what the operation wants, or what it wants is not allowed; the text says what. `context`
/// outlives it.
Task<Result<std::string>> run(Context& context, std::string method, std::string request);

} // namespace mailcore::admin
