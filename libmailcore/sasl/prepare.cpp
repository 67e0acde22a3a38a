#include "libmailcore/sasl/prepare.h"

#include "libmailcore/codec/utf8.h"

#include <algorithm>
#include <array>

namespace mailcore::sasl {

namespace {

struct Range {
    char32_t first;
    char32_t last;
};

template <std::size_t size>
bool contains(const std::array<Range, size>& table, char32_t character) {
    return std::any_of(table.begin(), table.end(), [character](const Range& range) {
        return character >= range.first && character <= range.last;
    });
}

// RFC 3454 appendices B.1, C.1.2, and C.2.1 to C.9 together (C.1.2 and C.5 cannot be left by then).
constexpr std::array mapped_to_nothing = {
    Range{0x00AD, 0x00AD}, Range{0x034F, 0x034F}, Range{0x1806, 0x1806}, Range{0x180B, 0x180D},
    Range{0x200C, 0x200D}, Range{0x2060, 0x2060}, Range{0xFE00, 0xFE0F}, Range{0xFEFF, 0xFEFF},
};
// U+200B stands in B.1 too; the profile names this table first.
constexpr std::array mapped_to_space = {
    Range{0x00A0, 0x00A0}, Range{0x1680, 0x1680}, Range{0x2000, 0x200B},
    Range{0x202F, 0x202F}, Range{0x205F, 0x205F}, Range{0x3000, 0x3000},
};
constexpr std::array prohibited = {
    Range{0x0000, 0x001F},    Range{0x007F, 0x009F},   Range{0x0340, 0x0341},
    Range{0x06DD, 0x06DD},    Range{0x070F, 0x070F},   Range{0x180E, 0x180E},
    Range{0x200C, 0x200F},    Range{0x2028, 0x202E},   Range{0x2060, 0x2063},
    Range{0x206A, 0x206F},    Range{0x2FF0, 0x2FFB},   Range{0xE000, 0xF8FF},
    Range{0xFDD0, 0xFDEF},    Range{0xFEFF, 0xFEFF},   Range{0xFFF9, 0xFFFD},
    Range{0x1D173, 0x1D17A},  Range{0xE0001, 0xE0001}, Range{0xE0020, 0xE007F},
    Range{0xF0000, 0x10FFFF},
};

constexpr bool is_noncharacter(char32_t character) { return (character & 0xFFFE) == 0xFFFE; }

Result<std::string, ParseError> map(std::string_view utf8) {
    std::string mapped;
    mapped.reserve(utf8.size());
    for (std::size_t at = 0; at < utf8.size();) {
        const auto step = codec::decode_utf8(utf8.substr(at));
        if (!step.valid) return std::unexpected(ParseError{at, "UTF-8"});
        if (contains(mapped_to_space, step.character))
            mapped += ' ';
        else if (!contains(mapped_to_nothing, step.character))
            mapped.append(utf8, at, step.octets);
        at += step.octets;
    }
    return mapped;
}

/// RFC 3454 §6: text that has right-to-left characters begins and ends with one and has no others
/// of a fixed direction.
bool is_one_direction(std::string_view utf8) {
    bool left = false;
    bool right = false;
    auto first = codec::Direction::Neutral;
    auto last = codec::Direction::Neutral;
    for (std::size_t at = 0; at < utf8.size();) {
        const auto step = codec::decode_utf8(utf8.substr(at));
        last = codec::direction(step.character);
        if (at == 0) first = last;
        left = left || last == codec::Direction::LeftToRight;
        right = right || last == codec::Direction::RightToLeft;
        at += step.octets;
    }
    if (!right) return true;
    return !left && first == codec::Direction::RightToLeft && last == codec::Direction::RightToLeft;
}

} // namespace

Result<std::string, ParseError> prepare(std::string_view utf8) {
    MAILCORE_TRY(const auto mapped, map(utf8));
    auto normal = codec::to_nfkc(mapped);
    if (!normal) return std::unexpected(ParseError{0, "text that can be normalised"});
    for (std::size_t at = 0; at < normal->size();) {
        const auto step = codec::decode_utf8(std::string_view(*normal).substr(at));
        if (contains(prohibited, step.character) || contains(mapped_to_space, step.character) ||
            is_noncharacter(step.character))
            return std::unexpected(ParseError{0, "text without prohibited characters"});
        at += step.octets;
    }
    if (!is_one_direction(*normal)) return std::unexpected(ParseError{0, "text of one direction"});
    return *std::move(normal);
}

Result<Secret, ParseError> prepare_password(const Secret& password) {
    // Most are plain ASCII, and then no copy has to be wiped but the result.
    MAILCORE_TRY(auto prepared, prepare(password.reveal()));
    return Secret(std::move(prepared));
}

} // namespace mailcore::sasl
