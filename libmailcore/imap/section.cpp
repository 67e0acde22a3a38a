#include "libmailcore/imap/section.h"

#include "libmailcore/codec/number.h"
#include "libmailcore/imap/wire.h"

#include <algorithm>

namespace mailcore::imap {
namespace {

using Text = mime::Section::Text;

std::string_view name_of(Text text) {
    switch (text) {
    case Text::All: return "";
    case Text::Header: return "HEADER";
    case Text::HeaderFields: return "HEADER.FIELDS";
    case Text::HeaderFieldsNot: return "HEADER.FIELDS.NOT";
    case Text::Body: return "TEXT";
    case Text::Mime: return "MIME";
    }
    return "";
}

// header-fld-name = astring. Octets that no quoted string can have are no part of any field's name.
void append_field_name(std::string_view name, std::string& into) {
    if (!name.empty() && std::ranges::all_of(name, wire::is_astring_char)) {
        into += name;
        return;
    }
    into += '"';
    for (const char c : name) {
        if (c == '"' || c == '\\') into += '\\';
        const bool plain =
            static_cast<unsigned char>(c) < 0x80 && c != '\r' && c != '\n' && c != '\0';
        into += plain ? c : '?';
    }
    into += '"';
}

} // namespace

void append_section(const mime::Section& section, std::string& into) {
    into += '[';
    bool first = true;
    for (const auto number : section.part) {
        if (!first) into += '.';
        first = false;
        codec::append_number(into, number);
    }
    if (section.text != Text::All) {
        if (!first) into += '.';
        into += name_of(section.text);
    }
    if (section.text == Text::HeaderFields || section.text == Text::HeaderFieldsNot) {
        into += " (";
        for (std::size_t i = 0; i < section.fields.size(); ++i) {
            if (i > 0) into += ' ';
            append_field_name(section.fields[i], into);
        }
        into += ')';
    }
    into += ']';
}

} // namespace mailcore::imap
