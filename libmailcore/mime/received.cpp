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
        if (text[i] == '\\')
            ++i;
        else if (text[i] == '(')
            ++depth;
        else if (text[i] == ')' && --depth == 0)
            return i + 1;
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
    bool said = true; // the clause has what follows its name
    while (!(text = codec::trim_left(text)).empty()) {
        if (text.front() == '(') {
            const auto size = end_of_comment(text);
            if (clause == &out.from) {
                if (!out.from_comment.empty()) out.from_comment += ' ';
                out.from_comment += text.substr(0, size);
            }
            said = true;
            text.remove_prefix(size);
            continue;
        }
        if (text.front() == ';') {
            if (tries-- > 0) out.date = parse_date(text.substr(1));
            if (out.date) break;
            text.remove_prefix(1);
            clause = nullptr;
            said = true;
            continue;
        }
        const auto size =
            std::max<std::size_t>(std::min(text.find_first_of(" \t(;"), text.size()), 1);
        auto word = text.substr(0, size);
        text.remove_prefix(size);
        while (word.ends_with(',')) word.remove_suffix(1);
        if (word.empty()) continue;
        if (auto* const next = said ? clause_of(word) : nullptr) {
            clause = next->empty() ? next : nullptr; // what is said twice counts once
            said = clause == nullptr;
        } else if (clause) {
            if (clause->empty())
                *clause = word;
            else if (clause == &out.with || clause == &out.via)
                *clause += ' ' + std::string(word);
            said = true;
        }
    }
    for (auto* const text_in_brackets : {&out.id, &out.for_recipient})
        if (text_in_brackets->starts_with('<') && text_in_brackets->ends_with('>'))
            *text_in_brackets = text_in_brackets->substr(1, text_in_brackets->size() - 2);
    return out;
}

std::size_t count_received(std::string_view header) {
    std::size_t count = 0;
    HeaderScanner scanner(header);
    while (const auto field = scanner.next()) count += field->is("Received");
    return count;
}

} // namespace mailcore::mime
