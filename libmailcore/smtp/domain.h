// Names of hosts as SMTP writes them: domains and address literals (RFC 5321 §4.1.2, §4.1.3).
#pragma once

#include "libmailcore/base/address.h"
#include "libmailcore/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::smtp {

/// Whether octets above 0x7F may stand in addresses (RFC 6531 §3.3).
enum class Utf8 : std::uint8_t { Forbidden, Allowed };

inline constexpr std::size_t domain_octets_max = 255; // RFC 5321 §4.5.3.1.2
inline constexpr std::size_t label_octets_max = 63;   // RFC 1035 §2.3.4

/// How many octets at the front of `text` are a Domain: labels of letters, digits and inner hyphens,
/// with `Utf8::Allowed` also valid UTF-8 (whether such a label is a U-label, IDNA tells). No dot at the
/// end, no underscore. Fails with the offset of the first octet that cannot continue a domain.
/// Source: RFC 5321 §4.1.2; RFC 6531 §3.3.
[[nodiscard]] Result<std::size_t, ParseError> scan_domain(std::string_view text, Utf8 utf8);

/// How many octets at the front of `text` are an address literal with its brackets: "[192.0.2.1]" or
/// "[IPv6:2001:db8::1]"; no other tag is registered. Source: RFC 5321 §4.1.3.
[[nodiscard]] Result<std::size_t, ParseError> scan_address_literal(std::string_view text);

/// The whole of `text` is a Domain.
[[nodiscard]] bool is_domain(std::string_view text, Utf8 utf8 = Utf8::Forbidden);
/// The address of a literal, brackets included; nothing if `text` is no literal.
[[nodiscard]] std::optional<IpAddress> literal_address(std::string_view text);
/// "[192.0.2.1]" or "[IPv6:2001:db8::1]".
[[nodiscard]] std::string to_literal(const IpAddress& address);

} // namespace mailcore::smtp
