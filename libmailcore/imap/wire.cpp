#include "libmailcore/imap/wire.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/codec/utf8.h"

namespace mailcore::imap {

namespace wire {

// atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials
bool is_atom_char(char c) {
    switch (c) {
    case '(':
    case ')':
    case '{':
    case '%':
    case '*':
    case '"':
    case '\\':
    case ']': return false;
    default: return codec::is_visible(c);
    }
}

bool is_astring_char(char c) { return c == ']' || is_atom_char(c); }

} // namespace wire

namespace {

constexpr std::uint64_t number64_max = 9'223'372'036'854'775'807;

bool is_tag_char(char c) { return c != '+' && wire::is_astring_char(c); }
bool is_list_char(char c) { return c == '%' || c == '*' || wire::is_astring_char(c); }
bool is_word_char(char c) { return codec::is_alnum(c) || c == '.'; }
bool is_set_char(char c) {
    return codec::is_digit(c) || c == ':' || c == ',' || c == '*' || c == '$';
}
bool is_date_char(char c) { return codec::is_alnum(c) || c == '-'; }

} // namespace

bool WireReader::fail(std::string_view expected) {
    if (ok()) error_ = SyntaxError{at_, expected, SyntaxError::Answer::Bad, Code::None};
    return false;
}

bool WireReader::refuse(ResponseCode code, std::string_view text) {
    if (ok()) error_ = SyntaxError{at_, text, SyntaxError::Answer::No, std::move(code)};
    return false;
}

bool WireReader::take(char c) {
    if (!next_is(c)) return false;
    ++at_;
    return true;
}

bool WireReader::next_is_digit() const { return ok() && !at_end() && codec::is_digit(text_[at_]); }

bool WireReader::take_word(std::string_view name) {
    if (!ok()) return false;
    const auto rest = text_.substr(at_);
    if (!codec::starts_with_ignoring_case(rest, name) || !rest.substr(name.size()).starts_with(' '))
        return false;
    at_ += name.size();
    return true;
}

bool WireReader::take_sequence(std::string_view octets) {
    if (!ok() || !codec::starts_with_ignoring_case(text_.substr(at_), octets)) return false;
    at_ += octets.size();
    return true;
}

bool WireReader::expect(char c, std::string_view name) { return take(c) || fail(name); }

bool WireReader::end() {
    if (!ok()) return false;
    return at_end() || fail("the end of the command");
}

std::string_view WireReader::take_while(bool (*allowed)(char)) {
    if (!ok()) return {};
    const auto from = at_;
    while (at_ < text_.size() && allowed(text_[at_])) ++at_;
    return text_.substr(from, at_ - from);
}

std::string_view WireReader::tag() {
    const auto text = take_while(is_tag_char);
    if (text.empty()) fail("a tag");
    return text;
}

std::string_view WireReader::atom() {
    const auto text = take_while(wire::is_atom_char);
    if (text.empty()) fail("an atom");
    return text;
}

std::string_view WireReader::word() {
    const auto text = take_while(is_word_char);
    if (text.empty()) fail("a data item");
    return text;
}

std::string WireReader::astring() {
    if (next_is('"') || next_is('{')) return string();
    const auto text = take_while(wire::is_astring_char);
    if (text.empty()) fail("a string");
    return std::string(text);
}

std::string WireReader::string() {
    if (next_is('"')) return quoted();
    if (next_is('{')) return literal();
    fail("a quoted string or a literal");
    return {};
}

std::optional<std::string> WireReader::nstring() {
    if (next_is('"') || next_is('{')) return string();
    if (ok() && codec::starts_with_ignoring_case(text_.substr(at_), "NIL")) {
        at_ += 3;
        return std::nullopt;
    }
    fail("a string or NIL");
    return std::nullopt;
}

// quoted = DQUOTE *QUOTED-CHAR DQUOTE
// QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials / UTF8-2 / UTF8-3 /
// UTF8-4 A server that has IMAP4rev2 takes UTF-8 before ENABLE too: LOGIN cannot come after it.
std::string WireReader::quoted() {
    std::string value;
    bool wide = false;
    ++at_;
    for (; at_ < text_.size(); ++at_) {
        char c = text_[at_];
        if (c == '"') {
            const bool may_be_wide =
                grammar_.enabled.wide() || grammar_.extensions.has(Extension::Imap4rev2);
            if (wide && !(may_be_wide && codec::is_utf8(value))) {
                fail("UTF-8 in the quoted string");
                return {};
            }
            ++at_;
            return value;
        }
        if (c == '\\') {
            if (++at_ == text_.size()) break;
            c = text_[at_];
            if (c != '"' && c != '\\') {
                fail("'\"' or '\\' behind '\\'");
                return {};
            }
        } else if (c == '\r' || c == '\n' || c == '\0') {
            fail("no CR, LF or NUL in a quoted string");
            return {};
        }
        wide |= codec::is_8bit(c);
        value += c;
    }
    fail("the closing quote");
    return {};
}

// literal = "{" number64 ["+"] "}" CRLF *CHAR8
std::uint64_t WireReader::announced_octets() {
    expect('{', "a literal");
    const auto octets = number64();
    take('+');
    expect('}', "\"}\"");
    return octets;
}

std::string WireReader::literal() {
    const auto octets = announced_octets();
    if (!ok()) return {};
    if (at_end()) {
        wants_literal_ = true;
        fail("the literal");
        return {};
    }
    if (!text_.substr(at_).starts_with("\r\n")) {
        fail("CRLF behind the literal's size");
        return {};
    }
    if (text_.size() - at_ - 2 < octets) {
        fail("the whole literal");
        return {};
    }
    const auto value = text_.substr(at_ + 2, static_cast<std::size_t>(octets));
    if (value.find('\0') != std::string_view::npos) {
        fail("no NUL in a literal");
        return {};
    }
    at_ += 2 + value.size();
    return std::string(value);
}

std::uint64_t WireReader::literal_announcement() {
    const auto octets = announced_octets();
    if (ok() && !at_end()) fail("the literal as the last argument");
    return ok() ? octets : 0;
}

std::uint32_t WireReader::number() {
    if (!ok()) return 0;
    auto rest = text_.substr(at_);
    const auto value = codec::take_number<std::uint32_t>(rest);
    if (!value) {
        fail("a number up to 4294967295");
        return 0;
    }
    at_ = text_.size() - rest.size();
    return *value;
}

std::uint32_t WireReader::nz_number() {
    if (next_is('0')) fail("a number above 0");
    return number();
}

std::uint64_t WireReader::number64() {
    if (!ok()) return 0;
    auto rest = text_.substr(at_);
    const auto value = codec::take_number<std::uint64_t>(rest, number64_max);
    if (!value) {
        fail("a number up to 9223372036854775807");
        return 0;
    }
    at_ = text_.size() - rest.size();
    return *value;
}

SequenceSet WireReader::sequence_set() {
    const auto from = at_;
    const auto text = take_while(is_set_char);
    if (!ok()) return {};
    auto set = SequenceSet::parse(text, grammar_.sequence_elements_max);
    if (set) {
        if (set->is_saved_result() && !grammar_.extensions.has(Extension::SearchRes))
            fail("a sequence set");
        return *std::move(set);
    }
    at_ = from + set.error().offset;
    fail(set.error().expected);
    return {};
}

NumberSet WireReader::number_set() {
    const auto set = sequence_set();
    if (!ok()) return {};
    if (set.is_saved_result() || set.names_largest()) {
        fail("numbers only");
        return {};
    }
    return set.resolve(0);
}

// flag = "\Answered" / ... / flag-keyword / flag-extension ; flag-extension = "\" atom
std::string_view WireReader::flag() {
    const auto from = at_;
    take('\\');
    atom();
    return ok() ? text_.substr(from, at_ - from) : std::string_view{};
}

void WireReader::flag_list(FlagSet& flags) {
    if (!open() || take(')')) return;
    for (std::size_t count = 0;; ++count) {
        if (count == grammar_.flags_max) {
            refuse(Code::Limit, "Too many flags");
            return;
        }
        const auto name = flag();
        if (!ok()) return;
        if (!add_flag(flags, name)) {
            fail("a flag that can be set");
            return;
        }
        if (!take(' ')) break;
    }
    close();
}

// mailbox = "INBOX" / astring
MailboxName WireReader::mailbox() {
    const auto octets = astring();
    if (!ok()) return {};
    auto name = decode_mailbox_name(octets, grammar_.names);
    if (name) return *std::move(name);
    refuse(Code::Cannot, grammar_.names == NameEncoding::Utf8
                             ? "Mailbox name is not UTF-8 without control characters"
                             : "Mailbox name is not valid modified UTF-7");
    return {};
}

// list-mailbox = 1*list-char / string
std::optional<std::string> WireReader::list_mailbox() {
    std::string octets;
    if (next_is('"') || next_is('{')) {
        octets = string();
    } else {
        octets = take_while(is_list_char);
        if (octets.empty()) fail("a mailbox name or pattern");
    }
    if (!ok()) return std::nullopt;
    auto name = decode_mailbox_name(octets, grammar_.names);
    if (!name) return std::nullopt;
    return std::move(name->utf8);
}

// date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
mime::DateTime WireReader::date_time() {
    const auto from = at_;
    if (!next_is('"')) {
        fail("a date-time");
        return {};
    }
    const auto text = quoted();
    if (!ok()) return {};
    const auto value = mime::parse_imap_date_time(text);
    if (value) return *value;
    at_ = from;
    fail("a date-time such as \" 7-Feb-1994 21:52:25 -0800\"");
    return {};
}

// date = date-text / DQUOTE date-text DQUOTE
std::chrono::sys_days WireReader::date() {
    const auto from = at_;
    const bool in_quotes = take('"');
    const auto text = take_while(is_date_char);
    if (in_quotes) expect('"', "the closing quote");
    if (!ok()) return {};
    const auto value = mime::parse_imap_date(text);
    if (value) return *value;
    at_ = from;
    fail("a date such as 1-Feb-1994");
    return {};
}

} // namespace mailcore::imap
