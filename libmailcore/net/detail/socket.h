// Sockets: addresses in and out of the kernel's form, listening, accepting, connecting.
#pragma once

#include "libmailcore/base/connector.h"
#include "libmailcore/base/peer.h"
#include "libmailcore/base/result.h"
#include "libmailcore/net/detail/descriptor.h"

#include <string>
#include <sys/socket.h>
#include <sys/stat.h>

namespace mailcore::net::detail {

/// "192.0.2.1:25" or "[2001:db8::1]:25".
[[nodiscard]] std::string to_text(const IpAddress& address, std::uint16_t port);

/// Listens with SO_REUSEADDR; an IPv6 wildcard takes IPv6 only. Port 0: the kernel's choice.
Result<Descriptor> listen_tcp(const IpAddress& address, std::uint16_t port, int backlog);
/// Removes a socket at `path` that nobody listens on any more; what else stands there is Conflict.
Result<Descriptor> listen_unix(const std::string& path, mode_t mode, int backlog);
/// Takes a descriptor that listens already. Rejected if it does not.
Result<Descriptor> adopt_listening(int descriptor);

/// Transport, addresses and ports of both ends, as far as the kernel says.
[[nodiscard]] PeerInfo peer_of(int descriptor);
/// Of a listening socket; port 0 for UNIX sockets.
[[nodiscard]] PeerInfo local_of(int descriptor);

/// Non-blocking, close-on-exec, no delay of small pieces. An errno as the error: the caller sorts.
Result<Descriptor, int> accept(int listening);

/// A socket that connects, or has connected. Unavailable if it cannot even begin.
Result<Descriptor> connect_tcp(const IpAddress& address, std::uint16_t port,
                               const std::optional<IpAddress>& local);
Result<Descriptor> connect_unix(const std::string& path);
/// The errno that connecting ended with, 0: connected.
[[nodiscard]] int connect_outcome(int descriptor);

} // namespace mailcore::net::detail
