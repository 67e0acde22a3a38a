#include "libmailcore/mime/writer.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/quoted_printable.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/encoded_word.h"

#include <algorithm>

namespace mailcore::mime {

namespace {

constexpr std::size_t line_octets_wanted = 78;   // RFC 5322 §2.1.1
constexpr std::size_t line_octets_allowed = 998; // RFC 5322 §2.1.1

std::string without_line_ends(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (codec::is_control(c) && c != '\t') c = ' ';
    return out;
}

// Where the piece that begins at `at` ends: before the next blank outside of a quoted string.
std::size_t end_of_piece(std::string_view text, std::size_t at) {
    bool quoted = false;
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '\\' && quoted)
            ++at;
        else if (c == '"')
            quoted = !quoted;
        else if (codec::is_wsp(c) && !quoted)
            return at;
    }
    return text.size();
}

// Whether line ends in it are line ends, not octets.
bool is_text(const ContentType& type) { return type.type == "text" || type.type == "message"; }

// The encoding that a part's own field will name: of a composite one the widest inside (RFC 2045
// §6.4).
Encoding encoding_of(const OutgoingPart& part, Transport transport) {
    if (part.type.type == "multipart") {
        auto widest = Encoding::Bit7;
        for (const auto& child : part.parts) {
            const auto inner = encoding_of(child, transport);
            if (inner == Encoding::Binary || (inner == Encoding::Bit8 && widest == Encoding::Bit7))
                widest = inner;
        }
        return widest;
    }
    if (part.type.type == "message" && part.type.subtype == "rfc822")
        return codec::is_ascii(part.content) ? Encoding::Bit7 : Encoding::Bit8;
    if (part.encoding) return *part.encoding;
    return choose_encoding(part.content, is_text(part.type), transport);
}

// Line ends become CRLF.
void append_crlf_text(std::string_view text, std::string& into) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) into += '\r';
        into += text[i];
    }
}

void append_body(const OutgoingPart& part, Encoding encoding, std::string& into) {
    switch (encoding) {
    case Encoding::Base64: {
        codec::Base64Encoder encoder;
        if (is_text(part.type)) {
            std::string text; // canonical line ends, RFC 2045 §6.8
            append_crlf_text(part.content, text);
            encoder.encode(text, into);
        } else {
            encoder.encode(part.content, into);
        }
        encoder.finish(into);
        break;
    }
    case Encoding::QuotedPrintable: {
        using Content = codec::QuotedPrintableEncoder::Content;
        codec::QuotedPrintableEncoder encoder(is_text(part.type) ? Content::Text : Content::Binary);
        encoder.encode(part.content, into);
        encoder.finish(into);
        break;
    }
    case Encoding::Bit7:
    case Encoding::Bit8: append_crlf_text(part.content, into); break;
    case Encoding::Binary:
    case Encoding::Other: into += part.content; break;
    }
}

bool contains_line(std::string_view text, std::string_view prefix) {
    for (auto at = text.find(prefix); at != std::string_view::npos; at = text.find(prefix, at + 1))
        if (at == 0 || text[at - 1] == '\n') return true;
    return false;
}

} // namespace

std::string folded_field(std::string_view name, std::string_view value) {
    const auto clean = without_line_ends(codec::trim(value));
    const std::string_view text = clean;
    std::string out(name);
    out += ':';
    std::size_t column = out.size();
    std::size_t longest = column;
    for (std::size_t at = 0; at < text.size();) {
        // A piece is blanks and what stands behind them; folding puts a line end before the blanks.
        std::size_t begin = at;
        while (begin < text.size() && codec::is_wsp(text[begin])) ++begin;
        const auto end = end_of_piece(text, begin);
        std::string piece(at == begin ? " " : text.substr(at, begin - at));
        piece += text.substr(begin, end - begin);
        if (column + piece.size() > line_octets_wanted) {
            out += "\r\n";
            column = 0;
        }
        out += piece;
        column += piece.size();
        longest = std::max(longest, column);
        at = end;
    }
    out += "\r\n";
    if (longest <= line_octets_allowed) return out;
    // A piece without blanks that no line can hold: cut between characters, rather than send what
    // is refused.
    std::string cut;
    std::string_view rest = out;
    while (!rest.empty()) {
        const auto end = rest.find("\r\n");
        auto line = rest.substr(0, end);
        rest.remove_prefix(end + 2);
        while (line.size() > line_octets_allowed) {
            const auto piece = codec::utf8_prefix(line, line_octets_allowed - 1);
            cut += piece;
            cut += "\r\n ";
            line.remove_prefix(piece.size());
        }
        cut += line;
        cut += "\r\n";
    }
    return cut;
}

