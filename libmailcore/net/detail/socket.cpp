#include "libmailcore/net/detail/socket.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

namespace mailcore::net::detail {

namespace {

constexpr int keepalive_idle_seconds = 300;

union AnyAddress {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un local;
    sockaddr_storage storage;
};

socklen_t to_kernel(const IpAddress& address, std::uint16_t port, AnyAddress& out) {
    out = {};
    if (address.is_v4()) {
        out.v4.sin_family = AF_INET;
        out.v4.sin_port = htons(port);
        std::memcpy(&out.v4.sin_addr, address.octets().data(), 4);
        return sizeof out.v4;
    }
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(port);
    std::memcpy(&out.v6.sin6_addr, address.octets().data(), 16);
    return sizeof out.v6;
}

Result<socklen_t> to_kernel(const std::string& path, AnyAddress& out) {
    out = {};
    if (path.empty() || path.size() >= sizeof out.local.sun_path)
        return fail(ErrorKind::Rejected,
                    fmt::format("UNIX socket path {}: empty or longer than {} octets", path,
                                sizeof out.local.sun_path - 1));
    out.local.sun_family = AF_UNIX;
    std::memcpy(out.local.sun_path, path.data(), path.size());
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
}

void from_kernel(const AnyAddress& address, IpAddress& ip, std::uint16_t& port) {
    if (address.any.sa_family == AF_INET) {
        std::array<std::uint8_t, 4> octets{};
        std::memcpy(octets.data(), &address.v4.sin_addr, octets.size());
        ip = IpAddress::v4(octets);
        port = ntohs(address.v4.sin_port);
    } else if (address.any.sa_family == AF_INET6) {
        std::array<std::uint8_t, 16> octets{};
        std::memcpy(octets.data(), &address.v6.sin6_addr, octets.size());
        ip = IpAddress::v6(octets);
        port = ntohs(address.v6.sin6_port);
    }
}

void set_option(int descriptor, int level, int name, int value) {
    // Only comfort depends on these; a kernel without one of them still serves.
    static_cast<void>(::setsockopt(descriptor, level, name, &value, sizeof value));
}

void tune(int descriptor, int family) {
    if (family == AF_UNIX) return;
    set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_seconds);
}

Result<Descriptor> make_socket(int family, std::string_view what) {
    Descriptor socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return base::fail_errno(errno, "cannot make a socket for", what);
    return socket;
}

/// Removes the socket of a process that is gone.
Result<void> remove_stale(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return {};
        return base::fail_errno(errno, "cannot look at", path);
    }
    if (!S_ISSOCK(status.st_mode))
        return fail(ErrorKind::Conflict, path + ": something else than a socket is there");
    AnyAddress address;
    MAILCORE_TRY(const auto size, to_kernel(path, address));
    MAILCORE_TRY(const auto probe, make_socket(AF_UNIX, path));
    if (::connect(probe.number(), &address.any, size) == 0 || errno == EAGAIN)
        return fail(ErrorKind::Conflict, path + ": somebody listens there");
    if (errno != ECONNREFUSED) return base::fail_errno(errno, "cannot probe", path);
    if (::unlink(path.c_str()) != 0) return base::fail_errno(errno, "cannot remove", path);
    return {};
}

} // namespace

std::string to_text(const IpAddress& address, std::uint16_t port) {
    return address.is_v6() ? fmt::format("[{}]:{}", address.to_string(), port)
                           : fmt::format("{}:{}", address.to_string(), port);
}

