// Outgoing connections as delivery sees them: a dialogue and where it should take place.
#pragma once

#include "libmailcore/base/engine.h"
#include "libmailcore/base/result.h"
#include "libmailcore/base/task.h"

#include <memory>
#include <string>
#include <variant>

namespace mailcore::base {

struct TcpDestination {
    IpAddress address;
    std::uint16_t port = 0;
};
struct UnixDestination {
    std::string path;
};
using Destination = std::variant<TcpDestination, UnixDestination>;

/// What TLS must prove about the other end, chosen hop by hop.
enum class TlsCheck : std::uint8_t {
    None,     ///< encrypt if it can be had; nothing about the peer is checked (RFC 7435)
    Verified, ///< the chain and `server_name` must be good, or the connection fails
};

struct ConnectOptions {
    std::chrono::milliseconds connect_timeout{30'000}; ///< until the transport stands, without TLS
    bool implicit_tls = false;                         ///< TLS from the first octet on
    TlsCheck tls_check = TlsCheck::None;
    std::string server_name;                ///< for SNI and the name check
    std::optional<IpAddress> local_address; ///< to bind to; nothing: the kernel's choice
};

/// A connection under way; its driver moves octets between transport and engine. Destroying it
/// closes the transport at once. Loop thread only.
class Connection : public Waker {
  public:
    virtual ~Connection() = default;
    [[nodiscard]] virtual const PeerInfo& peer() const = 0;
    /// Why the transport was lost, for logs ("the certificate is not for this name"); empty: it was
    /// not. Known by the time of `Dialogue::closed`. Valid until the next call.
    [[nodiscard]] virtual std::string_view failure() const { return {}; }
};

/// Makes outgoing connections. Loop thread only.
class Connector {
  public:
    virtual ~Connector() = default;
    /// Connects and starts to drive `dialogue`, which must outlive the connection. Fails with
    /// Unavailable when the peer cannot be reached in time. With `implicit_tls` the handshake
    /// follows, and its failure is `dialogue.closed()`.
    virtual Task<Result<std::unique_ptr<Connection>>>
    connect(Destination to, ConnectOptions options, Dialogue& dialogue) = 0;
};

} // namespace mailcore::base

namespace mailcore {
using base::Connector;
} // namespace mailcore
