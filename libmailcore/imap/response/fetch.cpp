#include "libmailcore/imap/response/writer.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/base/overloaded.h"

namespace mailcore::imap {
namespace {

using Kind = FetchItem::Kind;

std::string_view name_of(Kind kind) {
    switch (kind) {
    case Kind::Envelope: return "ENVELOPE";
    case Kind::Flags: return "FLAGS";
    case Kind::InternalDate: return "INTERNALDATE";
    case Kind::Rfc822Size: return "RFC822.SIZE";
    case Kind::Body:
    case Kind::BodySection: return "BODY";
    case Kind::BodyStructure: return "BODYSTRUCTURE";
    case Kind::Uid: return "UID";
    case Kind::Binary: return "BINARY";
    case Kind::BinarySize: return "BINARY.SIZE";
    case Kind::Rfc822: return "RFC822";
    case Kind::Rfc822Header: return "RFC822.HEADER";
    case Kind::Rfc822Text: return "RFC822.TEXT";
    case Kind::ModSeq: return "MODSEQ";
    case Kind::EmailId: return "EMAILID";
    case Kind::ThreadId: return "THREADID";
    case Kind::Preview: return "PREVIEW";
    }
    return "";
}

bool has_section(Kind kind) {
    return kind == Kind::BodySection || kind == Kind::Binary || kind == Kind::BinarySize;
}

} // namespace

// "BODY" section ["<" number ">"] / "BINARY" section-binary ["<" number ">"] ...
void write_fetch_label(const FetchItem& item, ResponseWriter& out) {
    out.raw(name_of(item.kind));
    if (has_section(item.kind)) append_section(item.section, out.target());
    if (item.partial && item.kind != Kind::BinarySize)
        out.raw("<").number(item.partial->offset).raw(">");
}

void write_fetch_value(const response::FetchValue& fetched, ResponseWriter& out) {
    const auto kind = fetched.item.kind;
    std::visit(
        overloaded{
            [&](response::Nil) { out.raw("NIL"); },
            [&](std::uint64_t number) {
                // fetch-mod-resp = "MODSEQ" SP "(" permsg-modsequence ")" (RFC 7162 §7)
                if (kind == Kind::ModSeq)
                    out.raw("(").number(number).raw(")");
                else
                    out.number(number);
            },
            [&](const FlagSet& flags) {
                out.raw("(");
                flags.append_to(out.target());
                out.raw(")");
            },
            [&](const mime::DateTime& date) {
                out.raw("\"").raw(mime::format_imap_date_time(date)).raw("\"");
            },
            [&](const std::string& octets) {
                if (kind == Kind::EmailId || kind == Kind::ThreadId)
                    out.raw("(").raw(octets).raw(")");
                else if (kind == Kind::Preview)
                    out.string(octets);
                else if (kind == Kind::Binary && octets.find('\0') != std::string::npos)
                    out.literal8(octets);
                else
                    out.literal(octets);
            },
            [&](const mime::Structure* structure) {
                if (kind == Kind::Envelope)
                    write_envelope(structure->envelope(), out);
                else
                    write_body_structure(*structure,
                                         kind == Kind::BodyStructure ? BodyExtensions::Yes
                                                                     : BodyExtensions::No,
                                         out);
            },
            [](const response::Pulled&) { MAILCORE_ASSERT(!"a pulled value is the engine's"); },
        },
        fetched.value);
}

} // namespace mailcore::imap
