#include "libmailcore/net/connector.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/net/detail/socket.h"
#include "libmailcore/net/detail/socket_transport.h"

#include <fmt/format.h>

namespace mailcore::net {

namespace {

/// Waits until a socket that connects has an outcome. Its address must not change.
class Connecting final : private detail::Poll::Owner {
  public:
    Connecting(Loop& loop, int socket) : done_(loop), socket_(socket) {
        auto poll = detail::Poll::create(loop, socket, *this);
        if (!poll) {
            done_.completer().complete(ENOMEM);
            return;
        }
        poll_ = *std::move(poll);
        poll_->watch(false, true);
    }
    /// An errno, or 0: connected.
    base::Completion<int>& done() { return done_; }

  private:
    void polled(bool, bool) override {
        poll_->watch(false, false);
        done_.completer().complete(detail::connect_outcome(socket_));
    }
    base::Completion<int> done_;
    int socket_;
    std::unique_ptr<detail::Poll> poll_;
};

Task<int> wait_connected(Loop& loop, int socket) {
    Connecting connecting(loop, socket);
    const int error = co_await connecting.done();
    co_return error;
}

std::string to_text(const base::Destination& to) {
    if (const auto* tcp = std::get_if<base::TcpDestination>(&to))
        return detail::to_text(tcp->address, tcp->port);
    return std::get<base::UnixDestination>(to).path;
}

} // namespace

/// One outgoing connection with what its TLS wants to know.
class Connector::Outgoing final : public base::Connection, private net::Connection::Owner {
  public:
    Outgoing(Connector& connector, std::unique_ptr<Transport> transport, PeerInfo peer,
             base::ConnectOptions options, base::Dialogue& dialogue)
        : connector_(connector), options_(std::move(options)), dialogue_(dialogue),
          connection_(connector.loop_, &connector.loop_, std::move(transport), std::move(peer),
                      *this, connector.log_, connector.options_.connection) {}
    ~Outgoing() override { remember_ticket(); }

    void start() {
        connection_.start(options_.implicit_tls ? net::Connection::Begin::Tls
                                                : net::Connection::Begin::Plain);
    }
    void wake() override { connection_.wake(); }
    [[nodiscard]] const PeerInfo& peer() const override { return connection_.peer(); }
    [[nodiscard]] std::string_view failure() const override { return connection_.failure(); }

  private:
    base::Dialogue* begin(net::Connection& connection) override {
        if (connection.peer().tls)
            dialogue_.engine().transport_changed(connection.peer(), connector_.loop_.now());
        return &dialogue_;
    }
    std::optional<tls::Session> make_tls(net::Connection&, WallTime now) override {
        if (!connector_.options_.tls) return std::nullopt;
        tls::ClientTarget target;
        target.server_name = options_.server_name;
        target.check = options_.tls_check == base::TlsCheck::Verified ? tls::PeerCheck::Required
                                                                      : tls::PeerCheck::Unchecked;
        target.alpn = connector_.options_.alpn;
        target.ticket = connector_.ticket(options_.server_name);
        return tls::Session::connect(connector_.options_.tls, std::move(target), now);
    }
    void ended(net::Connection& connection) override {
        remember_ticket();
        // A dialogue whose handshake failed has not begun, but waits for it.
        if (!begun_tls_dialogue()) dialogue_.closed();
        if (!connection.failure().empty())
            MAILCORE_LOG(connector_.log_, Info, "net.connection.lost",
                         {{"peer", connection.peer().address.to_string()},
                          {"server_name", options_.server_name},
                          {"reason", connection.failure()}});
    }
    /// Whether the dialogue had its beginning, so that the driver has told it of the end.
    [[nodiscard]] bool begun_tls_dialogue() const {
        return !options_.implicit_tls || connection_.peer().tls.has_value();
    }
    void remember_ticket() {
        if (connection_.tls()) connector_.remember(connection_.tls()->ticket());
    }

    Connector& connector_;
    base::ConnectOptions options_;
    base::Dialogue& dialogue_;
    net::Connection connection_;
};

Connector::Connector(Loop& loop, ConnectorOptions options, Log log)
    : loop_(loop), options_(std::move(options)), log_(log) {}

Connector::~Connector() = default;

Task<Result<std::unique_ptr<base::Connection>>>
Connector::connect(base::Destination to, base::ConnectOptions options, base::Dialogue& dialogue) {
    if (options.implicit_tls && !options_.tls)
        co_return fail(ErrorKind::Rejected, "TLS is not configured for outgoing connections");
    const auto what = to_text(to);
    Result<detail::Descriptor> socket = detail::Descriptor();
    if (const auto* tcp = std::get_if<base::TcpDestination>(&to)) {
        socket = detail::connect_tcp(tcp->address, tcp->port, options.local_address);
        if (!socket) co_return std::unexpected(std::move(socket).error());
        const auto until = loop_.now() + options.connect_timeout;
        const std::optional<int> error =
            co_await base::with_deadline(wait_connected(loop_, socket->number()), until);
        if (!error)
            co_return fail(ErrorKind::Unavailable, "cannot connect to " + what + ": timeout");
        if (*error != 0)
            co_return fail(ErrorKind::Unavailable,
                           fmt::format("cannot connect to {}: {}", what, strerrordesc_np(*error)));
    } else {
        socket = detail::connect_unix(std::get<base::UnixDestination>(to).path);
        if (!socket) co_return std::unexpected(std::move(socket).error());
    }
    auto peer = detail::peer_of(socket->number());
    auto transport = detail::SocketTransport::create(loop_, *std::move(socket));
    if (!transport) co_return std::unexpected(std::move(transport).error());
    co_return drive(*std::move(transport), std::move(peer), std::move(options), dialogue);
}

std::unique_ptr<base::Connection> Connector::drive(std::unique_ptr<Transport> transport,
                                                   PeerInfo peer, base::ConnectOptions options,
                                                   base::Dialogue& dialogue) {
    auto outgoing = std::make_unique<Outgoing>(*this, std::move(transport), std::move(peer),
                                               std::move(options), dialogue);
    outgoing->start();
    return outgoing;
}

void Connector::remember(std::shared_ptr<const tls::ClientTicket> ticket) {
    if (!ticket || ticket->server_name.empty()) return;
    if (tickets_.size() >= options_.tickets_max && !tickets_.contains(ticket->server_name))
        tickets_.erase(tickets_.begin());
    if (options_.tickets_max > 0) {
        auto name = ticket->server_name;
        tickets_.insert_or_assign(std::move(name), std::move(ticket));
    }
}

std::shared_ptr<const tls::ClientTicket> Connector::ticket(const std::string& server) const {
    const auto found = tickets_.find(server);
    return found == tickets_.end() ? nullptr : found->second;
}

} // namespace mailcore::net
