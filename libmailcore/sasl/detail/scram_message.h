// The grammar and the arithmetic that both halves of SCRAM share (RFC 5802 §3, §7).
#pragma once

#include "libmailcore/sasl/scram.h"

#include <optional>
#include <string>
#include <string_view>

namespace mailcore::sasl::detail {

/// "=2C" and "=3D" for ',' and '='.
[[nodiscard]] std::string encode_saslname(std::string_view name);
/// Nothing if empty, or with other uses of '=', or not UTF-8 without NUL.
[[nodiscard]] std::optional<std::string> decode_saslname(std::string_view text);

/// Takes "x=value" off the front of `rest`, with the comma after it; nothing, and `rest` as it was,
/// if another attribute stands there or the value is empty.
[[nodiscard]] std::optional<std::string_view> take_attribute(std::string_view& rest, char name);
/// What is left is extensions or nothing: *("," attr-val) without the first comma. Unknown ones are
/// ignored, "m" is not (§5.1).
[[nodiscard]] bool are_extensions(std::string_view rest);
/// 1*printable: visible ASCII without ','.
[[nodiscard]] bool is_nonce(std::string_view text);
/// 18 random octets in base64.
[[nodiscard]] std::string make_nonce(Random& random);

[[nodiscard]] std::string salted_password(ScramHash hash, std::string_view password,
                                          std::string_view salt, std::uint32_t iterations);
[[nodiscard]] std::string hmac(ScramHash hash, std::string_view key, std::string_view text);
[[nodiscard]] std::string digest(ScramHash hash, std::string_view text);
/// `a` and `b` have one size.
[[nodiscard]] std::string exclusive_or(std::string_view a, std::string_view b);
[[nodiscard]] constexpr std::size_t digest_octets(ScramHash hash) {
    return hash == ScramHash::Sha1 ? 20 : 32;
}

} // namespace mailcore::sasl::detail