HeaderWriter& HeaderWriter::text(std::string_view name, std::string_view value) {
    if (utf8_ == Utf8::Allowed && codec::is_utf8(value) &&
        value.find("=?") == std::string_view::npos) {
        into_ += folded_field(name, value);
    } else {
        const auto room = line_octets_wanted - std::min(line_octets_wanted, name.size() + 3);
        into_ += folded_field(name, encode_words(without_line_ends(value), room));
    }
    return *this;
}

HeaderWriter& HeaderWriter::addresses(std::string_view name, const std::vector<Address>& list) {
    return structured(name, to_string(list, utf8_));
}

HeaderWriter& HeaderWriter::date(std::string_view name, const DateTime& value) {
    return structured(name, format_date(value));
}

HeaderWriter& HeaderWriter::structured(std::string_view name, std::string_view value) {
    into_ += folded_field(name, value);
    return *this;
}

HeaderWriter& HeaderWriter::content_type(const ContentType& type) {
    auto value = type.type + '/' + type.subtype;
    for (const auto& parameter : type.parameters)
        append_parameter(parameter.name, parameter.value, value);
    return structured("Content-Type", value);
}

HeaderWriter& HeaderWriter::content_disposition(const ContentDisposition& disposition) {
    auto value = disposition.type;
    for (const auto& parameter : disposition.parameters)
        append_parameter(parameter.name, parameter.value, value);
    return structured("Content-Disposition", value);
}

Encoding choose_encoding(std::string_view content, bool text, Transport transport) {
    std::size_t line = 0;
    std::size_t line_max = 0;
    std::size_t encoded = 0; // octets that quoted-printable would write as three
    bool wide = false;
    bool raw = false; // NUL, bare CR, or a bare LF in what is no text
    for (std::size_t i = 0; i < content.size(); ++i) {
        const char c = content[i];
        if (c == '\n') {
            if (!text && (i == 0 || content[i - 1] != '\r')) raw = true;
            line_max = std::max(line_max, line);
            line = 0;
            continue;
        }
        ++line;
        if (c == '\0' || (c == '\r' && (i + 1 == content.size() || content[i + 1] != '\n')))
            raw = true;
        if (codec::is_8bit(c)) wide = true;
        if (codec::is_8bit(c) || (codec::is_control(c) && c != '\t') || c == '=') ++encoded;
    }
    line_max = std::max(line_max, line);
    if (!raw && line_max <= line_octets_allowed) {
        if (!wide) return Encoding::Bit7;
        if (transport == Transport::Bit8) return Encoding::Bit8;
    }
    const bool qp_shorter = encoded * 2 < content.size() / 3;
    return qp_shorter && (text || !raw) ? Encoding::QuotedPrintable : Encoding::Base64;
}

std::string make_boundary(Random& random) {
    // "=_" stands in no quoted-printable and no base64 text (RFC 2045 §6.7).
    return "=_" + random.hex(12);
}

void write_part(const OutgoingPart& part, Transport transport, Random& random, std::string& into) {
    const bool is_multipart = part.type.type == "multipart";
    auto type = part.type;
    std::string boundary;
    std::vector<std::string> children;
    if (is_multipart) {
        for (const auto& child : part.parts) {
            children.emplace_back();
            write_part(child, transport, random, children.back());
        }
        do {
            boundary = make_boundary(random);
        } while (std::any_of(children.begin(), children.end(), [&](const auto& child) {
            return contains_line(child, "--" + boundary);
        }));
        std::erase_if(type.parameters,
                      [](const auto& parameter) { return parameter.name == "boundary"; });
        type.parameters.push_back({"boundary", boundary});
    }
    const auto encoding = encoding_of(part, transport);
    HeaderWriter header(into);
    header.content_type(type);
    if (encoding != Encoding::Bit7)
        header.structured("Content-Transfer-Encoding", to_string(encoding));
    if (part.disposition) header.content_disposition(*part.disposition);
    if (!part.description.empty()) header.text("Content-Description", part.description);
    if (!part.id.empty()) header.structured("Content-ID", part.id);
    header.end();
    if (!is_multipart) return append_body(part, encoding, into);
    for (const auto& child : children) {
        into += "--" + boundary + "\r\n";
        into += child;
        into += "\r\n";
    }
    into += "--" + boundary + "--\r\n";
}

} // namespace mailcore::mime