Result<Descriptor> listen_tcp(const IpAddress& address, std::uint16_t port, int backlog) {
    const auto what = to_text(address, port);
    AnyAddress kernel;
    const auto size = to_kernel(address, port, kernel);
    MAILCORE_TRY(auto socket, make_socket(kernel.any.sa_family, what));
    set_option(socket.number(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (address.is_v6()) set_option(socket.number(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (::bind(socket.number(), &kernel.any, size) != 0)
        return base::fail_errno(errno, "cannot bind to", what);
    if (::listen(socket.number(), backlog) != 0)
        return base::fail_errno(errno, "cannot listen on", what);
    return socket;
}

Result<Descriptor> listen_unix(const std::string& path, mode_t mode, int backlog) {
    AnyAddress kernel;
    MAILCORE_TRY(const auto size, to_kernel(path, kernel));
    MAILCORE_TRY(remove_stale(path));
    MAILCORE_TRY(auto socket, make_socket(AF_UNIX, path));
    // The file takes the socket's mode (less the umask) when it is made, so that it is never too
    // open.
    if (::fchmod(socket.number(), mode) != 0)
        return base::fail_errno(errno, "cannot set the mode of", path);
    if (::bind(socket.number(), &kernel.any, size) != 0)
        return base::fail_errno(errno, "cannot bind to", path);
    if (::chmod(path.c_str(), mode) != 0 || ::listen(socket.number(), backlog) != 0) {
        const int error = errno;
        ::unlink(path.c_str());
        return base::fail_errno(error, "cannot listen on", path);
    }
    return socket;
}

Result<Descriptor> adopt_listening(int descriptor) {
    const auto what = fmt::format("descriptor {}", descriptor);
    int listening = 0;
    socklen_t size = sizeof listening;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0)
        return base::fail_errno(errno, "cannot use", what);
    if (!listening) return fail(ErrorKind::Rejected, what + " does not listen");
    const int flags = ::fcntl(descriptor, F_GETFL);
    if (flags < 0 || ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0 ||
        ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0)
        return base::fail_errno(errno, "cannot use", what);
    return Descriptor(descriptor);
}

PeerInfo local_of(int descriptor) {
    PeerInfo info;
    AnyAddress address{};
    socklen_t size = sizeof address;
    if (::getsockname(descriptor, &address.any, &size) != 0) return info;
    info.transport =
        address.any.sa_family == AF_UNIX ? PeerInfo::Transport::Unix : PeerInfo::Transport::Tcp;
    from_kernel(address, info.local_address, info.local_port);
    return info;
}

PeerInfo peer_of(int descriptor) {
    auto info = local_of(descriptor);
    AnyAddress address{};
    socklen_t size = sizeof address;
    if (::getpeername(descriptor, &address.any, &size) == 0)
        from_kernel(address, info.address, info.port);
    return info;
}

Result<Descriptor, int> accept(int listening) {
    AnyAddress address{};
    socklen_t size = sizeof address;
    Descriptor socket(::accept4(listening, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) return std::unexpected(errno);
    tune(socket.number(), address.any.sa_family);
    return socket;
}

Result<Descriptor> connect_tcp(const IpAddress& address, std::uint16_t port,
                               const std::optional<IpAddress>& local) {
    const auto what = to_text(address, port);
    AnyAddress kernel;
    if (local) {
        if (local->family() != address.family())
            return fail(ErrorKind::Rejected,
                        "cannot connect from " + local->to_string() + " to " + what);
    }
    auto size = to_kernel(address, port, kernel);
    MAILCORE_TRY(auto socket, make_socket(kernel.any.sa_family, what));
    tune(socket.number(), kernel.any.sa_family);
    if (local) {
        AnyAddress own;
        const auto own_size = to_kernel(*local, 0, own);
        set_option(socket.number(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        if (::bind(socket.number(), &own.any, own_size) != 0)
            return base::fail_errno(errno, "cannot bind to", local->to_string());
    }
    if (::connect(socket.number(), &kernel.any, size) != 0 && errno != EINPROGRESS)
        return fail(ErrorKind::Unavailable,
                    fmt::format("cannot connect to {}: {}", what, strerrordesc_np(errno)));
    return socket;
}

Result<Descriptor> connect_unix(const std::string& path) {
    AnyAddress kernel;
    MAILCORE_TRY(const auto size, to_kernel(path, kernel));
    MAILCORE_TRY(auto socket, make_socket(AF_UNIX, path));
    if (::connect(socket.number(), &kernel.any, size) != 0)
        return fail(ErrorKind::Unavailable,
                    fmt::format("cannot connect to {}: {}", path, strerrordesc_np(errno)));
    return socket;
}

int connect_outcome(int descriptor) {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
    return error;
}

} // namespace mailcore::net::detail
