// One request to a running server over its control socket.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace mdctl {

using Json = nlohmann::json;

/// Sends `request` (with "method" and fields) and returns what is in "ok". Ends the program with a
/// message that says what to do when the server does not run or refuses.
Json ask(const std::string& folder, const Json& request);

/// Prints `text` to standard error and ends the program.
[[noreturn]] void stop(const std::string& text, int status = 1);

} // namespace mdctl
