// The header that proxies put before a connection to say who is behind them (PROXY protocol 1 and
// 2).
#pragma once

#include "libmailcore/base/peer.h"
#include "libmailcore/base/result.h"

#include <cstddef>
#include <optional>
#include <string_view>

namespace mailcore::net {

/// No header is longer: 107 octets of version 1, 16 and what it states of version 2.
inline constexpr std::size_t proxy_header_octets_max = 4096;

struct ProxyHeader {
    std::size_t octets = 0; ///< how long it is; what follows is the connection's own
    /// Both ends as the proxy sees them; nothing: the proxy speaks for itself (LOCAL, UNKNOWN).
    struct Ends {
        IpAddress source;
        std::uint16_t source_port = 0;
        IpAddress destination;
        std::uint16_t destination_port = 0;
        friend bool operator==(const Ends&, const Ends&) = default;
    };
    std::optional<Ends> ends;
    friend bool operator==(const ProxyHeader&, const ProxyHeader&) = default;
};

/// Reads the header that `octets` must begin with; nothing while it is not whole. TLVs are skipped.
/// Fails with the offset of what no header has. Source: haproxy's doc/proxy-protocol.txt,
/// version 2.
Result<std::optional<ProxyHeader>, ParseError> parse_proxy_header(std::string_view octets);

} // namespace mailcore::net
