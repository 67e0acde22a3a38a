#include "libmailcore/codec/charset.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <iconv.h>

namespace mailcore::codec {

namespace {

constexpr std::size_t name_octets_max = 40;
constexpr std::size_t held_octets_max = 16; // the longest character of any charset, with its shifts
constexpr std::size_t chunk_octets = 4096;

// Octets 0x80 to 0x9F of windows-1252; 0: not assigned.
constexpr std::array<char16_t, 32> windows_1252 = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

struct Alias {
    std::string_view name; // lower case, '-' for '_', no "x-"
    std::string_view iconv_name;
};

// Names that iconv does not know, or knows as less than what senders meant by them. "": the guess.
constexpr Alias aliases[] = {
    {"", ""},
    {"us-ascii", ""},
    {"ascii", ""},
    {"ansi-x3.4-1968", ""},
    {"ansi-x3.4-1986", ""},
    {"iso646-us", ""},
    {"us", ""},
    {"cp367", ""},
    {"8bit", ""},
    {"7bit", ""},
    {"default", ""},
    {"binary", ""},
    {"unknown-8bit", ""},
    {"unknown", ""},
    {"user-defined", ""},
    {"utf8", "UTF-8"},
    {"utf-8", "UTF-8"},
    {"utf-8n", "UTF-8"},
    {"utf-8-sig", "UTF-8"},
    {"utf8mb4", "UTF-8"},
    {"unicode-1-1-utf-8", "UTF-8"},
    {"unicode-2-0-utf-8", "UTF-8"},
    {"unicode-1-1-utf-7", "UTF-7"},
    {"unicode-2-0-utf-7", "UTF-7"},
    {"utf7", "UTF-7"},
    {"unicode-1-1", "UTF-16BE"},
    {"latin1", "CP1252"},
    {"latin-1", "CP1252"},
    {"l1", "CP1252"},
    {"iso-ir-100", "CP1252"},
    {"cp819", "CP1252"},
    {"ibm819", "CP1252"},
    {"ansi", "CP1252"},
    {"windows-1252-1", "CP1252"},
    {"iso-8859-1-windows-3.1-latin-1", "CP1252"},
    {"latin2", "ISO-8859-2"},
    {"latin3", "ISO-8859-3"},
    {"latin4", "ISO-8859-4"},
    {"latin5", "CP1254"},
    {"latin9", "ISO-8859-15"},
    {"latin-9", "ISO-8859-15"},
    {"cyrillic", "ISO-8859-5"},
    {"hebrew", "ISO-8859-8"},
    {"visual", "ISO-8859-8"},
    {"logical", "ISO-8859-8"},
    {"tis-620", "CP874"},
    {"iso-8859-11", "CP874"},
    {"gb2312", "GB18030"},
    {"gb-2312", "GB18030"},
    {"gb-2312-80", "GB18030"},
    {"gb2312-1", "GB18030"},
    {"chinese", "GB18030"},
    {"csgb2312", "GB18030"},
    {"euc-cn", "GB18030"},
    {"gbk", "GB18030"},
    {"cp936", "GB18030"},
    {"gb18030", "GB18030"},
    {"big5", "BIG5-HKSCS"},
    {"big-5", "BIG5-HKSCS"},
    {"cn-big5", "BIG5-HKSCS"},
    {"csbig5", "BIG5-HKSCS"},
    {"ks-c-5601-1987", "CP949"},
    {"ks-c-5601-1989", "CP949"},
    {"ks-c-5601", "CP949"},
    {"ksc5601", "CP949"},
    {"ksc-5601", "CP949"},
    {"korean", "CP949"},
    {"euc-kr", "CP949"},
    {"cseuckr", "CP949"},
    {"uhc", "CP949"},
    {"shift-jis", "CP932"},
    {"shiftjis", "CP932"},
    {"sjis", "CP932"},
    {"ms-kanji", "CP932"},
    {"csshiftjis", "CP932"},
    {"windows-31j", "CP932"},
    {"iso-2022-jp", "ISO-2022-JP-3"},
    {"iso2022-jp", "ISO-2022-JP-3"},
    {"iso-2022-jp-ms", "ISO-2022-JP-3"},
    {"koi8r", "KOI8-R"},
    {"koi8u", "KOI8-U"},
    {"koi", "KOI8-R"},
    {"koi8", "KOI8-R"},
    {"mac", "MACINTOSH"},
    {"mac-roman", "MACINTOSH"},
    {"macroman", "MACINTOSH"},
    {"mac-cyrillic", "MAC-CYRILLIC"},
    {"mac-ukrainian", "MAC-UK"},
    {"mac-ce", "MAC-CENTRALEUROPE"},
    {"dos-862", "CP862"},
    {"dos-720", "CP720"},
};

bool is_plain_name(std::string_view name) {
    return std::all_of(name.begin(), name.end(), [](char c) {
        return is_alnum(c) || c == '-' || c == '.' || c == ':' || c == '+' || c == '(' || c == ')';
    });
}

// "1251" of "windows-1251", "win1251", "cp-1251", "cp1251", "ms1251", "ibm-1251"; else "".
std::string_view code_page(std::string_view name) {
    for (const std::string_view prefix : {"windows", "win", "cp", "ms", "ibm", "dos"}) {
        if (!name.starts_with(prefix)) continue;
        auto digits = name.substr(prefix.size());
        if (digits.starts_with('-')) digits.remove_prefix(1);
        if (digits.starts_with("cp")) digits.remove_prefix(2);
        if (digits.size() >= 3 && digits.size() <= 5 &&
            std::all_of(digits.begin(), digits.end(), [](char c) { return is_digit(c); }))
            return digits;
    }
    return {};
}

// "8" of "iso-8859-8-i", "iso8859-8", "iso-8859-8:1988", "8859-8", "iso-8859-8-e"; else "".
std::string_view iso_8859_part(std::string_view name) {
    if (name.starts_with("iso")) name.remove_prefix(3);
    if (name.starts_with('-')) name.remove_prefix(1);
    if (!name.starts_with("8859")) return {};
    name.remove_prefix(4);
    if (name.starts_with('-')) name.remove_prefix(1);
    std::size_t digits = 0;
    while (digits < name.size() && digits < 2 && is_digit(name[digits])) ++digits;
    const auto rest = name.substr(digits);
    if (rest.empty() || rest == "-i" || rest == "-e" || rest == "i" || rest.starts_with(':'))
        return name.substr(0, digits);
    return {};
}

// What iconv calls it; "" is the guess, and so is what iconv then does not know.
std::string iconv_name(std::string_view charset) {
    charset = trim(charset);
    if (charset.size() > name_octets_max) return "?";
    std::string name = lower(charset);
    std::replace(name.begin(), name.end(), '_', '-');
    if (const auto language = name.find('*'); language != std::string::npos) name.resize(language);
    if (name.starts_with("x-")) name.erase(0, 2);
    if (!is_plain_name(name)) return "?";
    for (const auto& alias : aliases)
        if (alias.name == name) return std::string(alias.iconv_name);
    if (const auto part = iso_8859_part(name); !part.empty()) {
        if (part == "1") return "CP1252";
        if (part == "9") return "CP1254";
        if (part == "11") return "CP874";
        return "ISO-8859-" + std::string(part);
    }
    if (const auto page = code_page(name); !page.empty()) {
        if (page == "65001") return "UTF-8";
        if (page == "65000") return "UTF-7";
        if (page == "936" || page == "54936") return "GB18030";
        if (page == "28591") return "CP1252";
        if (page == "20127") return "";
        return "CP" + std::string(page);
    }
    return upper(name);
}

} // namespace

void CharsetDecoder::Close::operator()(void* handle) const { ::iconv_close(handle); }

CharsetDecoder::CharsetDecoder(std::string_view charset) {
    const auto name = iconv_name(charset);
    if (name.empty()) return;
    if (name == "UTF-8") {
        kind_ = Kind::Utf8;
    } else if (name == "CP1252") {
        kind_ = Kind::Windows1252;
    } else if (void* handle = name == "?" ? nullptr : ::iconv_open("UTF-8", name.c_str());
               handle != nullptr && handle != reinterpret_cast<void*>(-1)) {
        handle_.reset(handle);
        kind_ = Kind::Iconv;
        if (name.starts_with("UTF-16") || name.starts_with("UCS-2")) unit_octets_ = 2;
        if (name.starts_with("UTF-32") || name.starts_with("UCS-4")) unit_octets_ = 4;
    } else {
        known_ = false;
    }
}

CharsetDecoder::~CharsetDecoder() = default;
CharsetDecoder::CharsetDecoder(CharsetDecoder&&) noexcept = default;
CharsetDecoder& CharsetDecoder::operator=(CharsetDecoder&&) noexcept = default;

void CharsetDecoder::replace(std::string& into) {
    into += replacement_utf8;
    ++replaced_;
}

void CharsetDecoder::decode_utf8_text(std::string_view text, std::string& into, bool last) {
    const auto as_windows_1252 = [&](char c) {
        const auto octet = static_cast<unsigned char>(c);
        const char32_t character = octet < 0xA0 ? windows_1252[octet - 0x80] : octet;
        if (character == 0)
            replace(into);
        else
            append_utf8(character, into);
    };
    while (!text.empty()) {
        std::size_t run = 0;
        while (run < text.size() && !is_8bit(text[run])) ++run;
        into.append(text.substr(0, run));
        text.remove_prefix(run);
        if (text.empty()) return;
        if (kind_ == Kind::Windows1252) {
            as_windows_1252(text.front());
            text.remove_prefix(1);
            continue;
        }
        const auto step = decode_utf8(text);
        if (step.cut && !last) {
            held_ = text;
            return;
        }
        const auto piece = text.substr(0, step.octets);
        if (step.valid)
            into.append(piece);
        else if (kind_ == Kind::Utf8)
            replace(into);
        else
            for (const char c : piece) as_windows_1252(c);
        text.remove_prefix(step.octets);
    }
}

void CharsetDecoder::convert(std::string_view octets, std::string& into, bool last) {
    char buffer[chunk_octets];
    char* in = const_cast<char*>(octets.data()); // iconv's signature; it does not write there
    std::size_t left = octets.size();
    const auto run = [&](char** from, std::size_t* size) {
        char* out = buffer;
        std::size_t room = sizeof buffer;
        const auto result = ::iconv(handle_.get(), from, size, &out, &room);
        const int error = result == static_cast<std::size_t>(-1) ? errno : 0;
        into.append(buffer, static_cast<std::size_t>(out - buffer));
        return error;
    };
    while (left > 0) {
        const int error = run(&in, &left);
        if (error == 0 || error == E2BIG) continue;
        if (error == EINVAL && !last && left <= held_octets_max) {
            held_.assign(in, left);
            return;
        }
        replace(into);
        const auto skipped = std::min<std::size_t>(left, unit_octets_);
        in += skipped;
        left -= skipped;
    }
    if (last) {
        while (run(nullptr, nullptr) == E2BIG) {
        }
        char* none = nullptr;
        std::size_t no_room = 0;
        ::iconv(handle_.get(), nullptr, nullptr, &none, &no_room); // back to the initial state
    }
}

void CharsetDecoder::decode(std::string_view octets, std::string& into) {
    if (octets.empty()) return;
    std::string joined;
    if (!held_.empty()) {
        joined = std::move(held_);
        held_.clear();
        joined += octets;
        octets = joined;
    }
    if (kind_ == Kind::Iconv)
        convert(octets, into, false);
    else
        decode_utf8_text(octets, into, false);
}

void CharsetDecoder::finish(std::string& into) {
    const std::string rest = std::move(held_);
    held_.clear();
    if (kind_ == Kind::Iconv)
        convert(rest, into, true);
    else
        decode_utf8_text(rest, into, true);
}

bool is_known_charset(std::string_view charset) { return CharsetDecoder(charset).known(); }

std::string to_utf8(std::string_view octets, std::string_view charset, std::size_t octets_max) {
    CharsetDecoder decoder(charset);
    std::string out;
    for (std::size_t at = 0; at < octets.size() && out.size() < octets_max; at += chunk_octets)
        decoder.decode(octets.substr(at, chunk_octets), out);
    decoder.finish(out);
    if (out.size() > octets_max) out.resize(utf8_prefix(out, octets_max).size());
    return out;
}

} // namespace mailcore::codec
