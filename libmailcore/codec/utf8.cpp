#include "libmailcore/codec/utf8.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/ascii.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utf8proc.h>

namespace mailcore::codec {

namespace {

// Length of the run of ASCII at the front, eight octets a step.
std::size_t ascii_run(std::string_view text) {
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + at, 8);
        if ((word & 0x8080808080808080U) != 0) break;
    }
    while (at < text.size() && !is_8bit(text[at])) ++at;
    return at;
}

struct FreeMemory {
    void operator()(void* memory) const { std::free(memory); }
};

std::optional<std::string> mapped(std::string_view text, int options) {
    utf8proc_uint8_t* out = nullptr;
    const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &out,
                                   static_cast<utf8proc_option_t>(options));
    if (size < 0) return std::nullopt;
    const std::unique_ptr<utf8proc_uint8_t, FreeMemory> owned(out);
    return std::string(reinterpret_cast<const char*>(out), static_cast<std::size_t>(size));
}

} // namespace

bool is_ascii(std::string_view text) { return ascii_run(text) == text.size(); }

Utf8Step decode_utf8(std::string_view text) {
    MAILCORE_ASSERT(!text.empty());
    const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = octet(0);
    if (first < 0x80) return {first, 1, true, false};
    std::size_t length = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    char32_t value = 0;
    if (first >= 0xC2 && first <= 0xDF) {
        length = 2;
        value = first & 0x1F;
    } else if (first >= 0xE0 && first <= 0xEF) {
        length = 3;
        value = first & 0x0F;
        if (first == 0xE0) low = 0xA0;
        if (first == 0xED) high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
        length = 4;
        value = first & 0x07;
        if (first == 0xF0) low = 0x90;
        if (first == 0xF4) high = 0x8F;
    } else {
        return {};
    }
    for (std::size_t i = 1; i < length; ++i) {
        if (i == text.size()) return {replacement_character, i, false, true};
        const unsigned char next = octet(i);
        if (next < low || next > high) return {replacement_character, i, false, false};
        value = value << 6 | (next & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    return {value, length, true, false};
}

void append_utf8(char32_t character, std::string& into) {
    const auto put = [&](char32_t octet) { into += static_cast<char>(octet); };
    if (character < 0x80) {
        put(character);
    } else if (character < 0x800) {
        put(0xC0 | character >> 6);
        put(0x80 | (character & 0x3F));
    } else if ((character >= 0xD800 && character < 0xE000) || character > 0x10FFFF) {
        into += replacement_utf8;
    } else if (character < 0x10000) {
        put(0xE0 | character >> 12);
        put(0x80 | (character >> 6 & 0x3F));
        put(0x80 | (character & 0x3F));
    } else {
        put(0xF0 | character >> 18);
        put(0x80 | (character >> 12 & 0x3F));
        put(0x80 | (character >> 6 & 0x3F));
        put(0x80 | (character & 0x3F));
    }
}

bool is_utf8(std::string_view text) {
    for (;;) {
        text.remove_prefix(ascii_run(text));
        if (text.empty()) return true;
        const auto step = decode_utf8(text);
        if (!step.valid) return false;
        text.remove_prefix(step.octets);
    }
}

void append_sanitised_utf8(std::string_view text, std::string& into) {
    while (!text.empty()) {
        const auto run = ascii_run(text);
        into.append(text.substr(0, run));
        text.remove_prefix(run);
        if (text.empty()) return;
        const auto step = decode_utf8(text);
        into.append(step.valid ? text.substr(0, step.octets) : replacement_utf8);
        text.remove_prefix(step.octets);
    }
}

std::string sanitised_utf8(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    append_sanitised_utf8(text, out);
    return out;
}

std::size_t cut_tail_octets(std::string_view text) {
    for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
        const auto octet = static_cast<unsigned char>(text[text.size() - back]);
        if (octet < 0x80) return 0;
        if (octet >= 0xC0) return decode_utf8(text.substr(text.size() - back)).cut ? back : 0;
    }
    return 0;
}

std::string_view utf8_prefix(std::string_view text, std::size_t octets_max) {
    if (text.size() <= octets_max) return text;
    const auto prefix = text.substr(0, octets_max);
    return prefix.substr(0, prefix.size() - cut_tail_octets(prefix));
}

std::size_t utf8_length(std::string_view text) {
    std::size_t characters = 0;
    while (!text.empty()) {
        const auto run = ascii_run(text);
        characters += run;
        text.remove_prefix(run);
        if (text.empty()) break;
        text.remove_prefix(decode_utf8(text).octets);
        ++characters;
    }
    return characters;
}

std::string_view utf8_characters(std::string_view text, std::size_t characters_max) {
    std::size_t at = 0;
    for (; characters_max > 0 && at < text.size(); --characters_max)
        at += decode_utf8(text.substr(at)).octets;
    return text.substr(0, at);
}

std::optional<std::string> to_nfc(std::string_view text) {
    if (is_ascii(text)) return std::string(text);
    return mapped(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
}

std::optional<std::string> to_nfkc(std::string_view text) {
    if (is_ascii(text)) return std::string(text);
    return mapped(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
}

std::optional<std::string> fold_case(std::string_view text) {
    if (is_ascii(text)) return lower(text);
    return mapped(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
                            UTF8PROC_IGNORE);
}

std::string fold_case_sanitised(std::string_view text) {
    auto folded = fold_case(text);
    if (!folded) folded = fold_case(sanitised_utf8(text));
    MAILCORE_ASSERT(folded.has_value());
    return std::move(*folded);
}

std::string unicode_casemap(std::string_view text) {
    if (is_ascii(text)) return upper(text);
    std::string titled;
    titled.reserve(text.size());
    while (!text.empty()) {
        const auto step = decode_utf8(text);
        append_utf8(
            static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(step.character))),
            titled);
        text.remove_prefix(step.octets);
    }
    auto decomposed = mapped(titled, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
    MAILCORE_ASSERT(decomposed.has_value());
    return std::move(*decomposed);
}

Direction direction(char32_t character) {
    switch (utf8proc_get_property(static_cast<utf8proc_int32_t>(character))->bidi_class) {
    case UTF8PROC_BIDI_CLASS_L: return Direction::LeftToRight;
    case UTF8PROC_BIDI_CLASS_R:
    case UTF8PROC_BIDI_CLASS_AL: return Direction::RightToLeft;
    default: return Direction::Neutral;
    }
}

std::size_t display_width(std::string_view text) {
    std::size_t columns = 0;
    while (!text.empty()) {
        const auto step = decode_utf8(text);
        const int width = utf8proc_charwidth(static_cast<utf8proc_int32_t>(step.character));
        if (width > 0) columns += static_cast<std::size_t>(width);
        text.remove_prefix(step.octets);
    }
    return columns;
}

} // namespace mailcore::codec
