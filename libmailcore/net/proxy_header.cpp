#include "libmailcore/net/proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace mailcore::net {

namespace {

constexpr std::string_view signature_v1 = "PROXY ";
constexpr std::string_view signature_v2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t line_octets_max = 107; // with its CRLF
constexpr std::size_t head_octets_v2 = 16;

std::unexpected<ParseError> wrong(std::size_t at, std::string_view expected) {
    return std::unexpected(ParseError{at, expected});
}

/// `octets` and `signature` agree as far as both go.
bool agrees(std::string_view octets, std::string_view signature) {
    const auto common = std::min(octets.size(), signature.size());
    return octets.substr(0, common) == signature.substr(0, common);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, port);
    const bool leading_zero = text.size() > 1 && text[0] == '0';
    if (text.empty() || error != std::errc() || stop != end || leading_zero) return std::nullopt;
    return port;
}

/// "TCP4 192.0.2.1 192.0.2.2 56324 443"; `start` is its offset in the header.
Result<ProxyHeader::Ends, ParseError> parse_line(std::string_view line, std::size_t start) {
    std::array<std::string_view, 5> words;
    std::array<std::size_t, 5> offsets{};
    std::size_t at = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto end = i + 1 < words.size() ? line.find(' ', at) : line.size();
        if (end == std::string_view::npos) return wrong(start + line.size(), "five words");
        words[i] = line.substr(at, end - at);
        offsets[i] = start + at;
        at = end + 1;
    }
    const bool v6 = words[0] == "TCP6";
    if (!v6 && words[0] != "TCP4") return wrong(offsets[0], "TCP4, TCP6 or UNKNOWN");
    ProxyHeader::Ends ends;
    for (const std::size_t i : {1u, 2u}) {
        const auto address = IpAddress::parse(words[i]);
        // A mapped IPv4 address in TCP6 is read as IPv4.
        if (!address || (address->is_v6() && !v6) ||
            (v6 && words[i].find(':') == std::string_view::npos))
            return wrong(offsets[i], "an address of this family");
        (i == 1 ? ends.source : ends.destination) = *address;
    }
    for (const std::size_t i : {3u, 4u}) {
        const auto port = parse_port(words[i]);
        if (!port) return wrong(offsets[i], "a port");
        (i == 3 ? ends.source_port : ends.destination_port) = *port;
    }
    return ends;
}

std::uint16_t number(std::string_view octets, std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(octets[at]) << 8 |
                                      static_cast<unsigned char>(octets[at + 1]));
}

template <std::size_t size>
std::array<std::uint8_t, size> address(std::string_view octets, std::size_t at) {
    std::array<std::uint8_t, size> out{};
    std::copy_n(octets.begin() + static_cast<std::ptrdiff_t>(at), size, out.begin());
    return out;
}

Result<std::optional<ProxyHeader>, ParseError> parse_v2(std::string_view octets) {
    if (octets.size() < head_octets_v2) return std::nullopt;
    const auto version_command = static_cast<unsigned char>(octets[12]);
    const auto family = static_cast<unsigned char>(octets[13]);
    if (version_command != 0x20 && version_command != 0x21)
        return wrong(12, "version 2, LOCAL or PROXY");
    ProxyHeader header;
    header.octets = head_octets_v2 + number(octets, 14);
    if (header.octets > proxy_header_octets_max) return wrong(14, "a shorter header");
    if (octets.size() < header.octets) return std::nullopt;
    const auto body = octets.substr(head_octets_v2, header.octets - head_octets_v2);
    if (version_command == 0x20 || (family != 0x11 && family != 0x21)) return header;
    const std::size_t size = family == 0x11 ? 4 : 16;
    if (body.size() < 2 * size + 4) return wrong(14, "room for both addresses");
    ProxyHeader::Ends ends;
    ends.source =
        size == 4 ? IpAddress::v4(address<4>(body, 0)) : IpAddress::v6(address<16>(body, 0));
    ends.destination =
        size == 4 ? IpAddress::v4(address<4>(body, 4)) : IpAddress::v6(address<16>(body, 16));
    ends.source_port = number(body, 2 * size);
    ends.destination_port = number(body, 2 * size + 2);
    header.ends = ends;
    return header;
}

} // namespace

Result<std::optional<ProxyHeader>, ParseError> parse_proxy_header(std::string_view octets) {
    if (agrees(octets, signature_v2)) return parse_v2(octets);
    if (!agrees(octets, signature_v1)) return wrong(0, "a PROXY header");
    const auto end = octets.substr(0, line_octets_max).find("\r\n");
    if (end == std::string_view::npos) {
        if (octets.size() >= line_octets_max) return wrong(line_octets_max, "the end of the line");
        return std::nullopt;
    }
    ProxyHeader header;
    header.octets = end + 2;
    const auto line = octets.substr(signature_v1.size(), end - signature_v1.size());
    if (line != "UNKNOWN" && !line.starts_with("UNKNOWN ")) {
        MAILCORE_TRY(header.ends, parse_line(line, signature_v1.size()));
    }
    return header;
}

} // namespace mailcore::net
