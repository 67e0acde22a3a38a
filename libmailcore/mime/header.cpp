#include "libmailcore/mime/header.h"

namespace mailcore::mime {

namespace {

constexpr std::size_t name_octets_max = 998; // a line's length, RFC 5322 §2.1.1

constexpr bool is_ftext(char c) { return codec::is_visible(c) && c != ':'; }

// Octets of the line at the front of `text`, with its end; and of the end alone.
struct Line {
    std::string_view content;
    std::size_t octets;
};
Line first_line(std::string_view text) {
    const auto lf = text.find('\n');
    if (lf == std::string_view::npos) return {text, text.size()};
    const bool crlf = lf > 0 && text[lf - 1] == '\r';
    return {text.substr(0, lf - (crlf ? 1 : 0)), lf + 1};
}

} // namespace

bool is_field_name(std::string_view text) {
    if (text.empty() || text.size() > name_octets_max) return false;
    for (const char c : text)
        if (!is_ftext(c)) return false;
    return true;
}

std::string_view field_name_of(std::string_view line) {
    std::size_t end = 0;
    while (end < line.size() && end < name_octets_max && is_ftext(line[end])) ++end;
    std::size_t colon = end;
    while (colon < line.size() && colon < name_octets_max && codec::is_wsp(line[colon])) ++colon;
    if (colon == line.size() || line[colon] != ':') return {};
    return line.substr(0, end);
}

bool is_mbox_separator(std::string_view line) {
    return (line.starts_with("From ") || line.starts_with(">From ")) && field_name_of(line).empty();
}

std::optional<HeaderField> HeaderScanner::next() {
    while (!ended_ && at_ < block_.size()) {
        const auto start = at_;
        const auto line = first_line(block_.substr(at_));
        if (line.content.empty() && line.octets > 0) {
            separator_ = line.octets;
            at_ += line.octets;
            break;
        }
        const auto name = field_name_of(line.content);
        if (name.empty()) {
            if (!any_field_ && !(start == 0 && is_mbox_separator(line.content))) break;
            at_ += line.octets;
            continue;
        }
        any_field_ = true;
        auto end = start + line.content.size();
        at_ += line.octets;
        while (at_ < block_.size() && codec::is_wsp(block_[at_])) {
            const auto more = first_line(block_.substr(at_));
            end = at_ + more.content.size();
            at_ += more.octets;
        }
        HeaderField field;
        field.name = name;
        const auto colon = line.content.find(':', name.size());
        field.value = block_.substr(start + colon + 1, end - (start + colon + 1));
        field.offset = start;
        field.octets = at_ - start;
        return field;
    }
    ended_ = true;
    return std::nullopt;
}

std::optional<HeaderField> find_field(std::string_view block, std::string_view name) {
    HeaderScanner scanner(block);
    while (auto field = scanner.next())
        if (field->is(name)) return field;
    return std::nullopt;
}

std::size_t header_octets(std::string_view message) {
    HeaderScanner scanner(message);
    while (scanner.next()) {
    }
    return scanner.header_octets();
}

void append_unfolded(std::string_view value, std::string& into) {
    value = codec::trim(value);
    while (!value.empty()) {
        const auto lf = value.find('\n');
        if (lf == std::string_view::npos) {
            into += value;
            return;
        }
        into += value.substr(0, lf > 0 && value[lf - 1] == '\r' ? lf - 1 : lf);
        value.remove_prefix(lf + 1);
    }
}

std::string unfolded(std::string_view value) {
    std::string out;
    out.reserve(value.size());
    append_unfolded(value, out);
    return out;
}

} // namespace mailcore::mime
