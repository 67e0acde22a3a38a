#include "libmailcore/codec/domain_name.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/idna.h"
#include "libmailcore/codec/utf8.h"

#include <algorithm>

namespace mailcore::codec {

namespace {

bool is_label(std::string_view label) {
    if (label.empty() || label.size() > label_octets_max) return false;
    if (label.front() == '-' || label.back() == '-') return false;
    return std::all_of(label.begin(), label.end(), [](char c) { return is_alnum(c) || c == '-'; });
}

bool is_ascii_domain(std::string_view text) {
    if (text.empty() || text.size() > domain_octets_max) return false;
    for (;;) {
        const auto dot = text.find('.');
        if (!is_label(text.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
    }
}

std::string_view between_brackets(std::string_view text) {
    if (text.size() < 2 || text.front() != '[' || text.back() != ']') return {};
    return text.substr(1, text.size() - 2);
}

} // namespace

bool is_domain(std::string_view text, Utf8 utf8) {
    if (is_ascii(text)) return is_ascii_domain(text);
    return utf8 == Utf8::Allowed && canonical_domain(text).has_value();
}

std::optional<std::string> canonical_domain(std::string_view text) {
    if (is_ascii(text)) return is_ascii_domain(text) ? std::optional(lower(text)) : std::nullopt;
    auto ascii = domain_to_ascii(text);
    return ascii && is_ascii_domain(*ascii) ? ascii : std::nullopt;
}

std::optional<IpAddress> parse_address_literal(std::string_view text) {
    auto inner = between_brackets(text);
    if (starts_with_ignoring_case(inner, "IPv6:")) {
        inner.remove_prefix(5);
        return inner.find(':') == std::string_view::npos ? std::nullopt : IpAddress::parse(inner);
    }
    return inner.find(':') != std::string_view::npos ? std::nullopt : IpAddress::parse(inner);
}

std::string to_address_literal(const IpAddress& address) {
    return (address.is_v6() ? "[IPv6:" : "[") + address.to_string() + "]";
}

bool is_address_literal(std::string_view text) {
    if (parse_address_literal(text)) return true;
    const auto inner = between_brackets(text);
    const auto colon = inner.find(':');
    if (colon == std::string_view::npos || colon + 1 == inner.size()) return false;
    const auto tag = inner.substr(0, colon);
    if (tag.empty() || equal_ignoring_case(tag, "IPv6") || tag.back() == '-') return false;
    const auto content = inner.substr(colon + 1);
    return std::all_of(tag.begin(), tag.end(), [](char c) { return is_alnum(c) || c == '-'; }) &&
           std::all_of(content.begin(), content.end(), [](char c) {
               return is_visible(c) && c != '[' && c != ']' &&
                      c != '\\'; // dcontent, RFC 5321 §4.1.3
           });
}

} // namespace mailcore::codec
