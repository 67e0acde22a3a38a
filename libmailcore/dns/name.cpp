#include "libmailcore/dns/name.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/codec/idna.h"

#include <fmt/format.h>

namespace mailcore::dns {

Result<Name, ParseError> Name::parse(std::string_view text) {
    const auto wrong = [](std::size_t at, std::string_view expected) {
        return std::unexpected(ParseError{at, expected});
    };
    if (text.empty()) return wrong(0, "a domain name");
    if (text == ".") return Name();
    std::string wire;
    std::string label;
    for (std::size_t at = 0; at < text.size();) {
        const auto start = at;
        char c = text[at++];
        const bool dot = c == '.';
        if (c == '\\') {
            if (at == text.size()) return wrong(at, "an escaped octet");
            c = text[at++];
            if (codec::is_digit(c)) {
                if (at + 2 > text.size() || !codec::is_digit(text[at]) ||
                    !codec::is_digit(text[at + 1]))
                    return wrong(start, "\\DDD");
                const int value = (c - '0') * 100 + (text[at] - '0') * 10 + (text[at + 1] - '0');
                if (value > 255) return wrong(start, "\\DDD up to 255");
                c = static_cast<char>(value);
                at += 2;
            }
        } else if (!codec::is_visible(c)) {
            return wrong(start, "a visible ASCII octet");
        }
        if (!dot) {
            if (label.size() == label_octets_max)
                return wrong(start, "a label of at most 63 octets");
            label += codec::lower(c);
        }
        if (dot || at == text.size()) {
            if (label.empty()) return wrong(start, "a label");
            if (wire.size() + 1 + label.size() + 1 > name_octets_max)
                return wrong(start, "a name of at most 255 octets");
            wire += static_cast<char>(label.size());
            wire += label;
            label.clear();
        }
    }
    wire += '\0';
    return Name(std::move(wire));
}

Result<Name, ParseError> Name::parse_unicode(std::string_view text) {
    bool ascii = true;
    for (const char c : text) ascii = ascii && !codec::is_8bit(c);
    if (ascii) return parse(text);
    const auto a_labels = codec::domain_to_ascii(text);
    if (!a_labels) return std::unexpected(ParseError{0, "an internationalised domain name"});
    return parse(*a_labels);
}

std::optional<Name> Name::from_wire(std::string_view wire) {
    if (wire.empty() || wire.size() > name_octets_max) return std::nullopt;
    std::size_t at = 0;
    while (at < wire.size() && wire[at] != '\0') {
        const auto octets = static_cast<unsigned char>(wire[at]);
        if (octets > label_octets_max) return std::nullopt;
        at += 1u + octets;
    }
    if (at + 1 != wire.size()) return std::nullopt;
    // A length octet is at most 63 and so never taken for an upper-case letter.
    return Name(codec::lower(wire));
}

Name Name::reverse(const IpAddress& address) {
    const auto zone = address.is_v4() ? ".in-addr.arpa" : ".ip6.arpa";
    auto name = parse(reversed_labels(address) + zone);
    MAILCORE_ASSERT(name);
    return *std::move(name);
}

std::optional<Name> Name::below(std::string_view prefix) const {
    const auto name = parse(prefix);
    if (!name) return std::nullopt;
    return below(*name);
}

std::optional<Name> Name::below(const Name& prefix) const {
    auto wire = prefix.wire_;
    wire.pop_back();
    wire += wire_;
    if (wire.size() > name_octets_max) return std::nullopt;
    return Name(std::move(wire));
}

Name Name::parent() const {
    if (is_root()) return {};
    return Name(wire_.substr(1u + static_cast<unsigned char>(wire_[0])));
}

bool Name::is_within(const Name& other) const {
    if (wire_.size() < other.wire_.size()) return false;
    const auto surplus = wire_.size() - other.wire_.size();
    if (wire_.compare(surplus, std::string::npos, other.wire_) != 0) return false;
    std::size_t at = 0; // the common end must begin at a label
    while (at < surplus) at += 1u + static_cast<unsigned char>(wire_[at]);
    return at == surplus;
}

std::size_t Name::labels() const {
    std::size_t count = 0;
    for (std::size_t at = 0; wire_[at] != '\0'; at += 1u + static_cast<unsigned char>(wire_[at]))
        ++count;
    return count;
}

std::string Name::to_string() const {
    if (is_root()) return ".";
    std::string text;
    for (std::size_t at = 0; wire_[at] != '\0';) {
        const auto end = at + 1u + static_cast<unsigned char>(wire_[at]);
        if (at > 0) text += '.';
        for (++at; at < end; ++at) {
            const char c = wire_[at];
            if (!codec::is_visible(c)) {
                text += fmt::format("\\{:03}", static_cast<unsigned char>(c));
                continue;
            }
            // What a zone file gives a meaning to (RFC 1035 §5.1).
            if (std::string_view(".\\\"();@$").find(c) != std::string_view::npos) text += '\\';
            text += c;
        }
    }
    return text;
}

std::string reversed_labels(const IpAddress& address) {
    std::string text;
    const auto octets = address.octets();
    for (auto i = octets.rbegin(); i != octets.rend(); ++i) {
        const auto octet = static_cast<unsigned char>(*i);
        if (!text.empty()) text += '.';
        if (address.is_v4()) {
            text += std::to_string(octet);
            continue;
        }
        text += codec::hex_digits_lower[octet & 15];
        text += '.';
        text += codec::hex_digits_lower[octet >> 4];
    }
    return text;
}

} // namespace mailcore::dns
