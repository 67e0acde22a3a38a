#include "libmailcore/mime/received.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/mime/header.h"

#include <algorithm>

namespace mailcore::mime {

namespace {

// The end of the comment or quoted string that `text` begins with, or its size.
std::size_t end_of_comment(std::string_view text) {
    std::size_t depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') ++i;
        else if (text[i] == '(') ++depth;
        else if (text[i] == ')' && --depth == 0) return i + 1;
    }
    return text.size();
}

} // namespace

Received parse_received(std::string_view value) {
    const auto line = unfolded(value);
    std::string_view text = line;
    Received out;
    std::string* clause = nullptr;
    int tries = 4; // ";" in an odd place is no reason to read the rest again and again
    const auto clause_of = [&](std::string_view word) -> std::string* {
        if (codec::equal_ignoring_case(word, "from")) return &out.from;
        if (codec::equal_ignoring_case(word, "by")) return &out.by;
        if (codec::equal_ignoring_case(word, "via")) return &out.via;
        if (codec::equal_ignoring_case(word, "with")) return &out.with;
        if (codec::equal_ignoring_case(word, "id")) return &out.id;
        if (codec::equal_ignoring_case(word, "for")) return &out.for_recipient;
        return nullptr;
    };
    const auto append = [](std::string& to, std::string_view word) {
        if (!to.empty()) to += ' ';
        to += word;
    };
    while (!(text = codec::trim_left(text)).empty()) {
        if (text.front() == '(') {
            const auto size = end_of_comment(text);
            if (clause == &out.from) append(out.from_comment, text.substr(0, size));
            text.remove_prefix(size);
            continue;
        }
        if (text.front() == ';') {
            if (tries-- > 0) out.date = parse_date(text.substr(1));
            if (out.date) break;
            text.remove_prefix(1);
            clause = nullptr;
            continue;
        }
        const auto size = std::max<std::size_t>(std::min(text.find_first_of(" \t(;"), text.size()), 1);
        const auto word = text.substr(0, size);
        text.remove_prefix(size);
        auto* const next = clause_of(word);
        if (next && next->empty() && (!clause || !clause->empty())) clause = next;
        else if (clause) append(*clause, word);
    }
    if (out.for_recipient.starts_with('<') && out.for_recipient.ends_with('>'))
        out.for_recipient = out.for_recipient.substr(1, out.for_recipient.size() - 2);
    return out;
}

std::size_t count_received(std::string_view header) {
    std::size_t count = 0;
    HeaderScanner scanner(header);
    while (const auto field = scanner.next()) count += field->is("Received");
    return count;
}

} // namespace mailcore::mime
