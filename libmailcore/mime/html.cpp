#include "libmailcore/mime/html.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/codec/utf8.h"

#include <algorithm>
#include <iterator>
#include <optional>

namespace mailcore::mime {

namespace {

constexpr std::size_t token_octets_max =
    32; // the longest name of a tag or reference that means something

bool contains(const auto& sorted, std::string_view name) {
    return std::binary_search(std::begin(sorted), std::end(sorted), name);
}

// Sorted. Elements whose content is not text to be read.
constexpr std::string_view hidden_elements[] = {"applet",   "canvas", "head",   "iframe",
                                                "noframes", "object", "script", "style",
                                                "template", "title",  "xml"};
// Elements that stand on lines of their own.
constexpr std::string_view block_elements[] = {
    "address", "article", "aside", "blockquote", "body",       "br",     "center", "dd",
    "div",     "dl",      "dt",    "fieldset",   "figcaption", "figure", "footer", "form",
    "h1",      "h2",      "h3",    "h4",         "h5",         "h6",     "header", "hr",
    "html",    "legend",  "li",    "main",       "nav",        "ol",     "option", "p",
    "pre",     "section", "table", "tbody",      "tfoot",      "thead",  "tr",     "ul"};
// Of those, the ones with an empty line around.
constexpr std::string_view spaced_elements[] = {
    "blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"};

struct Reference {
    std::string_view name;
    std::string_view text;
};
// Sorted by name. What mail uses; the others stay as they are written.
constexpr Reference references[] = {
    {"AMP", "&"},         {"Aacute", "\u00C1"}, {"Agrave", "\u00C0"}, {"Aring", "\u00C5"},
    {"Auml", "\u00C4"},   {"Ccedil", "\u00C7"}, {"Eacute", "\u00C9"}, {"Egrave", "\u00C8"},
    {"GT", ">"},          {"LT", "<"},          {"Ntilde", "\u00D1"}, {"Oacute", "\u00D3"},
    {"Ouml", "\u00D6"},   {"QUOT", "\""},       {"Uacute", "\u00DA"}, {"Uuml", "\u00DC"},
    {"aacute", "\u00E1"}, {"acirc", "\u00E2"},  {"aelig", "\u00E6"},  {"agrave", "\u00E0"},
    {"amp", "&"},         {"apos", "'"},        {"aring", "\u00E5"},  {"atilde", "\u00E3"},
    {"auml", "\u00E4"},   {"bdquo", "\u201E"},  {"bull", "\u2022"},   {"ccedil", "\u00E7"},
    {"cent", "\u00A2"},   {"copy", "\u00A9"},   {"dagger", "\u2020"}, {"deg", "\u00B0"},
    {"eacute", "\u00E9"}, {"ecirc", "\u00EA"},  {"egrave", "\u00E8"}, {"emsp", " "},
    {"ensp", " "},        {"euml", "\u00EB"},   {"euro", "\u20AC"},   {"frac12", "\u00BD"},
    {"gt", ">"},          {"hearts", "\u2665"}, {"hellip", "\u2026"}, {"iacute", "\u00ED"},
    {"icirc", "\u00EE"},  {"iexcl", "\u00A1"},  {"igrave", "\u00EC"}, {"iquest", "\u00BF"},
    {"iuml", "\u00EF"},   {"laquo", "\u00AB"},  {"larr", "\u2190"},   {"ldquo", "\u201C"},
    {"lsaquo", "\u2039"}, {"lsquo", "\u2018"},  {"lt", "<"},          {"mdash", "\u2014"},
    {"middot", "\u00B7"}, {"nbsp", " "},        {"ndash", "\u2013"},  {"ntilde", "\u00F1"},
    {"oacute", "\u00F3"}, {"ocirc", "\u00F4"},  {"ograve", "\u00F2"}, {"oslash", "\u00F8"},
    {"ouml", "\u00F6"},   {"para", "\u00B6"},   {"plusmn", "\u00B1"}, {"pound", "\u00A3"},
    {"quot", "\""},       {"raquo", "\u00BB"},  {"rarr", "\u2192"},   {"rdquo", "\u201D"},
    {"reg", "\u00AE"},    {"rsaquo", "\u203A"}, {"rsquo", "\u2019"},  {"sbquo", "\u201A"},
    {"sect", "\u00A7"},   {"shy", ""},          {"szlig", "\u00DF"},  {"thinsp", " "},
    {"times", "\u00D7"},  {"trade", "\u2122"},  {"uacute", "\u00FA"}, {"ucirc", "\u00FB"},
    {"ugrave", "\u00F9"}, {"uuml", "\u00FC"},   {"yen", "\u00A5"},    {"zwj", ""},
    {"zwnj", ""},
};
static_assert(std::is_sorted(std::begin(hidden_elements), std::end(hidden_elements)));
static_assert(std::is_sorted(std::begin(block_elements), std::end(block_elements)));
static_assert(std::is_sorted(std::begin(spaced_elements), std::end(spaced_elements)));
static_assert(std::is_sorted(std::begin(references), std::end(references),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));

// The character that "#8364" or "#x20ac" names; nothing if it is neither.
std::optional<char32_t> numeric_reference(std::string_view token) {
    if (!token.starts_with('#')) return std::nullopt;
    token.remove_prefix(1);
    const bool hex = token.starts_with('x') || token.starts_with('X');
    if (hex) token.remove_prefix(1);
    if (token.empty()) return std::nullopt;
    char32_t value = 0;
    for (const char c : token) {
        const int digit = codec::hex_value(c);
        if (digit < 0 || (!hex && digit > 9)) return std::nullopt;
        value =
            std::min<char32_t>(value * (hex ? 16 : 10) + static_cast<char32_t>(digit), 0x110000);
    }
    return value;
}

} // namespace

void HtmlText::put(std::string_view text, std::string& into) {
    if (!hidden_.empty()) return;
    if (any_) {
        for (; lines_ > 0; --lines_) {
            into += '\n';
            space_ = false;
        }
        if (space_) into += ' ';
    }
    lines_ = 0;
    space_ = false;
    any_ = true;
    into += text;
}

void HtmlText::new_line() { lines_ = std::max<std::uint8_t>(lines_, 1); }

void HtmlText::character(char c, std::string& into) {
    if (preformatted_ && c == '\n') {
        lines_ = std::min<std::uint8_t>(lines_ + 1, 2);
    } else if (codec::is_space(c) || codec::is_control(c)) {
        space_ = true;
    } else {
        put({&c, 1}, into);
    }
}

void HtmlText::end_of_reference(std::string& into) {
    std::string token;
    token.swap(token_);
    if (const auto value = numeric_reference(token)) {
        // 0x80 to 0x9F are windows-1252 in all browsers; rare enough to be left as U+FFFD.
        const bool control = *value < 0x20 || (*value >= 0x7F && *value < 0xA0);
        if (*value == 0xA0 || *value == 0x20 || *value == '\n' || *value == '\r' ||
            *value == '\t') {
            space_ = true;
            return;
        }
        if (*value == 0xAD || (*value >= 0x200B && *value <= 0x200D) || *value == 0xFEFF ||
            *value == 0x034F)
            return; // invisible: padding of newsletters' previews
        std::string text;
        codec::append_utf8(control ? codec::replacement_character : *value, text);
        put(text, into);
        return;
    }
    const auto found = std::lower_bound(std::begin(references), std::end(references), token,
                                        [](const auto& a, const auto& b) { return a.name < b; });
    if (found != std::end(references) && found->name == token) {
        if (found->text == " ")
            space_ = true;
        else if (!found->text.empty())
            put(found->text, into);
        return;
    }
    put("&" + token, into);
}

void HtmlText::end_of_tag() {
    const bool closing = token_.starts_with('/');
    std::string_view name = token_;
    if (closing) name.remove_prefix(1);
    if (!hidden_.empty()) {
        const bool in_head = hidden_ == "head";
        if (closing && name == hidden_)
            hidden_.clear();
        else if (in_head && !closing && contains(hidden_elements, name))
            hidden_ = name;
        // What has no place in a <head> ends one that nobody closed.
        else if (in_head && !closing && contains(block_elements, name))
            hidden_.clear();
    } else if (!closing && contains(hidden_elements, name)) {
        hidden_ = name;
        new_line();
    } else if (name == "br") {
        lines_ = std::min<std::uint8_t>(lines_ + 1, 2);
    } else if (contains(spaced_elements, name)) {
        lines_ = 2;
    } else if (contains(block_elements, name)) {
        new_line();
    } else if (name == "td" || name == "th") {
        space_ = true;
    } else if (name == "img" && !closing) {
        space_ = true;
    }
    if (name == "pre") preformatted_ = !closing;
    token_.clear();
}

void HtmlText::step(char c, std::string& into) {
    switch (state_) {
    case State::Text:
        if (c == '<')
            state_ = State::TagOpen;
        else if (c == '&' && hidden_.empty())
            state_ = State::Reference;
        else if (hidden_.empty())
            character(c, into);
        return;
    case State::Reference:
        if (c == ';') {
            state_ = State::Text;
            if (token_.empty())
                put("&;", into);
            else
                end_of_reference(into);
            return;
        }
        if ((codec::is_alnum(c) || (c == '#' && token_.empty())) &&
            token_.size() < token_octets_max) {
            token_ += c;
            return;
        }
        state_ = State::Text;
        if (token_.empty())
            put("&", into);
        else
            end_of_reference(into);
        return step(c, into);
    case State::TagOpen:
        if (c == '!' || c == '?') {
            state_ = State::MarkupOpen;
            return;
        }
        if (codec::is_alpha(c) || c == '/') {
            token_ = codec::lower(c);
            state_ = State::TagName;
            return;
        }
        state_ = State::Text;
        put("<", into);
        return step(c, into);
    case State::TagName:
        if (codec::is_alnum(c) || c == ':' || c == '-') {
            if (token_.size() < token_octets_max) token_ += codec::lower(c);
            return;
        }
        state_ = State::Tag;
        [[fallthrough]];
    case State::Tag:
        if (c == '<' && !hidden_.empty()) { // in a script "a<b" begins no tag
            state_ = State::TagOpen;
        } else if (c == '>') {
            state_ = State::Text;
            end_of_tag();
        } else if (c == '"' && hidden_.empty()) {
            state_ = State::DoubleQuoted;
        } else if (c == '\'' && hidden_.empty()) {
            state_ = State::SingleQuoted;
        }
        return;
    case State::DoubleQuoted:
        if (c == '"') state_ = State::Tag;
        return;
    case State::SingleQuoted:
        if (c == '\'') state_ = State::Tag;
        return;
    case State::MarkupOpen:
        state_ = c == '>' ? State::Text : c == '-' ? State::MarkupDash : State::Markup;
        return;
    case State::MarkupDash:
        state_ = c == '>' ? State::Text : c == '-' ? State::CommentDashDash : State::Markup;
        return;
    case State::Markup:
        if (c == '>') state_ = State::Text;
        return;
    case State::Comment:
        if (c == '-') state_ = State::CommentDash;
        return;
    case State::CommentDash: state_ = c == '-' ? State::CommentDashDash : State::Comment; return;
    case State::CommentDashDash:
        if (c == '>')
            state_ = State::Text;
        else if (c != '-')
            state_ = State::Comment;
        return;
    }
}

void HtmlText::decode(std::string_view html, std::string& into) {
    for (const char c : html) step(c, into);
}

void HtmlText::finish(std::string& into) {
    if (state_ == State::Reference) {
        if (token_.empty())
            put("&", into);
        else
            end_of_reference(into);
    } else if (state_ == State::TagOpen) {
        put("<", into);
    }
    *this = HtmlText();
}

} // namespace mailcore::mime
