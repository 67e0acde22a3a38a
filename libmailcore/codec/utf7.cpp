#include "libmailcore/codec/utf7.h"

#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/utf8.h"

#include <cstdint>

namespace mailcore::codec {

namespace {

constexpr char digit63 = ','; // RFC 3501 §5.1.3: "," instead of "/"

bool is_printable(char c) { return c >= 0x20 && c <= 0x7E; }

// Appends the characters of one shift, without "&" and "-"; false if it is not well formed.
bool shifted(std::string_view digits, std::string& into) {
    std::uint32_t bits = 0;
    unsigned count = 0;
    char32_t high = 0;
    for (const char c : digits) {
        const int value = detail::base64_value(c, digit63);
        if (value < 0) return false;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count < 16) continue;
        count -= 16;
        const auto unit = static_cast<char32_t>(bits >> count & 0xFFFF);
        bits &= (1U << count) - 1;
        if (high != 0) {
            if (unit < 0xDC00 || unit > 0xDFFF) return false;
            append_utf8(0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00), into);
            high = 0;
        } else if (unit >= 0xD800 && unit <= 0xDBFF) {
            high = unit;
        } else if ((unit >= 0xDC00 && unit <= 0xDFFF) || (unit >= 0x20 && unit <= 0x7E)) {
            return false;
        } else {
            append_utf8(unit, into);
        }
    }
    return high == 0 && bits == 0 && count < 6;
}

} // namespace

std::optional<std::string> mailbox_name_from_utf7(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    bool after_shift = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (!is_printable(c)) return std::nullopt;
        if (c != '&') {
            out += c;
            after_shift = false;
            continue;
        }
        const auto end = text.find('-', i);
        if (end == std::string_view::npos) return std::nullopt;
        if (end == i + 1) {
            out += '&';
            after_shift = false;
        } else {
            if (after_shift || !shifted(text.substr(i + 1, end - i - 1), out)) return std::nullopt;
            after_shift = true;
        }
        i = end;
    }
    return out;
}

std::optional<std::string> mailbox_name_to_utf7(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    unsigned count = 0;
    bool shift = false;
    const auto digit = [&](std::uint32_t value) {
        out += value == 63 ? digit63 : detail::base64_digits[value];
    };
    const auto unit = [&](char32_t value) {
        bits = bits << 16 | static_cast<std::uint32_t>(value);
        count += 16;
        while (count >= 6) {
            count -= 6;
            digit(bits >> count & 63);
        }
        bits &= (1U << count) - 1;
    };
    const auto end_shift = [&] {
        if (!shift) return;
        if (count > 0) digit(bits << (6 - count) & 63);
        out += '-';
        bits = 0;
        count = 0;
        shift = false;
    };
    while (!text.empty()) {
        const auto step = decode_utf8(text);
        if (!step.valid) return std::nullopt;
        text.remove_prefix(step.octets);
        if (step.character >= 0x20 && step.character <= 0x7E) {
            end_shift();
            out += static_cast<char>(step.character);
            if (step.character == '&') out += '-';
            continue;
        }
        if (!shift) out += '&';
        shift = true;
        if (step.character >= 0x10000) {
            const char32_t above = step.character - 0x10000;
            unit(0xD800 + (above >> 10));
            unit(0xDC00 + (above & 0x3FF));
        } else {
            unit(step.character);
        }
    }
    end_shift();
    return out;
}

} // namespace mailcore::codec
