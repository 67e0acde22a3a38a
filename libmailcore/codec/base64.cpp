#include "libmailcore/codec/base64.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace mailcore::codec {

namespace {

constexpr std::size_t line_characters = 76; // RFC 2045 §6.8

constexpr auto values = [] {
    std::array<std::int8_t, 256> table{};
    for (int c = 0; c < 256; ++c)
        table[static_cast<std::size_t>(c)] =
            static_cast<std::int8_t>(detail::base64_value(static_cast<char>(c)));
    return table;
}();

int value_of(char c) { return values[static_cast<unsigned char>(c)]; }

void quantum_of(const unsigned char* octets, char* out) {
    const auto bits = static_cast<std::uint32_t>(octets[0] << 16 | octets[1] << 8 | octets[2]);
    out[0] = detail::base64_digits[bits >> 18];
    out[1] = detail::base64_digits[bits >> 12 & 63];
    out[2] = detail::base64_digits[bits >> 6 & 63];
    out[3] = detail::base64_digits[bits & 63];
}

// The last, incomplete quantum of one or two octets, padded.
void last_quantum_of(const unsigned char* octets, std::size_t count, char* out) {
    const unsigned char padded[3] = {octets[0],
                                     count > 1 ? octets[1] : static_cast<unsigned char>(0), 0};
    quantum_of(padded, out);
    out[3] = '=';
    if (count == 1) out[2] = '=';
}

} // namespace

void base64_encode(std::string_view octets, std::string& into) {
    const auto* from = reinterpret_cast<const unsigned char*>(octets.data());
    const std::size_t whole = octets.size() / 3;
    const std::size_t rest = octets.size() % 3;
    const std::size_t start = into.size();
    into.resize(start + (whole + (rest != 0)) * 4);
    char* out = into.data() + start;
    for (std::size_t i = 0; i < whole; ++i, from += 3, out += 4) quantum_of(from, out);
    if (rest != 0) last_quantum_of(from, rest, out);
}

std::string base64_encode(std::string_view octets) {
    std::string out;
    base64_encode(octets, out);
    return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=')
        ++padding;
    std::string out;
    out.reserve(text.size() / 4 * 3);
    std::uint32_t bits = 0;
    const std::size_t digits = text.size() - padding;
    for (std::size_t i = 0; i < digits; ++i) {
        const int value = value_of(text[i]);
        if (value < 0) return std::nullopt;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        if (i % 4 == 3) {
            const char octets[3] = {static_cast<char>(bits >> 16), static_cast<char>(bits >> 8),
                                    static_cast<char>(bits)};
            out.append(octets, 3);
        }
    }
    if (padding == 1) {
        if ((bits & 3) != 0) return std::nullopt;
        out += static_cast<char>(bits >> 10);
        out += static_cast<char>(bits >> 2);
    } else if (padding == 2) {
        if ((bits & 15) != 0) return std::nullopt;
        out += static_cast<char>(bits >> 4);
    }
    return out;
}

void Base64Encoder::put(const char* quantum, std::string& into) {
    into.append(quantum, 4);
    column_ += 4;
    if (lines_ == Lines::Folded && column_ == line_characters) {
        into += "\r\n";
        column_ = 0;
    }
}

void Base64Encoder::encode(std::string_view octets, std::string& into) {
    char quantum[4];
    std::size_t at = 0;
    while (at < octets.size()) {
        if (held_octets_ == 0 && octets.size() - at >= 3) {
            quantum_of(reinterpret_cast<const unsigned char*>(octets.data() + at), quantum);
            at += 3;
            put(quantum, into);
            continue;
        }
        held_[held_octets_++] = static_cast<unsigned char>(octets[at++]);
        if (held_octets_ == 3) {
            quantum_of(held_, quantum);
            held_octets_ = 0;
            put(quantum, into);
        }
    }
}

void Base64Encoder::finish(std::string& into) {
    if (held_octets_ != 0) {
        char quantum[4];
        last_quantum_of(held_, held_octets_, quantum);
        held_octets_ = 0;
        put(quantum, into);
    }
    if (lines_ == Lines::Folded && column_ != 0) into += "\r\n";
    column_ = 0;
}

void Base64Decoder::flush(std::string& into) {
    if (digits_ == 3) {
        into += static_cast<char>(bits_ >> 10);
        into += static_cast<char>(bits_ >> 2);
    } else if (digits_ == 2) {
        into += static_cast<char>(bits_ >> 4);
    } else if (digits_ == 1) {
        damaged_ = true;
    }
    digits_ = 0;
    bits_ = 0;
}

void Base64Decoder::decode(std::string_view text, std::string& into) {
    std::size_t at = 0;
    const std::size_t start = into.size();
    into.resize(start + text.size() / 4 * 3 + 3);
    char* out = into.data() + start;
    while (at < text.size()) {
        if (digits_ == 0 && text.size() - at >= 4) {
            const int a = value_of(text[at]);
            const int b = value_of(text[at + 1]);
            const int c = value_of(text[at + 2]);
            const int d = value_of(text[at + 3]);
            if ((a | b | c | d) >= 0) {
                const auto bits = static_cast<std::uint32_t>(a << 18 | b << 12 | c << 6 | d);
                out[0] = static_cast<char>(bits >> 16);
                out[1] = static_cast<char>(bits >> 8);
                out[2] = static_cast<char>(bits);
                out += 3;
                at += 4;
                padding_ = 0;
                continue;
            }
        }
        const char c = text[at++];
        if (const int value = value_of(c); value >= 0) {
            padding_ = 0;
            bits_ = bits_ << 6 | static_cast<std::uint32_t>(value);
            if (++digits_ == 4) {
                out[0] = static_cast<char>(bits_ >> 16);
                out[1] = static_cast<char>(bits_ >> 8);
                out[2] = static_cast<char>(bits_);
                out += 3;
                digits_ = 0;
                bits_ = 0;
            }
        } else if (c == '=') {
            if (digits_ >= 2) {
                padding_ = 3 - digits_;
                std::string rest;
                flush(rest);
                std::memcpy(out, rest.data(), rest.size());
                out += rest.size();
            } else if (padding_ > 0) {
                --padding_;
            } else {
                damaged_ = true;
                digits_ = 0; // a lone digit says nothing
                bits_ = 0;
            }
        } else if (c != '\r' && c != '\n' && c != ' ' && c != '\t') {
            damaged_ = true;
        }
    }
    into.resize(static_cast<std::size_t>(out - into.data()));
}

void Base64Decoder::finish(std::string& into) {
    flush(into);
    padding_ = 0;
}

} // namespace mailcore::codec
