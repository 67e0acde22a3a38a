#include "libmailcore/imap/commands/parsers.h"

#include "libmailcore/codec/ascii.h"

#include <algorithm>

namespace mailcore::imap {
namespace {

using codec::equal_ignoring_case;
using Kind = FetchItem::Kind;
using Text = mime::Section::Text;

// Data items without a section.
struct Plain {
    std::string_view name;
    Kind kind;
    std::optional<Extension> needs = {};
};
constexpr Plain plain_items[] = {
    {"ENVELOPE", Kind::Envelope},
    {"FLAGS", Kind::Flags},
    {"INTERNALDATE", Kind::InternalDate},
    {"RFC822.SIZE", Kind::Rfc822Size},
    {"BODY", Kind::Body},
    {"BODYSTRUCTURE", Kind::BodyStructure},
    {"UID", Kind::Uid},
    {"RFC822", Kind::Rfc822},
    {"RFC822.HEADER", Kind::Rfc822Header},
    {"RFC822.TEXT", Kind::Rfc822Text},
    {"MODSEQ", Kind::ModSeq, Extension::CondStore},
    {"EMAILID", Kind::EmailId, Extension::ObjectId},
    {"THREADID", Kind::ThreadId, Extension::ObjectId},
    {"PREVIEW", Kind::Preview, Extension::Preview},
};

// Data items with one. BINARY: RFC 9051 appendix B.
struct Sectioned {
    std::string_view name;
    Kind kind;
    FetchItem::Peek peek;
};
constexpr Sectioned sectioned_items[] = {
    {"BODY", Kind::BodySection, FetchItem::Peek::No},
    {"BODY.PEEK", Kind::BodySection, FetchItem::Peek::Yes},
    {"BINARY", Kind::Binary, FetchItem::Peek::No},
    {"BINARY.PEEK", Kind::Binary, FetchItem::Peek::Yes},
    {"BINARY.SIZE", Kind::BinarySize, FetchItem::Peek::Yes},
};

// section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
// section-text = section-msgtext / "MIME"
struct NamedText {
    std::string_view name;
    Text text;
};
constexpr NamedText section_texts[] = {
    {"HEADER", Text::Header},
    {"HEADER.FIELDS", Text::HeaderFields},
    {"HEADER.FIELDS.NOT", Text::HeaderFieldsNot},
    {"TEXT", Text::Body},
    {"MIME", Text::Mime},
};

// header-list = "(" header-fld-name *(SP header-fld-name) ")" ; header-fld-name = astring
void parse_header_list(WireReader& in, mime::Section& section) {
    in.sp();
    in.open();
    do section.fields.push_back(in.astring());
    while (in.take(' '));
    in.close();
}

void parse_section_text(WireReader& in, mime::Section& section) {
    const auto name = in.word();
    const auto found = std::ranges::find_if(section_texts, [&](const NamedText& candidate) {
        return equal_ignoring_case(candidate.name, name);
    });
    if (found == std::end(section_texts) || (found->text == Text::Mime && section.part.empty())) {
        in.fail("HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or, behind a part number, MIME");
        return;
    }
    section.text = found->text;
    if (found->text == Text::HeaderFields || found->text == Text::HeaderFieldsNot)
        parse_header_list(in, section);
}

// section = "[" [section-spec] "]" ; section-spec = section-msgtext / (section-part ["."
// section-text]) section-part = nz-number *("." nz-number)
mime::Section parse_section(WireReader& in) {
    mime::Section section;
    in.expect('[', "\"[\"");
    if (in.take(']')) return section;
    bool text_follows = true;
    while (in.ok() && in.next_is_digit()) {
        section.part.push_back(in.nz_number());
        if (section.part.size() > in.grammar().section_parts_max) in.fail("fewer part numbers");
        text_follows = in.take('.');
        if (!text_follows) break;
    }
    if (text_follows) parse_section_text(in, section);
    in.expect(']', "\"]\"");
    return section;
}

// partial = "<" number64 "." nz-number64 ">"
Partial parse_partial(WireReader& in) {
    Partial partial;
    partial.offset = in.number64();
    in.expect('.', "\".\"");
    partial.octets = in.number64();
    if (in.ok() && partial.octets == 0) in.fail("a number of octets above 0");
    in.expect('>', "\">\"");
    return partial;
}

void add(std::vector<FetchItem>& items, FetchItem item) {
    if (std::ranges::find(items, item) == items.end()) items.push_back(std::move(item));
}

void parse_sectioned_item(WireReader& in, std::string_view name, command::Fetch& fetch) {
    for (const auto& known : sectioned_items) {
        if (!equal_ignoring_case(known.name, name)) continue;
        const bool binary = known.kind != Kind::BodySection;
        if (binary && !in.grammar().extensions.has(Extension::Imap4rev2) &&
            !in.grammar().extensions.has(Extension::Binary))
            break;
        FetchItem item{known.kind, parse_section(in), std::nullopt, known.peek};
        // section-binary = "[" [section-part] "]"
        if (binary && item.section.text != Text::All) in.fail("a part number only");
        if (known.kind != Kind::BinarySize && in.take('<')) item.partial = parse_partial(in);
        if (in.ok()) add(fetch.items, std::move(item));
        return;
    }
    in.fail("a data item of FETCH");
}

// capability-preview-mod = "(" "LAZY" ")" behind "PREVIEW" SP (RFC 8970 §6). LAZY asks for what
// costs little; a preview that was computed at delivery does. What follows otherwise is a modifier
// of FETCH.
void skip_preview_modifiers(WireReader& in) {
    if (!in.take_sequence(" (LAZY")) return;
    in.close();
}

void parse_item(WireReader& in, std::string_view name, command::Fetch& fetch) {
    if (in.next_is('[')) {
        parse_sectioned_item(in, name, fetch);
        return;
    }
    for (const auto& known : plain_items)
        if (equal_ignoring_case(known.name, name) &&
            (!known.needs || in.grammar().extensions.has(*known.needs))) {
            add(fetch.items, {known.kind});
            if (known.kind == Kind::Preview) skip_preview_modifiers(in);
            return;
        }
    in.fail("a data item of FETCH");
}

// "ALL" / "FULL" / "FAST"; false if `name` is none of them.
bool expand_macro(std::string_view name, std::vector<FetchItem>& items) {
    const bool all = equal_ignoring_case(name, "ALL");
    const bool full = equal_ignoring_case(name, "FULL");
    if (!all && !full && !equal_ignoring_case(name, "FAST")) return false;
    for (const auto kind : {Kind::Flags, Kind::InternalDate, Kind::Rfc822Size})
        items.push_back({kind});
    if (all || full) items.push_back({Kind::Envelope});
    if (full) items.push_back({Kind::Body});
    return true;
}

// chgsince-fetch-mod = "CHANGEDSINCE" SP mod-sequence-value ; rexpunges-fetch-mod = "VANISHED" (RFC
// 7162 §7)
void parse_modifiers(WireReader& in, command::Fetch& fetch) {
    in.open();
    do {
        const auto name = in.atom();
        if (equal_ignoring_case(name, "CHANGEDSINCE") && !fetch.changed_since &&
            in.grammar().extensions.has(Extension::CondStore)) {
            in.sp();
            fetch.changed_since = in.number64();
            if (in.ok() && *fetch.changed_since == 0) in.fail("a mod-sequence above 0");
        } else if (equal_ignoring_case(name, "VANISHED")) {
            // RFC 7162 §3.2.6: BAD with FETCH, before ENABLE QRESYNC, and without CHANGEDSINCE.
            if (fetch.addressing != Addressing::Uids) in.fail("UID FETCH with VANISHED");
            if (!in.grammar().enabled.qresync) in.fail("ENABLE QRESYNC before VANISHED is used");
            fetch.vanished = true;
        } else {
            in.fail("CHANGEDSINCE or VANISHED");
        }
    } while (in.take(' '));
    if (fetch.vanished && !fetch.changed_since) in.fail("CHANGEDSINCE with VANISHED");
    in.close();
}

// fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att /
//         "(" fetch-att *(SP fetch-att) ")") [fetch-modifiers] (RFC 4466 §6 for the modifiers)
Command parse(WireReader& in, Addressing addressing) {
    command::Fetch fetch;
    fetch.addressing = addressing;
    in.sp();
    fetch.set = in.sequence_set();
    in.sp();
    if (in.take('(')) {
        do {
            parse_item(in, in.word(), fetch);
            if (fetch.items.size() > in.grammar().fetch_items_max)
                in.refuse(Code::Limit, "Too many data items");
        } while (in.take(' '));
        in.close();
    } else {
        const auto name = in.word();
        if (!expand_macro(name, fetch.items)) parse_item(in, name, fetch);
    }
    if (in.take(' ')) parse_modifiers(in, fetch);
    // RFC 9051 §6.4.9: UID FETCH answers with UID; RFC 7162 §3.1.4.1: CHANGEDSINCE with MODSEQ.
    if (addressing == Addressing::Uids) add(fetch.items, {Kind::Uid});
    if (fetch.changed_since) add(fetch.items, {Kind::ModSeq});
    return fetch;
}

} // namespace

Command parse_fetch(WireReader& in) { return parse(in, Addressing::Numbers); }
Command parse_uid_fetch(WireReader& in) { return parse(in, Addressing::Uids); }

} // namespace mailcore::imap
