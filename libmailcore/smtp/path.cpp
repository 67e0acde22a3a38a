#include "libmailcore/smtp/path.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"

#include <algorithm>

namespace mailcore::smtp {

namespace {

// atext of RFC 5322 §3.2.3.
constexpr bool is_atext(char c) {
    return codec::is_alnum(c) || std::string_view("!#$%&'*+-/=?^_`{|}~").contains(c);
}

/// Reads the grammar of one text from left to right; each step moves `at` or fails there.
class Reader {
  public:
    Reader(std::string_view text, Utf8 utf8) : text_(text), utf8_(utf8) {}

    [[nodiscard]] bool ended() const { return at_ == text_.size(); }
    [[nodiscard]] std::unexpected<ParseError> expected(std::string_view what) const {
        return std::unexpected(ParseError{at_, what});
    }
    bool take(char c) {
        if (ended() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    [[nodiscard]] bool sees(char c) const { return !ended() && text_[at_] == c; }
    [[nodiscard]] std::size_t at() const { return at_; }

    /// A-d-l ":", dropped: *( "@" Domain "," ) "@" Domain ":"
    Result<void, ParseError> source_route() {
        while (take('@')) {
            MAILCORE_TRY(domain());
            if (take(':')) return {};
            if (!take(',')) return expected("',' or ':'");
        }
        return expected("'@'");
    }

    /// Dot-string / Quoted-string
    Result<std::string, ParseError> local_part() {
        if (sees('"')) return quoted_string();
        std::string value;
        do {
            if (!value.empty()) value += '.';
            const auto atom = value.size();
            while (const auto octets = atext()) {
                value += text_.substr(at_, octets);
                at_ += octets;
            }
            if (value.size() == atom) return expected("a local-part");
        } while (take('.'));
        return value;
    }

    Result<std::string, ParseError> domain() {
        const auto rest = text_.substr(at_);
        if (sees('[')) {
            const auto literal = rest.substr(0, rest.find(']') + 1);
            if (!codec::parse_address_literal(literal)) return expected("an address literal");
            at_ += literal.size();
            return std::string(literal);
        }
        const auto other = [&](char c) {
            return !(codec::is_alnum(c) || c == '-' || c == '.' ||
                     (codec::is_8bit(c) && utf8_ == Utf8::Allowed));
        };
        const auto domain = std::string_view(rest.begin(), std::ranges::find_if(rest, other));
        if (!codec::is_domain(domain, utf8_)) return expected("a domain");
        at_ += domain.size();
        return std::string(domain);
    }

    Result<Mailbox, ParseError> mailbox() {
        Mailbox mailbox;
        MAILCORE_TRY(mailbox.local_part, local_part());
        if (!take('@')) return expected("'@'");
        MAILCORE_TRY(mailbox.domain, domain());
        return mailbox;
    }

  private:
    [[nodiscard]] std::size_t utf8_character() const {
        if (utf8_ == Utf8::Forbidden || ended() || !codec::is_8bit(text_[at_])) return 0;
        const auto step = codec::decode_utf8(text_.substr(at_));
        return step.valid ? step.octets : 0;
    }
    [[nodiscard]] std::size_t atext() const {
        return !ended() && is_atext(text_[at_]) ? 1 : utf8_character();
    }

    Result<std::string, ParseError> quoted_string() {
        ++at_; // the quote
        std::string value;
        while (!take('"')) {
            if (ended()) return expected("'\"'");
            if (text_[at_] == '\\') {
                ++at_;
                if (ended() || codec::is_control(text_[at_]) || codec::is_8bit(text_[at_]))
                    return expected("a printable character after the backslash");
                value += text_[at_++];
            } else if (const auto octets =
                           codec::is_control(text_[at_]) || codec::is_8bit(text_[at_])
                               ? utf8_character()
                               : 1) {
                value += text_.substr(at_, octets);
                at_ += octets;
            } else {
                return expected("a printable character");
            }
        }
        // RFC 5321 §4.1.2 lets it be empty, but then no mailbox would be named.
        if (value.empty()) return expected("a local-part");
        return value;
    }

    std::string_view text_;
    Utf8 utf8_;
    std::size_t at_ = 0;
};

} // namespace

bool Path::needs_utf8() const {
    return !codec::is_ascii(mailbox.local_part) || !codec::is_ascii(mailbox.domain);
}

Result<Path, ParseError> parse_path(std::string_view text, Utf8 utf8) {
    Reader reader(text, utf8);
    Path path;
    if (!reader.take('<')) return reader.expected("'<'");
    if (reader.take('>')) {
        if (!reader.ended()) return reader.expected("the end of the path");
        return path;
    }
    auto start = std::size_t{0};
    if (reader.sees('@')) {
        MAILCORE_TRY(reader.source_route());
        start = reader.at() - 1;
    }
    MAILCORE_TRY(path.mailbox.local_part, reader.local_part());
    if (reader.take('@')) {
        MAILCORE_TRY(path.mailbox.domain, reader.domain());
    } else if (start != 0 || !codec::equal_ignoring_case(path.mailbox.local_part, "postmaster")) {
        return reader.expected("'@'"); // only Postmaster goes without (RFC 5321 §4.5.1)
    }
    if (!reader.take('>')) return reader.expected("'>'");
    if (!reader.ended()) return reader.expected("the end of the path");
    if (text.size() - start > path_octets_max)
        return std::unexpected(ParseError{start + path_octets_max, "a path of at most 256 octets"});
    return path;
}

Result<Mailbox, ParseError> parse_mailbox(std::string_view text, Utf8 utf8) {
    Reader reader(text, utf8);
    MAILCORE_TRY(auto mailbox, reader.mailbox());
    if (!reader.ended()) return reader.expected("the end of the mailbox");
    if (text.size() > path_octets_max - 2)
        return std::unexpected(ParseError{path_octets_max - 2, "a mailbox of at most 254 octets"});
    return mailbox;
}

std::size_t path_end(std::string_view text) {
    bool quoted = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '"')
            quoted = !quoted;
        else if (quoted && text[at] == '\\')
            ++at;
        else if (!quoted && text[at] == ' ')
            return at;
    }
    return text.size();
}

std::string to_string(const Mailbox& mailbox) {
    const auto& local = mailbox.local_part;
    if (local.empty() || std::ranges::any_of(local, codec::is_control) ||
        std::ranges::any_of(mailbox.domain,
                            [](char c) { return codec::is_control(c) || c == ' '; }))
        return {};
    // A Dot-string needs no quotes; a dot at an end or beside another is none.
    const bool atoms = local.front() != '.' && local.back() != '.' && !local.contains("..") &&
                       std::ranges::all_of(local, [](char c) {
                           return c == '.' || is_atext(c) || codec::is_8bit(c);
                       });
    std::string text;
    if (atoms) {
        text = local;
    } else {
        text = '"';
        for (const char c : local) {
            if (c == '"' || c == '\\') text += '\\';
            text += c;
        }
        text += '"';
    }
    if (!mailbox.domain.empty()) text += '@' + mailbox.domain;
    return text;
}

std::string to_string(const Path& path) {
    if (path.is_null()) return "<>";
    const auto mailbox = to_string(path.mailbox);
    return mailbox.empty() ? mailbox : '<' + mailbox + '>';
}

} // namespace mailcore::smtp
