// Domain names and address literals as mail writes them (RFC 5321 §4.1.2, §4.1.3; RFC 6531 §3.3).
#pragma once

#include "libmailcore/base/address.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::codec {

/// Whether labels may hold UTF-8 (U-labels).
enum class Utf8 : std::uint8_t { Forbidden, Allowed };

inline constexpr std::size_t domain_octets_max = 255; // RFC 5321 §4.5.3.1.2
inline constexpr std::size_t label_octets_max = 63;   // RFC 1035 §2.3.4

/// One or more labels of letters, digits and inner hyphens with dots between, no trailing dot, at
/// most 255 octets; with `Utf8::Allowed` also U-labels, which must be valid UTF-8 and, as A-labels,
/// fit as well.
[[nodiscard]] bool is_domain(std::string_view text, Utf8 utf8 = Utf8::Forbidden);

/// The one form in which a domain is stored and compared: A-labels, lower case, no trailing dot.
/// Nothing if it is no domain in the sense of `is_domain(text, Utf8::Allowed)`.
[[nodiscard]] std::optional<std::string> canonical_domain(std::string_view text);

/// "[192.0.2.1]" or "[IPv6:2001:db8::1]"; nothing for anything else, other tags included.
[[nodiscard]] std::optional<IpAddress> parse_address_literal(std::string_view text);
[[nodiscard]] std::string to_address_literal(const IpAddress& address);
/// Whether it is an address literal of any tag that the grammar knows: "[tag:dcontent]" too.
[[nodiscard]] bool is_address_literal(std::string_view text);

} // namespace mailcore::codec
