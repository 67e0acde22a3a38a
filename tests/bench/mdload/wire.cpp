// Sockets that never block.
#include "tests/bench/mdload/wire.h"

#include "libmailcore/base/assert.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace mailcore::mdload {

namespace {

constexpr std::size_t pieces_max = 8;

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
        give_up(fmt::format("not an IPv4 address: {}", host));
    return address;
}

void without_delay(int descriptor) {
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// Lets the kernel choose the port at `connect`, so that a source address costs no port of its own.
void bind_source(int descriptor, std::size_t number) {
    const auto address = address_of(fmt::format("127.0.{}.1", number % 250), 0);
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        give_up(fmt::format("cannot leave from a loopback address: {}", std::strerror(errno)));
}

} // namespace

Wire::Wire(Loop& loop, WireUser& user, int descriptor)
    : loop_(loop), user_(user), descriptor_(descriptor) {
    without_delay(descriptor_);
    loop_.watch(descriptor_, *this, false);
}

void Wire::open(const Endpoint& endpoint) {
    close();
    endpoint_ = &endpoint;
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor_ < 0) give_up(fmt::format("no socket: {}", std::strerror(errno)));
    without_delay(descriptor_);
    if (endpoint.sources > 1)
        bind_source(descriptor_, static_cast<std::size_t>(descriptor_) % endpoint.sources);
    const auto address = address_of(endpoint.host, endpoint.port);
    connecting_ =
        ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0;
    if (connecting_ && errno != EINPROGRESS) {
        // From the loop: the owner is not ready to hear of it now.
        const auto why = fmt::format("cannot connect to {}:{}: {}", endpoint.host, endpoint.port,
                                     std::strerror(errno));
        loop_.at(loop_.now(), [this, why, life = life_] {
            if (life == life_) fail(why);
        });
        return;
    }
    writing_ = connecting_;
    loop_.watch(descriptor_, *this, writing_);
    if (endpoint.security == Security::Tls) start_tls();
    announce_secured_ = false;
}

void Wire::start_tls() {
    tls::ClientTarget target;
    target.server_name = "mx.example.test";
    target.check = tls::PeerCheck::Unchecked;
    if (endpoint_->resume) target.ticket = ticket_;
    tls_.emplace(tls::Session::connect(endpoint_->tls, std::move(target), loop_.wall_now()));
    announce_secured_ = true;
    if (!connecting_) flush();
}

void Wire::close() {
    if (descriptor_ < 0) return;
    ++life_;
    if (tls_) {
        if (endpoint_ && endpoint_->resume)
            if (auto ticket = tls_->ticket()) ticket_ = std::move(ticket);
        tls_->close();
        if (!connecting_ && tls_->state() != tls::State::Failed) flush_tls();
        tls_.reset();
    }
    ::close(descriptor_);
    descriptor_ = -1;
    connecting_ = writing_ = lending_ = false;
    unsent_.clear();
    unsent_begin_ = 0;
}

void Wire::fail(const std::string& why) {
    close();
    user_.lost(why);
}

void Wire::on_socket(bool readable, bool writable) {
    if (descriptor_ < 0) return;
    const auto life = life_;
    if (connecting_ && (readable || writable)) {
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) return fail(fmt::format("cannot connect: {}", std::strerror(error)));
        if (!writable) return;
        connecting_ = false;
    }
    if (writable) flush();
    if (readable && life == life_ && descriptor_ >= 0) read();
}

void Wire::read() {
    auto& buffer = loop_.read_buffer();
    const auto got = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got < 0) return fail(fmt::format("connection lost: {}", std::strerror(errno)));
    if (got == 0) return fail("the server has closed the connection");
    const std::string_view octets(buffer.data(), static_cast<std::size_t>(got));
    if (tls_)
        read_tls(octets);
    else
        user_.received(octets);
}

void Wire::read_tls(std::string_view octets) {
    const auto life = life_;
    while (true) {
        const auto taken = tls_->receive(octets, loop_.wall_now());
        octets.remove_prefix(taken);
        const auto plain = tls_->plaintext();
        if (announce_secured_ && tls_->state() == tls::State::Open) {
            announce_secured_ = false;
            user_.secured();
            if (life != life_) return;
        }
        if (!plain.empty()) {
            lending_ = true;
            user_.received(plain);
            if (life != life_) return;
            lending_ = false;
            tls_->consume(plain.size());
        } else if (taken == 0 || octets.empty()) {
            break;
        }
    }
    if (tls_->state() == tls::State::Failed)
        return fail(fmt::format("TLS: {}", tls_->failure_text()));
    if (tls_->state() == tls::State::PeerClosed) return fail("the server has closed TLS");
    flush();
}

void Wire::send(std::initializer_list<std::string_view> pieces) {
    if (descriptor_ < 0) return;
    std::array<iovec, pieces_max> vector;
    std::size_t count = 0, total = 0;
    for (const auto piece : pieces) {
        if (piece.empty()) continue;
        MAILCORE_ASSERT(count < pieces_max);
        vector[count++] = {const_cast<char*>(piece.data()), piece.size()};
        total += piece.size();
    }
    std::size_t sent = 0;
    if (!tls_ && !connecting_ && unsent_.empty()) {
        msghdr message{};
        message.msg_iov = vector.data();
        message.msg_iovlen = count;
        const auto done = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
        // An error shows at the next read.
        if (done > 0) sent = static_cast<std::size_t>(done);
        if (sent == total) return;
    }
    for (const auto piece : pieces) {
        const auto skipped = std::min(sent, piece.size());
        sent -= skipped;
        unsent_.append(piece.substr(skipped));
    }
    if (!connecting_ && !lending_) flush();
}

bool Wire::write_some(std::string_view octets, std::size_t& sent) {
    const auto done = ::send(descriptor_, octets.data(), octets.size(), MSG_NOSIGNAL);
    sent = done > 0 ? static_cast<std::size_t>(done) : 0;
    return sent > 0;
}

void Wire::flush_tls() {
    while (true) {
        const auto pieces = tls_->output();
        if (pieces.empty()) return;
        std::size_t sent = 0;
        if (!write_some(pieces.front(), sent)) return;
        tls_->output_sent(sent);
    }
}

void Wire::flush() {
    while (true) {
        const std::string_view waiting = std::string_view(unsent_).substr(unsent_begin_);
        std::size_t sent = 0;
        if (tls_) {
            flush_tls();
            if (!tls_->output().empty()) return want_writing(true);
            if (waiting.empty()) break;
            sent = tls_->send(waiting);
            if (sent == 0) break; // not yet: the handshake goes on
        } else {
            if (waiting.empty()) break;
            if (!write_some(waiting, sent)) return want_writing(true);
        }
        unsent_begin_ += sent;
        if (unsent_begin_ == unsent_.size()) {
            unsent_.clear();
            unsent_begin_ = 0;
        }
    }
    want_writing(false);
}

void Wire::want_writing(bool wanted) {
    if (wanted == writing_) return;
    writing_ = wanted;
    loop_.rewatch(descriptor_, *this, wanted);
}

} // namespace mailcore::mdload
