// Base64: whole and strict for protocols, octet by octet and forgiving for bodies (RFC 4648 §4, RFC
// 2045 §6.8).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::codec {

/// `octets` in base64 with padding and without line breaks.
[[nodiscard]] std::string base64_encode(std::string_view octets);
void base64_encode(std::string_view octets, std::string& into);

/// Strict: whole quanta with padding, zero bits behind the last octet, nothing else. Nothing
/// otherwise. Source: RFC 4648 §3.3, §3.5; what AUTH in SMTP (RFC 4954 §4), POP3 and IMAP asks for.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

/// Encodes a body in lines of 76 characters that end in CRLF, or in one line.
class Base64Encoder {
  public:
    enum class Lines : std::uint8_t { Folded, One };
    explicit Base64Encoder(Lines lines = Lines::Folded) : lines_(lines) {}

    /// Appends what is complete; up to two octets are kept back.
    void encode(std::string_view octets, std::string& into);
    /// Appends the rest, padding and, folded, the last line's CRLF; ready for the next body.
    void finish(std::string& into);

  private:
    void put(const char* quantum, std::string& into);
    Lines lines_;
    unsigned char held_[3] = {};
    std::size_t held_octets_ = 0;
    std::size_t column_ = 0;
};

/// Decodes a body cut anywhere. What is not of the alphabet is skipped (RFC 2045 §6.8); padding
/// ends a quantum, and what follows it is decoded as well (mail joined from several encoded
/// pieces).
class Base64Decoder {
  public:
    void decode(std::string_view text, std::string& into);
    /// Appends what a last, unpadded quantum holds; ready for the next body.
    void finish(std::string& into);
    /// Whether anything but line ends, padding in its place and the alphabet was seen since the
    /// start.
    [[nodiscard]] bool damaged() const { return damaged_; }

  private:
    void flush(std::string& into);
    std::uint32_t bits_ = 0;
    unsigned digits_ = 0;  // of the quantum under way, 0 to 3
    unsigned padding_ = 0; // '=' still due
    bool damaged_ = false;
};

namespace detail {
/// 0 to 63, or -1. `last` are the digits for 62 and 63: "+/" or, in mailbox names, "+,".
[[nodiscard]] constexpr int base64_value(char c, char digit63 = '/') {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == digit63 ? 63 : -1;
}
inline constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
} // namespace detail

} // namespace mailcore::codec
