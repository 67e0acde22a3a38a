#include "libmailcore/mime/section.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/mime/header.h"

#include <algorithm>

namespace mailcore::mime {

namespace {

PartIndex nth_child(const Structure& structure, PartIndex parent, std::uint32_t number) {
    auto child = structure.parts[parent].first_child;
    for (; number > 1 && child != no_part; --number) child = structure.parts[child].next_sibling;
    return child;
}

// The entity whose header and body HEADER and TEXT mean: the message inside a message/rfc822 part.
PartIndex inner_message(const Structure& structure, PartIndex part, bool is_root) {
    if (is_root) return part;
    return structure.parts[part].kind == Part::Kind::Message ? structure.parts[part].first_child
                                                             : no_part;
}

Range header_of(const Part& part) { return {part.header_begin, part.header_octets()}; }
Range body_of(const Part& part) { return {part.body_begin, part.body_octets()}; }

} // namespace

PartIndex find_part(const Structure& structure, std::span<const std::uint32_t> numbers) {
    PartIndex at = 0;
    bool is_message = true; // `at` is a message, whose parts the next number counts
    for (const auto number : numbers) {
        if (number == 0) return no_part;
        if (!is_message && structure.parts[at].kind == Part::Kind::Message) {
            at = structure.parts[at].first_child;
            is_message = true;
        }
        if (structure.parts[at].kind == Part::Kind::Multipart) {
            at = nth_child(structure, at, number);
            if (at == no_part) return no_part;
        } else if (!is_message || number != 1) {
            return no_part;
        }
        is_message = false;
    }
    return at;
}

std::optional<Range> locate(const Structure& structure, const Section& section) {
    const auto index = find_part(structure, section.part);
    if (index == no_part) return std::nullopt;
    const bool is_root = section.part.empty();
    const auto& part = structure.parts[index];
    switch (section.text) {
    case Section::Text::All:
        if (is_root) return Range{0, structure.octets};
        return body_of(part);
    case Section::Text::Mime:
        if (is_root) return std::nullopt;
        return header_of(part);
    case Section::Text::Header:
    case Section::Text::HeaderFields:
    case Section::Text::HeaderFieldsNot:
    case Section::Text::Body: break;
    }
    const auto message = inner_message(structure, index, is_root);
    if (message == no_part) return std::nullopt;
    return section.text == Section::Text::Body ? body_of(structure.parts[message])
                                               : header_of(structure.parts[message]);
}

SelectedFields select_fields(std::string_view header, const Section& section) {
    SelectedFields out;
    const bool wanted_if_named = section.text != Section::Text::HeaderFieldsNot;
    const auto add = [&](std::uint64_t offset, std::uint64_t octets) {
        if (octets == 0) return;
        if (!out.ranges.empty() && out.ranges.back().offset + out.ranges.back().octets == offset)
            out.ranges.back().octets += octets;
        else
            out.ranges.push_back({offset, octets});
    };
    std::vector<std::string_view> names(section.fields.begin(), section.fields.end());
    std::sort(names.begin(), names.end(), codec::LessIgnoringCase());
    HeaderScanner scanner(header);
    while (const auto field = scanner.next()) {
        const bool named =
            std::binary_search(names.begin(), names.end(), field->name, codec::LessIgnoringCase());
        if (named == wanted_if_named) add(field->offset, field->octets);
    }
    out.separator_missing = scanner.separator_octets() == 0;
    add(scanner.header_octets() - scanner.separator_octets(), scanner.separator_octets());
    return out;
}

std::string part_numbers(const Structure& structure, PartIndex part) {
    std::vector<std::uint32_t> numbers;
    while (part != no_part && part != 0) {
        const auto parent = structure.parts[part].parent;
        if (structure.parts[parent].kind == Part::Kind::Message) {
            // The message inside: it is named by its parts, or as its own part 1.
            if (numbers.empty() && structure.parts[part].kind != Part::Kind::Multipart)
                numbers.push_back(1);
            part = parent;
            continue;
        }
        std::uint32_t number = 1;
        for (auto child = structure.parts[parent].first_child; child != part;
             child = structure.parts[child].next_sibling)
            ++number;
        numbers.push_back(number);
        part = parent;
    }
    if (part == 0 && numbers.empty() && structure.parts[0].kind != Part::Kind::Multipart)
        numbers.push_back(1);
    std::string out;
    for (auto it = numbers.rbegin(); it != numbers.rend(); ++it) {
        if (!out.empty()) out += '.';
        codec::append_number(out, *it);
    }
    return out;
}

} // namespace mailcore::mime
