#include "libmailcore/imap/response/writer.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/imap/wire.h"

#include <algorithm>
#include <array>

namespace mailcore::imap {
namespace {

// Beyond this a literal is easier on both sides.
constexpr std::size_t quoted_octets_max = 1000;

std::string without_nul(std::string_view octets) {
    std::string clean(octets);
    std::erase(clean, '\0');
    return clean;
}

/// What an octet asks of the form that a string is written in.
enum class Needs : std::uint8_t { Nothing = 0, Escape = 1, Literal = 2, Utf8 = 4, Removal = 8 };

constexpr auto needs_of_octet = [] {
    std::array<std::uint8_t, 256> needs{};
    for (std::size_t octet = 0x80; octet < needs.size(); ++octet)
        needs[octet] = static_cast<std::uint8_t>(Needs::Utf8);
    needs['"'] = needs['\\'] = static_cast<std::uint8_t>(Needs::Escape);
    needs['\r'] = needs['\n'] = static_cast<std::uint8_t>(Needs::Literal);
    needs['\0'] = static_cast<std::uint8_t>(Needs::Removal);
    return needs;
}();

bool has(std::uint8_t needs, Needs one) { return (needs & static_cast<std::uint8_t>(one)) != 0; }

} // namespace

ResponseWriter& ResponseWriter::number(std::uint64_t value) {
    codec::append_number(into_, value);
    return *this;
}

// Whether quoted = DQUOTE *QUOTED-CHAR DQUOTE can hold it: UTF-8 in it only once IMAP4rev2 is
// enabled (RFC 9051 appendix A).
ResponseWriter& ResponseWriter::string(std::string_view octets) {
    // Written as it is looked at, since mostly nothing is in its way.
    const auto before = into_.size();
    std::uint8_t needs = 0;
    const auto after = before + octets.size() + 2;
    into_.resize_and_overwrite(after, [&](char* text, std::size_t) {
        char* at = text + before;
        *at++ = '"';
        for (const char c : octets) {
            needs |= needs_of_octet[static_cast<unsigned char>(c)];
            *at++ = c;
        }
        *at = '"';
        return after; // what it is given is more with libstdc++ 12
    });
    const bool quotable = octets.size() <= quoted_octets_max && !has(needs, Needs::Literal) &&
                          (!has(needs, Needs::Utf8) || (utf8_ && codec::is_utf8(octets)));
    if (quotable && !has(needs, Needs::Escape) && !has(needs, Needs::Removal)) return *this;
    into_.resize(before);
    if (has(needs, Needs::Removal)) return string(without_nul(octets));
    if (!quotable) return literal(octets);
    into_ += '"';
    for (const char c : octets) {
        if (c == '"' || c == '\\') into_ += '\\';
        into_ += c;
    }
    into_ += '"';
    return *this;
}

ResponseWriter& ResponseWriter::nstring(std::optional<std::string_view> octets) {
    return octets ? string(*octets) : raw("NIL");
}

ResponseWriter& ResponseWriter::literal(std::string_view octets) {
    return raw("{").number(octets.size()).raw("}\r\n").raw(octets);
}

ResponseWriter& ResponseWriter::literal8(std::string_view octets) {
    return raw("~").literal(octets);
}

ResponseWriter& ResponseWriter::mailbox(std::string_view name) {
    const auto octets =
        encode_mailbox_name(name, utf8_ ? NameEncoding::Utf8 : NameEncoding::ModifiedUtf7);
    const bool atom = !octets.empty() && std::ranges::all_of(octets, wire::is_astring_char) &&
                      !codec::equal_ignoring_case(octets, "NIL");
    return atom ? raw(octets) : string(octets);
}

ResponseWriter& ResponseWriter::delimiter(std::optional<char> delimiter) {
    return delimiter ? string(std::string_view(&*delimiter, 1)) : raw("NIL");
}

ResponseWriter& ResponseWriter::text(std::string_view text) {
    const bool wide = utf8_ && codec::is_utf8(text);
    for (const char c : text)
        into_ += codec::is_control(c) || (codec::is_8bit(c) && !wide) ? '?' : c;
    return *this;
}

void write_condition(Condition condition, const ResponseCode& code, std::string_view text,
                     bool utf8, std::string& into) {
    switch (condition) {
    case Condition::Ok: into += "OK "; break;
    case Condition::No: into += "NO "; break;
    case Condition::Bad: into += "BAD "; break;
    }
    append_response_code(code, into);
    ResponseWriter(into, utf8).text(text).crlf();
}

} // namespace mailcore::imap
