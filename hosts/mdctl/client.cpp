#include "client.h"

#include "offline.h"

#include "libmailcore/base/file.h"
#include "libmailcore/server/config_keys.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <optional>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace mdctl {

void stop(const std::string& text, int status) {
    fmt::print(stderr, "mdctl: {}\n", text);
    std::exit(status);
}

namespace {

/// Without a server the store can be opened here: for what needs nothing but the store.
std::optional<Json> ask_offline(const std::string& folder, const Json& request) {
    const auto method = request.value("method", "");
    if (method == "backup.list") {
        auto found = store_files_offline(folder);
        if (!found) stop(found.error().detail);
        return std::move(*found);
    }
    if (!method.starts_with("account.") && !method.starts_with("alias.") &&
        !method.starts_with("domain.") && !method.starts_with("queue.") &&
        !method.starts_with("rule."))
        return std::nullopt;
    mailcore::base::PosixFileSystem files;
    const auto path = folder + "/mdserver.toml";
    const auto text = mailcore::base::read_file(files, path, 1024 * 1024);
    if (!text) return std::nullopt;
    const auto config = mailcore::server::parse_config(*text);
    if (!config) stop(config.error().to_string(path));
    auto answer = run_offline(folder, config->hostname, {request});
    if (!answer)
        stop(answer.error().detail, answer.error().kind == mailcore::ErrorKind::NotFound ? 3 : 1);
    return std::move(*answer);
}

} // namespace

Connection::Connection(const std::string& folder) : folder_(folder) {
    const auto path = folder + "/control.sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        stop("the path of the control socket is too long: " + path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_ >= 0 &&
        ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
        return;
    error_ = errno;
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

Connection::~Connection() {
    if (socket_ >= 0) ::close(socket_);
}

Json Connection::ask(const Json& request) {
    const auto path = folder_ + "/control.sock";
    if (error_ == EACCES) stop("no right to open " + path + "; run as the server's user or root");
    if (socket_ < 0)
        stop(fmt::format("no server answers at {} ({}).\n  Is it running? Start it with: mdserver "
                         "run {}\n  Is it another "
                         "folder? Name it with: mdctl -d DIR ...",
                         path, std::strerror(error_), folder_));
    const auto line = request.dump(-1, ' ', false, Json::error_handler_t::replace) + "\r\n";
    for (std::size_t at = 0; at < line.size();) {
        const auto count = ::send(socket_, line.data() + at, line.size() - at, MSG_NOSIGNAL);
        if (count <= 0) stop("the server has closed the connection");
        at += static_cast<std::size_t>(count);
    }
    std::string answer;
    char buffer[65536];
    while (!answer.ends_with('\n')) {
        const auto count = ::recv(socket_, buffer, sizeof buffer, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) stop("the server has closed the connection");
        answer.append(buffer, static_cast<std::size_t>(count));
    }
    auto json = Json::parse(answer, nullptr, false);
    if (!json.is_object()) stop("the server's answer is not understood");
    if (json.contains("error"))
        stop(json["error"].get<std::string>(), json.value("kind", "") == "not found" ? 3 : 1);
    return json["ok"];
}

Json ask(const std::string& folder, const Json& request) {
    Connection connection(folder);
    if (connection.no_server())
        if (auto answer = ask_offline(folder, request)) return std::move(*answer);
    return connection.ask(request);
}

} // namespace mdctl
