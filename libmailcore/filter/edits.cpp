#include "libmailcore/filter/edits.h"

#include "libmailcore/base/overloaded.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/quoted_printable.h"
#include "libmailcore/codec/utf8.h"

#include <algorithm>
#include <span>

namespace mailcore::filter {

namespace {

constexpr std::size_t line_octets_wanted = 78;

/// Where the field that starts at `at` ends: behind its last line's CRLF, or at the end of the
/// block.
std::size_t field_end(std::string_view header, std::size_t at) {
    while (true) {
        const auto end = header.find("\r\n", at);
        if (end == std::string_view::npos) return header.size();
        at = end + 2;
        if (at >= header.size() || !codec::is_wsp(header[at])) return at;
    }
}

bool is_named(std::string_view field, std::string_view name) {
    const auto colon = field.find(':');
    return colon != std::string_view::npos &&
           codec::equal_ignoring_case(codec::trim_right(field.substr(0, colon)), name);
}

std::string written(std::string_view name, std::string_view value) {
    std::string line(name);
    line += ':';
    std::string out;
    std::size_t at = 0;
    while (at < value.size()) {
        const auto end = std::min(value.find(' ', at), value.size());
        const auto word = value.substr(at, end - at);
        at = end + 1;
        if (word.empty()) continue;
        if (line.size() + 1 + word.size() > line_octets_wanted && line.size() > name.size() + 1) {
            out += line + "\r\n";
            line.clear();
        }
        line += ' ';
        line += word;
    }
    return out + line + "\r\n";
}

std::string cleaned(std::string_view value) {
    std::string out(value.substr(0, header_value_octets_max));
    for (auto& octet : out)
        if (codec::is_control(octet)) octet = ' ';
    return out;
}

} // namespace

bool is_header_name(std::string_view name) {
    return !name.empty() && name.size() <= 76 &&
           std::ranges::all_of(name, [](char c) { return codec::is_visible(c) && c != ':'; });
}

std::string apply_edits(std::string_view header, const std::vector<HeaderEdit>& edits) {
    std::vector<std::string> fields;
    for (std::size_t at = 0; at < header.size();) {
        const auto end = field_end(header, at);
        fields.emplace_back(header.substr(at, end - at));
        at = end;
    }
    if (!fields.empty() && !fields.back().ends_with("\r\n")) fields.back() += "\r\n";
    for (const auto& edit : std::span(edits).first(std::min(edits.size(), header_edits_max)))
        std::visit(overloaded{
                       [&](const AddHeader& add) {
                           fields.insert(add.where == AddHeader::Where::Top ? fields.begin()
                                                                            : fields.end(),
                                         written(add.name, cleaned(add.value)));
                       },
                       [&](const RemoveHeader& remove) {
                           std::uint32_t seen = 0;
                           std::erase_if(fields, [&](const auto& field) {
                               if (!is_named(field, remove.name)) return false;
                               ++seen;
                               return remove.occurrence == 0 || seen == remove.occurrence;
                           });
                       },
                       [&](const ReplaceHeader& replace) {
                           const auto found = std::ranges::find_if(fields, [&](const auto& field) {
                               return is_named(field, replace.name);
                           });
                           auto text = written(replace.name, cleaned(replace.value));
                           if (found == fields.end())
                               fields.push_back(std::move(text));
                           else
                               *found = std::move(text);
                       },
                   },
                   edit);
    std::string out;
    for (const auto& field : fields) out += field;
    return out;
}

Wrapping wrap_with_text(std::string_view header, std::string_view text, std::string_view boundary) {
    Wrapping wrapping;
    std::string inner;
    bool versioned = false;
    for (std::size_t at = 0; at < header.size();) {
        const auto end = field_end(header, at);
        const auto field = header.substr(at, end - at);
        at = end;
        versioned = versioned || is_named(field, "MIME-Version");
        auto& into = codec::starts_with_ignoring_case(field, "Content-") ? inner : wrapping.header;
        into += field;
        if (!field.ends_with("\r\n")) into += "\r\n";
    }
    const std::string delimiter = "--" + std::string(boundary);
    if (!versioned) wrapping.header += "MIME-Version: 1.0\r\n";
    wrapping.header += "Content-Type: multipart/mixed; boundary=\"" + std::string(boundary) +
                       "\"\r\n\r\n" + delimiter + "\r\n" + inner + "\r\n";
    wrapping.trailer =
        "\r\n" + delimiter +
        "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: inline\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n";
    codec::QuotedPrintableEncoder encoder;
    encoder.encode(codec::sanitised_utf8(text), wrapping.trailer);
    encoder.finish(wrapping.trailer);
    wrapping.trailer += "\r\n" + delimiter + "--\r\n";
    return wrapping;
}

} // namespace mailcore::filter
