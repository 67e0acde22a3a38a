#include "libmailcore/accounts/address.h"

#include "libmailcore/codec/domain_name.h"
#include "libmailcore/codec/utf8.h"

#include <algorithm>

namespace mailcore::accounts {

namespace {

constexpr std::size_t local_octets_max = 64; // RFC 5321 §4.5.3.1.1
/// Folding may make a text longer, and keys have to stay short.
constexpr std::size_t key_octets_max = 256;

/// RFC 5322 §3.2.3, RFC 6531 §3.3.
bool is_atext(char c) {
    constexpr std::string_view others = "!#$%&'*+-/=?^_`{|}~";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (static_cast<unsigned char>(c) >= 0x80) || others.find(c) != std::string_view::npos;
}

bool is_dot_string(std::string_view text) {
    bool atom = false;
    for (const char c : text) {
        if (c != '.' && !is_atext(c)) return false;
        if (c == '.' && !atom) return false;
        atom = c != '.';
    }
    return atom;
}

/// Takes quotes and backslashes off a quoted string; nothing if it is none.
std::optional<std::string> unquoted(std::string_view text) {
    if (text.size() < 2 || !text.starts_with('"') || !text.ends_with('"')) return std::nullopt;
    text = text.substr(1, text.size() - 2);
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '"') return std::nullopt;
        if (text[at] == '\\' && ++at == text.size()) return std::nullopt;
        out += text[at];
    }
    return out;
}

} // namespace

std::optional<std::string> local_part_key(std::string_view local) {
    if (local.empty() || local.size() > local_octets_max) return std::nullopt;
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    if (std::any_of(local.begin(), local.end(), control)) return std::nullopt;
    auto key = codec::fold_case(local);
    if (!key || key->empty() || key->size() > key_octets_max) return std::nullopt;
    return key;
}

std::optional<Address> Address::of(std::string_view local, std::string_view domain) {
    if (!local_part_key(local)) return std::nullopt;
    auto name = codec::canonical_domain(domain);
    if (!name) return std::nullopt;
    Address address;
    address.local = local;
    address.domain = *std::move(name);
    return address;
}

std::optional<Address> Address::parse(std::string_view text) {
    const auto at = text.rfind('@');
    if (at == std::string_view::npos) return std::nullopt;
    const auto local = text.substr(0, at);
    const auto domain = text.substr(at + 1);
    if (local.starts_with('"')) {
        const auto plain = unquoted(local);
        return plain ? of(*plain, domain) : std::nullopt;
    }
    return is_dot_string(local) ? of(local, domain) : std::nullopt;
}

std::string Address::to_string() const {
    std::string out;
    if (is_dot_string(local)) {
        out = local;
    } else {
        out += '"';
        for (const char c : local) {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
        out += '"';
    }
    if (!domain.empty()) out += '@' + domain;
    return out;
}

} // namespace mailcore::accounts
