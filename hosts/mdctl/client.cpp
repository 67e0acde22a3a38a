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

namespace mdctl {

using mailcore::ErrorKind;

void stop(const std::string& text, int status) {
    fmt::print(stderr, "mdctl: {}\n", text);
    std::exit(status);
}

namespace {

int exit_status(const mailcore::Error& error) { return error.kind == ErrorKind::NotFound ? 3 : 1; }

ErrorKind parse_kind(const std::string& text) {
    using enum ErrorKind;
    for (const auto kind : {Rejected, Unavailable, NotFound, Conflict, LimitExceeded, Corrupt})
        if (text == to_string(kind)) return kind;
    return Rejected;
}

std::string socket_path(const std::string& folder) { return folder + "/control.sock"; }

/// A socket to the server, or -1 and errno.
int connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        stop("the path of the control socket is too long: " + path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return -1;
    if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
        return socket;
    const int error = errno;
    ::close(socket);
    errno = error;
    return -1;
}

[[noreturn]] void explain(const std::string& folder, int error) {
    const auto path = socket_path(folder);
    if (error == EACCES) stop("no right to open " + path + "; run as the server's user or root");
    stop(fmt::format("no server answers at {} ({}).\n  Is it running? Start it with: mdserver "
                     "run {}\n  Is it another "
                     "folder? Name it with: mdctl -d DIR ...",
                     path, std::strerror(error), folder));
}

class SocketSession final : public Session {
  public:
    explicit SocketSession(int socket) : socket_(socket) {}
    SocketSession(const SocketSession&) = delete;
    SocketSession& operator=(const SocketSession&) = delete;
    ~SocketSession() override { ::close(socket_); }

    mailcore::Result<Json> ask(const Json& request) override {
        const auto line = request.dump(-1, ' ', false, Json::error_handler_t::replace) + "\r\n";
        for (std::size_t at = 0; at < line.size();) {
            const auto count = ::send(socket_, line.data() + at, line.size() - at, MSG_NOSIGNAL);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) return gone();
            at += static_cast<std::size_t>(count);
        }
        std::string answer;
        char buffer[65536];
        while (!answer.ends_with('\n')) {
            const auto count = ::recv(socket_, buffer, sizeof buffer, 0);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) return gone();
            answer.append(buffer, static_cast<std::size_t>(count));
        }
        auto json = Json::parse(answer, nullptr, false);
        if (!json.is_object())
            return mailcore::fail(ErrorKind::Corrupt, "the server's answer is not understood");
        if (json.contains("error"))
            return mailcore::fail(parse_kind(json.value("kind", "")),
                                  json["error"].get<std::string>());
        return std::move(json["ok"]);
    }

  private:
    static std::unexpected<mailcore::Error> gone() {
        return mailcore::fail(ErrorKind::Unavailable, "the server has closed the connection");
    }
    int socket_;
};

/// Without a server the store can be opened here: for what needs nothing but the store.
std::unique_ptr<Session> open_offline_session(const std::string& folder) {
    mailcore::base::PosixFileSystem files;
    const auto path = folder + "/mdserver.toml";
    const auto text = mailcore::base::read_file(files, path, 1024 * 1024);
    if (!text) return nullptr;
    auto config = mailcore::server::parse_config(*text);
    if (!config) stop(config.error().to_string(path));
    config->data = folder;
    auto session = open_store(std::move(*config));
    if (!session) stop(session.error().detail, exit_status(session.error()));
    return std::move(*session);
}

bool needs_store_only(const std::string& method) {
    for (const auto* group :
         {"account.", "alias.", "backup.", "domain.", "email.", "mailbox.", "queue.", "rule."})
        if (method.starts_with(group)) return true;
    return false;
}

/// The server's session, or the store's; ends the program if there is none.
std::unique_ptr<Session> open(const std::string& folder, bool store_will_do) {
    const int socket = connect(socket_path(folder));
    if (socket >= 0) return std::make_unique<SocketSession>(socket);
    const int error = errno;
    if (store_will_do && (error == ENOENT || error == ECONNREFUSED))
        if (auto session = open_offline_session(folder)) return session;
    explain(folder, error);
}

} // namespace

std::unique_ptr<Session> open_server_session(const std::string& folder) {
    const int socket = connect(socket_path(folder));
    if (socket < 0) return nullptr;
    return std::make_unique<SocketSession>(socket);
}

std::unique_ptr<Session> open_session(const std::string& folder) { return open(folder, true); }

Json ask(const std::string& folder, const Json& request) {
    auto answer = open(folder, needs_store_only(request.value("method", "")))->ask(request);
    if (!answer) stop(answer.error().detail, exit_status(answer.error()));
    return std::move(*answer);
}

} // namespace mdctl
