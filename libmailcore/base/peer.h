// What is known about the other end of a connection.
#pragma once

#include "libmailcore/base/address.h"

#include <cstdint>
#include <optional>
#include <string>

namespace mailcore::base {

/// The facts of an established TLS session.
struct TlsFacts {
    std::string version;     ///< "TLSv1.2" or "TLSv1.3"
    std::string cipher;      ///< IANA name of the cipher suite
    std::string server_name; ///< SNI as the client sent it, lower case; empty: none
    std::string alpn;        ///< agreed protocol; empty: none
    std::string
        exporter_binding; ///< tls-exporter channel binding, 32 octets (RFC 9266); empty: none
    std::string peer_certificate; ///< DER; empty: none was shown
    bool peer_verified = false;   ///< its chain and name were checked and good
};

/// One end of a connection as the other sees it. A value; changes only when TLS starts.
struct PeerInfo {
    enum class Transport : std::uint8_t { Tcp, Unix, Pipe };

    Transport transport = Transport::Pipe;
    IpAddress address; ///< the peer's; unspecified unless Tcp
    std::uint16_t port = 0;
    IpAddress local_address;
    std::uint16_t local_port = 0;
    std::optional<TlsFacts> tls;

    /// A peer on this machine: loopback, a UNIX socket, or a pipe inside the process.
    [[nodiscard]] bool is_local() const {
        return transport != Transport::Tcp || address.is_loopback();
    }
};

} // namespace mailcore::base

namespace mailcore {
using base::PeerInfo;
using base::TlsFacts;
} // namespace mailcore
