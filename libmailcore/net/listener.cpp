#include "libmailcore/net/listener.h"

#include "libmailcore/base/overloaded.h"
#include "libmailcore/net/detail/socket.h"

#include <cerrno>
#include <cstring>

namespace mailcore::net {

namespace {

constexpr int accepts_a_call = 64; // then others have their turn
constexpr std::chrono::milliseconds pause_time{500};
constexpr std::chrono::minutes between_shortages_told{1};

} // namespace

Result<ListeningSocket> ListeningSocket::open(const Endpoint& endpoint, int backlog) {
    ListeningSocket listening;
    auto socket = std::visit(
        overloaded{
            [&](const TcpEndpoint& tcp) {
                return detail::listen_tcp(tcp.address, tcp.port, backlog);
            },
            [&](const UnixEndpoint& local) {
                return detail::listen_unix(local.path, local.mode, backlog);
            },
            [&](const GivenEndpoint& given) { return detail::adopt_listening(given.descriptor); },
        },
        endpoint);
    if (!socket) return std::unexpected(std::move(socket).error());
    listening.socket_ = *std::move(socket);
    listening.bound_ = detail::local_of(listening.socket_.number());
    if (const auto* local = std::get_if<UnixEndpoint>(&endpoint)) listening.path_ = local->path;
    return listening;
}

ListeningSocket::~ListeningSocket() {
    if (socket_ && !path_.empty()) ::unlink(path_.c_str());
}

std::string ListeningSocket::to_string() const {
    if (bound_.transport == PeerInfo::Transport::Tcp)
        return detail::to_text(bound_.local_address, bound_.local_port);
    return path_.empty() ? "a given socket" : path_;
}

Result<std::unique_ptr<Listener>> Listener::create(Loop& loop, ListeningSocket socket,
                                                   Owner& owner) {
    auto listener = std::unique_ptr<Listener>(new Listener(loop, std::move(socket), owner));
    MAILCORE_TRY(listener->poll_,
                 detail::Poll::create(loop, listener->socket_.descriptor(), *listener));
    listener->poll_->watch(true, false);
    return listener;
}

Listener::~Listener() { loop_.cancel_timer(pause_); }

void Listener::polled(bool, bool) {
    for (int i = 0; i < accepts_a_call; ++i) {
        auto socket = detail::accept(socket_.descriptor());
        if (socket) {
            owner_.accepted(*this, *std::move(socket));
            continue;
        }
        switch (socket.error()) {
        case EAGAIN: return end_shortage();
        case EINTR:
        case ECONNABORTED: // gone before we came, and what Linux passes on of the new socket's
                           // network
        case ENETDOWN:
        case EPROTO:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH: continue;
        default: return pause(socket.error());
        }
    }
}

/// EMFILE and its like would come again at once, for as long as somebody waits in the backlog.
void Listener::pause(int error) {
    const auto now = loop_.now();
    if (!shortage_) shortage_ = Shortage{now};
    // Where descriptors come and go, one shortage follows the other.
    if (!shortage_->told && (!told_ || now - *told_ >= between_shortages_told)) {
        shortage_->told = true;
        told_ = now;
        MAILCORE_LOG(loop_.log(), Warning, "net.accept.paused",
                     {{"listener", socket_.to_string()}, {"error", strerrordesc_np(error)}});
    }
    poll_->watch(false, false);
    // Asks at once, since nobody need be waiting any more for the shortage to be over.
    pause_ = loop_.start_timer(now + pause_time, [this] {
        poll_->watch(true, false);
        polled(true, false);
    });
}

void Listener::end_shortage() {
    if (!shortage_) return;
    if (shortage_->told)
        MAILCORE_LOG(loop_.log(), Info, "net.accept.resumed",
                     {{"listener", socket_.to_string()},
                      {"paused_ms", std::chrono::duration_cast<std::chrono::milliseconds>(
                                        loop_.now() - shortage_->since)
                                        .count()}});
    shortage_.reset();
}

} // namespace mailcore::net
