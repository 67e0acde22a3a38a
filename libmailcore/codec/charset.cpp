#include "libmailcore/codec/charset.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <iconv.h>
#include <iterator>
#include <vector>

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
    {"csutf8", "UTF-8"},
    {"csisolatin1", "CP1252"},
    {"csisolatin2", "ISO-8859-2"},
    {"csisolatin5", "CP1254"},
    {"csisolatincyrillic", "ISO-8859-5"},
    {"csisolatingreek", "ISO-8859-7"},
    {"greek", "ISO-8859-7"},
    {"arabic", "ISO-8859-6"},
    {"cskoi8r", "KOI8-R"},
    {"csiso2022jp", "ISO-2022-JP-3"},
    {"csiso2022kr", "ISO-2022-KR"},
    {"cseucpkdfmtjapanese", "EUC-JP"},
    {"eucjp", "EUC-JP"},
    {"dos-720", "CP720"},
};

// What `CharsetRange::Usual` allows, sorted.
constexpr std::string_view usual_charsets[] = {"ARMSCII-8",    "BIG5-HKSCS",    "CP1250",
                                               "CP1251",       "CP1252",        "CP1253",
                                               "CP1254",       "CP1255",        "CP1256",
                                               "CP1257",       "CP1258",        "CP437",
                                               "CP720",        "CP737",         "CP775",
                                               "CP850",        "CP852",         "CP855",
                                               "CP857",        "CP858",         "CP860",
                                               "CP861",        "CP862",         "CP863",
                                               "CP865",        "CP866",         "CP874",
                                               "CP932",        "CP949",         "EUC-JP",
                                               "EUC-TW",       "GB18030",       "GEORGIAN-PS",
                                               "ISO-2022-CN",  "ISO-2022-JP-2", "ISO-2022-JP-3",
                                               "ISO-2022-KR",  "ISO-8859-10",   "ISO-8859-13",
                                               "ISO-8859-14",  "ISO-8859-15",   "ISO-8859-16",
                                               "ISO-8859-2",   "ISO-8859-3",    "ISO-8859-4",
                                               "ISO-8859-5",   "ISO-8859-6",    "ISO-8859-7",
                                               "ISO-8859-8",   "JOHAB",         "KOI8-R",
                                               "KOI8-T",       "KOI8-U",        "MAC-CENTRALEUROPE",
                                               "MAC-CYRILLIC", "MAC-UK",        "MACINTOSH",
                                               "TCVN",         "UTF-16",        "UTF-16BE",
                                               "UTF-16LE",     "UTF-32",        "UTF-32BE",
                                               "UTF-32LE",     "UTF-7"};
static_assert(std::is_sorted(std::begin(usual_charsets), std::end(usual_charsets)));

bool is_usual(std::string_view iconv_name) {
    return std::binary_search(std::begin(usual_charsets), std::end(usual_charsets), iconv_name);
}

// Of more than an octet a character, without state, where an octet below 0x80 that begins one is
// ASCII.
constexpr std::string_view ascii_charsets[] = {"BIG5-HKSCS", "CP932",   "CP949", "EUC-JP",
                                               "EUC-TW",     "GB18030", "JOHAB"};

// Whether each octet is a character.
bool is_one_octet(std::string_view iconv_name) {
    if (iconv_name == "CP932" || iconv_name == "CP949") return false;
    for (const std::string_view family : {"ISO-8859-", "KOI8-", "CP", "MAC"})
        if (iconv_name.starts_with(family)) return is_usual(iconv_name);
    return false;
}

// Holds each usual charset open as long as the process runs, so that libc never unloads its module:
// else a text whose words name twenty charsets in turn costs a load and an unload a word.
class Pins {
  public:
    Pins() {
        for (const auto name : usual_charsets) handles_.push_back(open(std::string(name)));
    }
    static void* open(const std::string& name) {
        void* const handle = ::iconv_open("UTF-8", name.c_str());
        return handle == reinterpret_cast<void*>(-1) ? nullptr : handle;
    }
    ~Pins() {
        for (void* const handle : handles_)
            if (handle != nullptr) ::iconv_close(handle);
    }
    Pins(const Pins&) = delete;
    Pins& operator=(const Pins&) = delete;

  private:
    std::vector<void*> handles_;
};

