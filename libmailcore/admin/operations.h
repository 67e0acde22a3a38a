// Everything that an administrator does to a running server's state, as typed requests.
#pragma once

#include "libmailcore/accounts/store_directory.h"
#include "libmailcore/base/log.h"
#include "libmailcore/base/task.h"
#include "libmailcore/mime/parser.h"
#include "libmailcore/queue/message.h"
#include "libmailcore/store/store.h"

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace mailcore::admin {

/// Bounds of requests and answers. A request is at most one line of that length; of the octets of
/// mail in one answer `answer_octets_max` count, before they are written as base64.
inline constexpr std::size_t request_octets_max = 1024 * 1024;
inline constexpr std::size_t answer_octets_max = 1024 * 1024;
inline constexpr std::size_t emails_max = 1'000; ///< in one request, in one answer
inline constexpr std::size_t uploads_max = 16;   ///< begun and not yet used

/// Messages that are handed in piece by piece, because one request has no room for them. One that
/// is begun when there are `uploads_max` takes the place of the oldest.
struct Uploads {
    struct Upload {
        std::unique_ptr<store::BlobWriter> writer;
        mime::Parser parser;
    };
    std::map<std::uint64_t, Upload> begun;
    std::uint64_t next = 1;
};

/// Mail of the past that is being filed again.
struct PastRestore;

/// What operations work on, and for whom. One caller at a time.
struct Context {
    store::Store& store;
    accounts::StoreDirectory& directory;
    /// Tells the courier that rows of a message changed; `now`: try at once.
    std::function<void(queue::QueueId id, bool now)> queue_changed;
    std::string actor; ///< for the audit event: "control", an account's address
    Log log;
    std::uint64_t message_octets_max = 64 * 1024 * 1024; ///< of one that is added
    Uploads uploads{};
    std::shared_ptr<PastRestore> restore{}; ///< begun and not finished
    /// Keeps the files that `backup.list` named last in place while they are copied.
    std::shared_ptr<const void> backup{};
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
