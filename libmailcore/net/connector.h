// Outgoing connections over sockets.
#pragma once

#include "libmailcore/base/connector.h"
#include "libmailcore/net/connection.h"
#include "libmailcore/tls/client_context.h"

#include <map>
#include <memory>

namespace mailcore::net {

struct ConnectorOptions {
    /// Absent: dialogues must not ask for TLS, and `implicit_tls` fails with Rejected.
    std::shared_ptr<tls::ClientContext> tls;
    tls::Alpn alpn;
    ConnectionOptions connection;
    /// Servers whose session tickets are remembered, which saves most of the next handshake.
    std::size_t tickets_max = 256;
};

/// base::Connector on a loop. It outlives its connections. Loop thread only.
class Connector final : public base::Connector {
  public:
    Connector(Loop& loop, ConnectorOptions options, Log log = {});
    ~Connector() override;

    Task<Result<std::unique_ptr<base::Connection>>>
    connect(base::Destination to, base::ConnectOptions options, base::Dialogue& dialogue) override;
    /// Drives `dialogue` over a transport that stands, such as one end of a pipe.
    std::unique_ptr<base::Connection> drive(std::unique_ptr<Transport> transport, PeerInfo peer,
                                            base::ConnectOptions options, base::Dialogue& dialogue);

  private:
    class Outgoing;
    void remember(std::shared_ptr<const tls::ClientTicket> ticket);
    [[nodiscard]] std::shared_ptr<const tls::ClientTicket> ticket(const std::string& server) const;

    Loop& loop_;
    ConnectorOptions options_;
    Log log_;
    std::map<std::string, std::shared_ptr<const tls::ClientTicket>> tickets_; // by server name
};

} // namespace mailcore::net
