// US-ASCII without locales: classes of octets, case, trimming.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace mailcore::codec {

[[nodiscard]] constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
[[nodiscard]] constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
[[nodiscard]] constexpr bool is_alpha(char c) { return is_upper(c) || is_lower(c); }
[[nodiscard]] constexpr bool is_alnum(char c) { return is_alpha(c) || is_digit(c); }
/// Space or tab: the WSP of RFC 5234 appendix B.1.
[[nodiscard]] constexpr bool is_wsp(char c) { return c == ' ' || c == '\t'; }
/// Space, tab, CR or LF.
[[nodiscard]] constexpr bool is_space(char c) { return is_wsp(c) || c == '\r' || c == '\n'; }
/// 0x00 to 0x1F and 0x7F.
[[nodiscard]] constexpr bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}
/// 0x21 to 0x7E: the VCHAR of RFC 5234 appendix B.1.
[[nodiscard]] constexpr bool is_visible(char c) { return c > 0x20 && c < 0x7F; }
[[nodiscard]] constexpr bool is_8bit(char c) { return static_cast<unsigned char>(c) >= 0x80; }

[[nodiscard]] constexpr char lower(char c) { return is_upper(c) ? static_cast<char>(c + 32) : c; }
[[nodiscard]] constexpr char upper(char c) { return is_lower(c) ? static_cast<char>(c - 32) : c; }

[[nodiscard]] inline std::string lower(std::string_view text) {
    std::string out(text);
    for (auto& c : out) c = lower(c);
    return out;
}
[[nodiscard]] inline std::string upper(std::string_view text) {
    std::string out(text);
    for (auto& c : out) c = upper(c);
    return out;
}

/// Equal but for the case of ASCII letters. Octets above 0x7F must be equal.
[[nodiscard]] constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
    return true;
}
[[nodiscard]] constexpr bool starts_with_ignoring_case(std::string_view text,
                                                       std::string_view prefix) {
    return text.size() >= prefix.size() &&
           equal_ignoring_case(text.substr(0, prefix.size()), prefix);
}
[[nodiscard]] constexpr bool ends_with_ignoring_case(std::string_view text,
                                                     std::string_view suffix) {
    return text.size() >= suffix.size() &&
           equal_ignoring_case(text.substr(text.size() - suffix.size()), suffix);
}
/// Where `needle` first stands in `text`, ignoring ASCII case; npos if nowhere.
[[nodiscard]] constexpr std::size_t find_ignoring_case(std::string_view text,
                                                       std::string_view needle) {
    for (std::size_t at = 0; at + needle.size() <= text.size(); ++at)
        if (equal_ignoring_case(text.substr(at, needle.size()), needle)) return at;
    return std::string_view::npos;
}

/// Orders and looks up names whose ASCII case does not matter.
struct LessIgnoringCase {
    using is_transparent = void;
    [[nodiscard]] constexpr bool operator()(std::string_view a, std::string_view b) const {
        return std::lexicographical_compare(
            a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
                return static_cast<unsigned char>(lower(x)) < static_cast<unsigned char>(lower(y));
            });
    }
};

/// Without white space (space, tab, CR, LF) at the ends.
[[nodiscard]] constexpr std::string_view trim_left(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    return text;
}
[[nodiscard]] constexpr std::string_view trim_right(std::string_view text) {
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}
[[nodiscard]] constexpr std::string_view trim(std::string_view text) {
    return trim_left(trim_right(text));
}

} // namespace mailcore::codec