void* open_charset(const std::string& name, CharsetRange range) {
    static const Pins pins; // never used, only there
    if (name == "?" || (range == CharsetRange::Usual && !is_usual(name))) return nullptr;
    return Pins::open(name);
}

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
    // libc passes over these: "utf-8+" would be its UTF-8 instead of ours.
    std::erase_if(name, [](char c) { return c == '+' || c == '(' || c == ')'; });
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

CharsetDecoder::CharsetDecoder(std::string_view charset, CharsetRange range) {
    const auto name = iconv_name(charset);
    if (name.empty()) return;
    if (name == "UTF-8") {
        kind_ = Kind::Utf8;
    } else if (name == "CP1252") {
        kind_ = Kind::Windows1252;
    } else if (void* const handle = open_charset(name, range); handle != nullptr) {
        handle_.reset(handle);
        kind_ = is_one_octet(name) ? Kind::Bytes : Kind::Characters;
        ascii_inside_ = std::find(std::begin(ascii_charsets), std::end(ascii_charsets), name) !=
                        std::end(ascii_charsets);
        resets_ = name == "UTF-7"; // else one bad shift spoils the rest
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

// Runs iconv and appends what it gives; the error, or 0.
int CharsetDecoder::run(char** from, std::size_t* size, std::string& into) {
    char buffer[chunk_octets];
    for (;;) {
        char* out = buffer;
        std::size_t room = sizeof buffer;
        const auto result = ::iconv(handle_.get(), from, size, &out, &room);
        const int error = result == static_cast<std::size_t>(-1) ? errno : 0;
        // libc lets through what lies beyond U+10FFFF.
        append_sanitised_utf8({buffer, static_cast<std::size_t>(out - buffer)}, into);
        if (error != E2BIG) return error;
    }
}

void CharsetDecoder::convert_bytes(std::string_view octets, std::string& into) {
    char* in = const_cast<char*>(octets.data()); // iconv's signature; it does not write there
    std::size_t left = octets.size();
    while (left > 0 && run(&in, &left, into) != 0) {
        replace(into);
        if (left == 0) break;
        ++in;
        --left;
    }
}

// An octet at a time, so that what is invalid has the same end however the text is cut, and
// whatever iconv makes of its pointer then (that of libc differs from charset to charset).
void CharsetDecoder::convert_characters(std::string_view octets, std::string& into) {
    for (std::size_t at = 0; at < octets.size();) {
        if (ascii_inside_ && held_.empty()) {
            const auto start = at;
            while (at < octets.size() && !is_8bit(octets[at])) ++at;
            into += octets.substr(start, at - start);
            if (at == octets.size()) return;
        }
        held_ += octets[at++];
        convert_held(into);
    }
}

void CharsetDecoder::convert_held(std::string& into) {
    for (;;) {
        char* in = held_.data();
        std::size_t left = held_.size();
        const int error = run(&in, &left, into);
        if (error == 0) return held_.clear();
        if (error == EINVAL && left < held_octets_max) {
            held_.erase(0, held_.size() - left);
            return;
        }
        replace(into);
        if (resets_) ::iconv(handle_.get(), nullptr, nullptr, nullptr, nullptr);
        // An octet that cannot end the character may begin the next; one above 0x7F was its second
        // half.
        const char last = held_.back();
        const bool again = held_.size() > 1 && unit_octets_ == 1 && !is_8bit(last);
        held_.clear();
        if (!again) return;
        held_ += last;
    }
}

void CharsetDecoder::decode(std::string_view octets, std::string& into) {
    if (octets.empty()) return;
    if (kind_ == Kind::Bytes) return convert_bytes(octets, into);
    if (kind_ == Kind::Characters) return convert_characters(octets, into);
    if (held_.empty()) return decode_utf8_text(octets, into, false);
    std::string joined = std::move(held_);
    held_.clear();
    joined += octets;
    decode_utf8_text(joined, into, false);
}

void CharsetDecoder::finish(std::string& into) {
    const std::string rest = std::move(held_);
    held_.clear();
    if (handle_ == nullptr) return decode_utf8_text(rest, into, true);
    if (!rest.empty()) replace(into);
    run(nullptr, nullptr, into); // what a charset with combining characters kept back
    ::iconv(handle_.get(), nullptr, nullptr, nullptr, nullptr);
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
