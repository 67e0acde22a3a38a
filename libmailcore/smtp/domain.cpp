#include "libmailcore/smtp/domain.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"

namespace mailcore::smtp {

namespace {

/// Octets of the letter, digit or UTF-8 character at the front; 0 if there is none.
std::size_t let_dig(std::string_view text, Utf8 utf8) {
    if (text.empty()) return 0;
    if (codec::is_alnum(text.front())) return 1;
    if (utf8 == Utf8::Forbidden || !codec::is_8bit(text.front())) return 0;
    const auto step = codec::decode_utf8(text);
    return step.valid ? step.octets : 0;
}

} // namespace

Result<std::size_t, ParseError> scan_domain(std::string_view text, Utf8 utf8) {
    std::size_t at = 0;
    while (true) {
        const auto label = at;
        auto end = at; // behind the last let-dig: a label does not end with a hyphen
        while (at < text.size()) {
            if (const auto octets = let_dig(text.substr(at), utf8)) end = at += octets;
            else if (text[at] == '-' && at > label) ++at;
            else break;
        }
        if (end == label) return std::unexpected(ParseError{label, "a letter or digit"});
        if (end != at) return std::unexpected(ParseError{at, "a letter or digit after the hyphen"});
        if (end - label > label_octets_max)
            return std::unexpected(ParseError{label + label_octets_max, "a label of at most 63 octets"});
        if (end > domain_octets_max)
            return std::unexpected(ParseError{domain_octets_max, "a domain of at most 255 octets"});
        if (at == text.size() || text[at] != '.') return at;
        ++at;
    }
}

Result<std::size_t, ParseError> scan_address_literal(std::string_view text) {
    if (!text.starts_with('[')) return std::unexpected(ParseError{0, "'['"});
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::unexpected(ParseError{text.size(), "']'"});
    if (!literal_address(text.substr(0, end + 1)))
        return std::unexpected(ParseError{1, "an IPv4 address or IPv6: and an IPv6 address"});
    return end + 1;
}

bool is_domain(std::string_view text, Utf8 utf8) {
    const auto octets = scan_domain(text, utf8);
    return octets && *octets == text.size();
}

std::optional<IpAddress> literal_address(std::string_view text) {
    if (text.size() < 2 || text.front() != '[' || text.back() != ']') return std::nullopt;
    text = text.substr(1, text.size() - 2);
    constexpr std::string_view tag = "IPv6:";
    const bool v6 = codec::starts_with_ignoring_case(text, tag);
    if (v6) text.remove_prefix(tag.size());
    // One kind is never written as the other, though a mapped IPv6 address is an IPv4 one by value.
    if (v6 != text.contains(':')) return std::nullopt;
    return IpAddress::parse(text);
}

std::string to_literal(const IpAddress& address) {
    return (address.is_v6() ? "[IPv6:" : "[") + address.to_string() + "]";
}

} // namespace mailcore::smtp
