#include "libmailcore/imap/response/writer.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/imap/wire.h"

#include <algorithm>

namespace mailcore::imap {
namespace {

// Beyond this a literal is easier on both sides.
constexpr std::size_t quoted_octets_max = 1000;

std::string without_nul(std::string_view octets) {
    std::string clean(octets);
    std::erase(clean, '\0');
    return clean;
}

// Whether quoted = DQUOTE *QUOTED-CHAR DQUOTE can hold it. UTF-8 in it only once IMAP4rev2 is enabled
// (RFC 9051 appendix A).
bool fits_quoted(std::string_view octets, bool utf8) {
    if (octets.size() > quoted_octets_max) return false;
    bool wide = false;
    for (const char c : octets) {
        if (c == '\r' || c == '\n' || c == '\0') return false;
        wide |= codec::is_8bit(c);
    }
    return !wide || (utf8 && codec::is_utf8(octets));
}

} // namespace

ResponseWriter& ResponseWriter::number(std::uint64_t value) {
    codec::append_number(into_, value);
    return *this;
}

ResponseWriter& ResponseWriter::string(std::string_view octets) {
    if (octets.find('\0') != std::string_view::npos) return string(without_nul(octets));
    if (!fits_quoted(octets, utf8_)) return literal(octets);
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
