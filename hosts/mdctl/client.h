// Requests to a running server over its control socket.
#pragma once

#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>

namespace mdctl {

using Json = nlohmann::json;

/// Sends `request` (with "method" and fields) and returns what is in "ok". Ends the program with a
/// message that says what to do when the server does not run or refuses.
Json ask(const std::string& folder, const Json& request);

/// Several requests of which the later need the earlier. All are answered by a server that runs.
class Connection {
  public:
    /// To the server of this data folder.
    explicit Connection(const std::string& folder);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    /// As `ask`, without its ways of doing without a server.
    Json ask(const Json& request);
    /// Nobody listens there.
    [[nodiscard]] bool no_server() const { return error_ == ENOENT || error_ == ECONNREFUSED; }

  private:
    const std::string folder_;
    int socket_ = -1;
    int error_ = 0; ///< why there is no connection
};

/// Prints `text` to standard error and ends the program.
[[noreturn]] void stop(const std::string& text, int status = 1);

} // namespace mdctl
