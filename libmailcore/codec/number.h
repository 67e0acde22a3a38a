// Unsigned decimal numbers: strictly read, written without allocation.
#pragma once

#include "libmailcore/codec/ascii.h"

#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::codec {

/// Reads the digits that `text` begins with and removes them. Nothing, with `text` unchanged, if
/// there is no digit or the number is above `max`.
template <class N>
[[nodiscard]] constexpr std::optional<N> take_number(std::string_view& text,
                                                     N max = std::numeric_limits<N>::max()) {
    N value = 0;
    std::size_t digits = 0;
    for (; digits < text.size() && is_digit(text[digits]); ++digits) {
        const auto digit = static_cast<N>(text[digits] - '0');
        if (value > max / 10 || value * 10 > max - digit) return std::nullopt;
        value = static_cast<N>(value * 10 + digit);
    }
    if (digits == 0) return std::nullopt;
    text.remove_prefix(digits);
    return value;
}

/// A text that is digits and nothing else (no sign, no space; leading zeros are fine), at most
/// `max`.
[[nodiscard]] constexpr std::optional<std::uint64_t>
parse_u64(std::string_view text, std::uint64_t max = std::numeric_limits<std::uint64_t>::max()) {
    const auto value = take_number<std::uint64_t>(text, max);
    return text.empty() ? value : std::nullopt;
}
[[nodiscard]] constexpr std::optional<std::uint32_t>
parse_u32(std::string_view text, std::uint32_t max = std::numeric_limits<std::uint32_t>::max()) {
    const auto value = take_number<std::uint32_t>(text, max);
    return text.empty() ? value : std::nullopt;
}

inline void append_number(std::string& into, std::uint64_t value) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    into.append(digits, static_cast<std::size_t>(end - digits));
}
/// With zeros before it, at least `width` digits wide.
inline void append_number(std::string& into, std::uint64_t value, unsigned width) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    const auto size = static_cast<std::size_t>(end - digits);
    if (size < width) into.append(width - size, '0');
    into.append(digits, size);
}

} // namespace mailcore::codec
