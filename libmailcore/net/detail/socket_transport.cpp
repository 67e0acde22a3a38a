#include "libmailcore/net/detail/socket_transport.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <sys/uio.h>

namespace mailcore::net::detail {

namespace {

constexpr std::size_t pieces_a_call = 64;

Transport::Moved failed(int error) {
    if (error == EAGAIN || error == EWOULDBLOCK) return {Transport::Moved::How::Blocked, 0, 0};
    return {Transport::Moved::How::Broken, 0, error};
}

} // namespace

Result<std::unique_ptr<SocketTransport>> SocketTransport::create(Loop& loop, Descriptor socket) {
    auto transport = std::unique_ptr<SocketTransport>(new SocketTransport(std::move(socket)));
    MAILCORE_TRY(transport->poll_, Poll::create(loop, transport->socket_.number(), *transport));
    return transport;
}

Transport::Moved SocketTransport::receive(std::span<char> into) {
    while (true) {
        const auto got = ::recv(socket_.number(), into.data(), into.size(), 0);
        if (got > 0) return {Moved::How::Some, static_cast<std::size_t>(got), 0};
        if (got == 0) return {Moved::How::End, 0, 0};
        if (errno != EINTR) return failed(errno);
    }
}

Transport::Moved SocketTransport::send(std::span<const std::string_view> pieces) {
    std::array<iovec, pieces_a_call> vectors;
    std::size_t count = 0;
    for (const auto piece : pieces) {
        if (count == vectors.size()) break;
        if (piece.empty()) continue;
        vectors[count++] = {const_cast<char*>(piece.data()), piece.size()};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    while (true) {
        const auto sent = ::sendmsg(socket_.number(), &message, MSG_NOSIGNAL);
        if (sent > 0) return {Moved::How::Some, static_cast<std::size_t>(sent), 0};
        if (sent == 0) return {Moved::How::Blocked, 0, 0};
        if (errno != EINTR) return failed(errno);
    }
}

void SocketTransport::finish_sending() {
    // ENOTCONN: the peer is gone already, which reading will tell.
    static_cast<void>(::shutdown(socket_.number(), SHUT_WR));
}

void SocketTransport::watch(Watcher& watcher, bool readable, bool writable) {
    watcher_ = &watcher;
    poll_->watch(readable, writable);
}

void SocketTransport::polled(bool readable, bool writable) { watcher_->ready(readable, writable); }

} // namespace mailcore::net::detail
