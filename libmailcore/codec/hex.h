// Hexadecimal digits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mailcore::codec {

/// 0 to 15, or -1 if `c` is no hexadecimal digit. Both cases.
[[nodiscard]] constexpr int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}
inline constexpr std::string_view hex_digits_upper = "0123456789ABCDEF";
inline constexpr std::string_view hex_digits_lower = "0123456789abcdef";

/// Two lower-case digits an octet.
[[nodiscard]] std::string hex_encode(std::string_view octets);
/// Nothing if the number of digits is odd or one of them is none.
[[nodiscard]] std::optional<std::string> hex_decode(std::string_view digits);

} // namespace mailcore::codec
