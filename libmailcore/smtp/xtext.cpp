#include "libmailcore/smtp/xtext.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/hex.h"

namespace mailcore::smtp {

std::string xtext_encode(std::string_view octets) {
    std::string text;
    text.reserve(octets.size());
    for (const char c : octets) {
        if (codec::is_visible(c) && c != '+' && c != '=') {
            text += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        text += '+';
        text += codec::hex_digits_upper[octet >> 4];
        text += codec::hex_digits_upper[octet & 15];
    }
    return text;
}

std::optional<std::string> xtext_decode(std::string_view text) {
    const auto digit = [](char c) { return codec::is_lower(c) ? -1 : codec::hex_value(c); };
    std::string octets;
    octets.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '+') {
            if (text.size() - at < 3) return std::nullopt;
            const int high = digit(text[at + 1]), low = digit(text[at + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            octets += static_cast<char>(high * 16 + low);
            at += 2;
        } else if (codec::is_visible(text[at]) && text[at] != '=') {
            octets += text[at];
        } else {
            return std::nullopt;
        }
    }
    return octets;
}

} // namespace mailcore::smtp
