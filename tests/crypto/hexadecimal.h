// Octets as the standards print them.
#pragma once

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>

namespace mailcore::test {

inline std::string hexadecimal(std::string_view octets) {
    std::string text;
    for (const char octet : octets)
        text += fmt::format("{:02x}", static_cast<unsigned char>(octet));
    return text;
}

template <std::size_t size>
std::string hexadecimal(const std::array<unsigned char, size>& octets) {
    return hexadecimal(std::string_view(reinterpret_cast<const char*>(octets.data()), size));
}

inline std::string octets(std::string_view hex) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    std::string result;
    for (std::size_t at = 0; at + 1 < hex.size(); at += 2)
        result += static_cast<char>(digit(hex[at]) * 16 + digit(hex[at + 1]));
    return result;
}

} // namespace mailcore::test
