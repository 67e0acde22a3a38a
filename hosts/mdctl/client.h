// Requests to a running server over its control socket, or to the store of one that does not run.
#pragma once

#include "libmailcore/base/result.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace mdctl {

using Json = nlohmann::json;

/// Sends `request` (with "method" and fields) and returns what is in "ok". Ends the program with a
/// message that says what to do when the server does not run or refuses.
Json ask(const std::string& folder, const Json& request);

/// Somebody to ask more than once: a connection that stays, or a store that is held open.
class Session {
  public:
    virtual ~Session() = default;
    /// What is in "ok". Unavailable: the server is gone. Else what the operation says.
    virtual mailcore::Result<Json> ask(const Json& request) = 0;
};
/// Nothing: no server answers.
std::unique_ptr<Session> open_server_session(const std::string& folder);
/// Ends the program if there is neither a server nor a store.
std::unique_ptr<Session> open_session(const std::string& folder);

/// Prints `text` to standard error and ends the program.
[[noreturn]] void stop(const std::string& text, int status = 1);

} // namespace mdctl
