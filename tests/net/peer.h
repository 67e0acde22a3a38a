// The other end of a connection as a test holds it: a plain blocking socket, each wait of which
// ends.
#pragma once

#include "libmailcore/net/acceptor.h"
#include "libmailcore/net/loops.h"
#include "libmailcore/tls/session.h"
#include "tests/net/echo.h"

#include <arpa/inet.h>
#include <condition_variable>
#include <cstring>
#include <future>
#include <mutex>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace mailcore::net_test {

class Peer {
  public:
    explicit Peer(std::uint16_t port, int receive_buffer = 0) {
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (receive_buffer > 0)
            ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
        limit();
    }
    explicit Peer(const std::string& path) {
        fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un to{};
        to.sun_family = AF_UNIX;
        std::memcpy(to.sun_path, path.data(), path.size());
        connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
        limit();
    }
    Peer(Peer&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_),
          tls_(std::move(other.tls_)) {}
    ~Peer() {
        if (fd_ >= 0) ::close(fd_);
    }

    [[nodiscard]] bool connected() const { return connected_; }
    [[nodiscard]] int fd() const { return fd_; }
    bool send(std::string_view octets) {
        if (tls_) {
            if (tls_->send(octets) != octets.size()) return false;
            return flush();
        }
        return raw_send(octets);
    }
    bool raw_send(std::string_view octets) {
        while (!octets.empty()) {
            const auto sent = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            octets.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    void finish_sending() { ::shutdown(fd_, SHUT_WR); }
    /// A line without its end; "<end>", "<reset>" or "<timeout>".
    std::string line() {
        while (true) {
            if (const auto end = got_.find('\n'); end != std::string::npos) {
                auto out = got_.substr(0, end);
                got_.erase(0, end + 1);
                return out;
            }
            const auto why = more();
            if (!why.empty()) return why;
        }
    }
    /// How many octets come until the end; "reset" counts as one.
    std::size_t drain() {
        std::size_t count = got_.size();
        got_.clear();
        while (more().empty()) {
            count += got_.size();
            got_.clear();
        }
        return count;
    }
    /// Shakes hands; false: it failed.
    bool start_tls(std::shared_ptr<tls::ClientContext> context) {
        tls::ClientTarget target;
        target.check = tls::PeerCheck::Unchecked;
        tls_.emplace(
            tls::Session::connect(std::move(context), std::move(target), clock_.wall_now()));
        while (tls_->state() == tls::State::Handshaking) {
            if (!flush()) return false;
            if (!more().empty()) return false;
        }
        return flush() && tls_->state() == tls::State::Open;
    }
    [[nodiscard]] tls::Session& tls() { return *tls_; }

  private:
    void limit() {
        timeval ten{10, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &ten, sizeof ten);
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &ten, sizeof ten);
    }
    bool flush() {
        for (const auto piece : tls_->output()) {
            if (!raw_send(piece)) return false;
        }
        std::size_t sent = 0;
        for (const auto piece : tls_->output()) sent += piece.size();
        tls_->output_sent(sent);
        return true;
    }
    std::string more() {
        char buffer[65536];
        const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
        if (got == 0) return "<end>";
        if (got < 0) return errno == EAGAIN ? "<timeout>" : "<reset>";
        std::string_view octets(buffer, static_cast<std::size_t>(got));
        if (!tls_) {
            got_ += octets;
            return {};
        }
        while (!octets.empty()) {
            octets.remove_prefix(tls_->receive(octets, clock_.wall_now()));
            got_ += tls_->plaintext();
            tls_->consume(tls_->plaintext().size());
            if (tls_->state() == tls::State::PeerClosed) return got_.empty() ? "<end>" : "";
            if (tls_->state() == tls::State::Failed) return "<tls failed>";
        }
        return {};
    }

    int fd_ = -1;
    bool connected_ = false;
    std::string got_;
    std::optional<tls::Session> tls_;
    base::SystemClock clock_;
};

/// Runs a task on a loop and waits for what it answers, at most 20 seconds.
template <class T>
std::optional<T> run_on(net::Loop& loop, std::move_only_function<Task<T>()> make) {
    struct Shared {
        std::promise<T> promise;
        std::optional<Scope> scope;
    };
    auto shared = std::make_shared<Shared>();
    auto answer = shared->promise.get_future();
    loop.post([&loop, shared, make = std::move(make)]() mutable {
        shared->scope.emplace(loop);
        struct Run {
            static Task<void> run(Task<T> task, std::shared_ptr<Shared> to) {
                auto value = co_await std::move(task);
                to->promise.set_value(std::move(value));
            }
        };
        shared->scope->spawn(Run::run(make(), shared));
    });
    if (answer.wait_for(std::chrono::seconds(20)) != std::future_status::ready) return std::nullopt;
    auto value = answer.get();
    std::promise<void> cleaned;
    loop.post([shared, &cleaned] {
        shared->scope.reset();
        cleaned.set_value();
    });
    cleaned.get_future().wait();
    return value;
}

/// Runs a function on a loop and waits for it.
inline void on(net::Loop& loop, std::move_only_function<void()> work) {
    std::promise<void> done;
    loop.post([&] {
        work();
        done.set_value();
    });
    done.get_future().wait();
}

/// Two loops that run, an acceptor on them, and an echo service.
struct EchoServer {
    std::unique_ptr<net::Loops> loops;
    std::shared_ptr<EchoFactory> factory = std::make_shared<EchoFactory>();
    std::shared_ptr<net::Service> service = std::make_shared<net::Service>();
    std::unique_ptr<net::Acceptor> acceptor;

    explicit EchoServer(net::AcceptorOptions options = {}, unsigned count = 2, bool start = true,
                        Log log = {}) {
        net::LoopsOptions loop_options;
        loop_options.loops = count;
        loop_options.workers = 2;
        loops = *net::Loops::create(loop_options, log);
        acceptor = std::make_unique<net::Acceptor>(loops->all(), options);
        service->name = "echo";
        service->factory = factory;
        if (start) loops->start();
    }
    ~EchoServer() {
        loops->stop();
        acceptor.reset();
    }
    std::uint16_t listen() {
        return acceptor->listen(net::TcpEndpoint{*IpAddress::parse("127.0.0.1"), 0}, service)
            ->bound.local_port;
    }
    /// Waits until `done` holds, at most 10 seconds; looks once a turn of the first loop.
    bool until(std::function<bool()> done) {
        base::SystemClock clock;
        const auto limit = clock.now() + std::chrono::seconds(10);
        while (!done()) {
            if (clock.now() > limit) return false;
            std::promise<void> tick;
            auto& loop = (*loops)[0];
            loop.post([&] {
                loop.start_timer(loop.now() + std::chrono::milliseconds(1),
                                 [&] { tick.set_value(); });
            });
            tick.get_future().wait();
        }
        return true;
    }
    bool drain(std::chrono::milliseconds within) {
        std::promise<void> done;
        acceptor->drain(within, [&] { done.set_value(); });
        return done.get_future().wait_for(std::chrono::seconds(15)) == std::future_status::ready;
    }
};

} // namespace mailcore::net_test
