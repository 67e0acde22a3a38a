#include "libmailcore/mime/address.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/idna.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/encoded_word.h"

#include <algorithm>

namespace mailcore::mime {

namespace {

constexpr std::size_t local_octets_max = 64; // RFC 5321 §4.5.3.1.1

bool is_atext(char c) {
    return codec::is_alnum(c) || codec::is_8bit(c) ||
           std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

bool is_word_character(char c) {
    return !codec::is_space(c) && !codec::is_control(c) &&
           std::string_view("()<>[]:;@\\,\"").find(c) == std::string_view::npos;
}

// Reads one address list; each octet is looked at a bounded number of times.
class ListReader {
  public:
    ListReader(std::string_view text, std::size_t addresses_max)
        : text_(text), addresses_max_(addresses_max) {}

    std::vector<Address> read() {
        while (at_ < text_.size() && rows_.size() < addresses_max_) step();
        if (rows_.size() < addresses_max_) finish_item();
        close_group();
        return std::move(rows_);
    }

  private:
    void step() {
        const char c = text_[at_];
        if (codec::is_space(c) || codec::is_control(c)) {
            ++at_;
            space_ = true;
            return;
        }
        switch (c) {
        case '(':
            if (std::string content; take_comment(content)) {
                add_comment(content);
                space_ = true;
                return;
            }
            ++at_;
            return;
        case '"':
            if (std::string content; take_quoted(content)) return add_word(content, true);
            ++at_;
            return;
        case '[':
            if (std::string content; take_literal(content)) return add_word(content, false);
            ++at_;
            return;
        case '<': return take_angle();
        case ',':
            ++at_;
            finish_item();
            return;
        case ';':
            ++at_;
            finish_item();
            close_group();
            return;
        case ':':
            ++at_;
            open_group();
            return;
        case '@':
            ++at_;
            add_at_sign();
            return;
        case '\\': // the obsolete quoted pair, RFC 5322 §4.1
            if (at_ + 1 < text_.size()) ++at_;
            add_word(text_.substr(at_++, 1), false);
            return;
        case ')':
        case '>':
        case ']': ++at_; return;
        default: break;
        }
        const auto start = at_;
        while (at_ < text_.size() && is_word_character(text_[at_])) ++at_;
        add_word(text_.substr(start, at_ - start), false);
    }

    // An atom (with dots, and with what does not belong there), a quoted string or a literal.
    void add_word(std::string_view word, bool quoted) {
        const bool blank = space_ && any_word_;
        const bool by_dot = dot_before_ || (!quoted && word.starts_with('.'));
        space_ = false;
        any_word_ = true;
        if (has_angle_) {
            if (!trailing_.empty() && blank) trailing_ += ' ';
            trailing_ += word;
            return;
        }
        const bool first = phrase_.empty() && spec_.empty();
        if (!first && (blank || (quoted != quoted_before_ && !by_dot && !at_before_)))
            phrase_ += ' ';
        phrase_ += word;
        if (blank && !by_dot && !at_before_) {
            // Two words are no address: the last of them may be, if an "@" follows.
            if (has_at_) {
                has_junk_ = true;
            } else {
                if (!before_.empty()) before_ += ' ';
                before_ += spec_;
                spec_.clear();
            }
        }
        if (!has_junk_) spec_ += word;
        quoted_before_ = quoted;
        dot_before_ = !quoted && word.ends_with('.');
        at_before_ = false;
    }

    void add_at_sign() {
        if (has_angle_ || has_junk_) return add_word("@", false);
        phrase_ += '@';
        at_sign_ = spec_.size();
        spec_ += '@';
        has_at_ = at_before_ = true;
        space_ = dot_before_ = quoted_before_ = false;
    }

    void add_comment(std::string_view content) {
        if (content.empty()) return;
        if (!comment_.empty()) comment_ += ' ';
        comment_ += content;
    }

    // "<...>", to its ">" or to where it must have ended.
    void take_angle() {
        if (has_angle_) finish_item(); // "<a@b> <c@d>"
        ++at_;
        has_angle_ = true;
        std::string content;
        std::size_t at_sign = std::string::npos;
        std::size_t route_end = 0;
        bool space = false;
        const auto add = [&](std::string_view word) {
            if (space && !content.empty() && content.back() != '.' && content.back() != '@' &&
                content.back() != ':' && content.back() != ',' && word != "." && word != "@")
                content += ' ';
            space = false;
            content += word;
        };
        while (at_ < text_.size()) {
            const char c = text_[at_];
            std::string piece;
            if (c == '>') {
                ++at_;
                break;
            }
            const bool in_route = content.starts_with('@') && route_end == 0;
            if ((c == ',' && !in_route) || c == ';') break;
            if (codec::is_space(c) || codec::is_control(c)) {
                space = true;
                ++at_;
            } else if (c == '(' && take_comment(piece)) {
                add_comment(piece);
                space = true;
            } else if (c == '"' && take_quoted(piece)) {
                add(piece);
            } else if (c == '[' && take_literal(piece)) {
                add(piece);
            } else if (c == '"' || c == '<' || c == '(' || c == '[') {
                ++at_;
            } else if (c == ':' && in_route) {
                ++at_;
                route_end = content.size();
                content += ':';
                at_sign = std::string::npos;
            } else {
                if (c == '\\' && at_ + 1 < text_.size())
                    ++at_;
                else if (c == '@' && !in_route)
                    at_sign = content.size();
                add({&text_[at_], 1});
                ++at_;
            }
        }
        if (route_end > 0) {
            angle_.route = content.substr(0, route_end);
            content.erase(0, route_end + 1);
            if (at_sign != std::string::npos) at_sign -= route_end + 1;
        } else if (content.starts_with('@')) {
            at_sign = 0;
        }
        if (at_sign == std::string::npos) {
            angle_.local = std::move(content);
        } else {
            angle_.local = content.substr(0, at_sign);
            angle_.domain = content.substr(at_sign + 1);
        }
        space_ = any_word_ = false;
    }

    void finish_item() {
        Address address;
        if (has_angle_) {
            address = std::move(angle_);
            address.name = phrase_.empty() ? trailing_ : phrase_;
        } else if (has_at_) {
            address.name = before_;
            address.local = spec_.substr(0, at_sign_);
            address.domain = spec_.substr(at_sign_ + 1);
        } else {
            address.local = phrase_;
        }
        if (address.name.empty()) address.name = comment_;
        if (!address.local.empty() || !address.domain.empty() ||
            (has_angle_ && !address.name.empty()))
            rows_.push_back(std::move(address));
        reset_item();
    }

    void reset_item() {
        phrase_.clear();
        spec_.clear();
        before_.clear();
        comment_.clear();
        trailing_.clear();
        angle_ = {};
        has_angle_ = has_at_ = has_junk_ = false;
        space_ = any_word_ = at_before_ = dot_before_ = quoted_before_ = false;
    }

    void open_group() {
        if (in_group_ || has_angle_ || phrase_.empty()) return add_word(":", false);
        rows_.push_back({Address::Kind::GroupBegin, phrase_, {}, {}, {}});
        in_group_ = true;
        reset_item();
    }
    void close_group() {
        if (in_group_) rows_.push_back({Address::Kind::GroupEnd, {}, {}, {}, {}});
        in_group_ = false;
    }

    // Each of the three takes what `at_` stands on, or, if it has no end, does nothing and
    // remembers that.
    bool take_comment(std::string& content) {
        if (at_ < no_comment_before_) return false;
        std::size_t depth = 0;
        for (std::size_t i = at_; i < text_.size(); ++i) {
            const char c = text_[i];
            if (c == '\\' && i + 1 < text_.size()) {
                if (text_[i + 1] != '\r' && text_[i + 1] != '\n') content += text_[++i];
                continue;
            }
            if (c == '(' && depth++ == 0) continue;
            if (c == ')' && --depth == 0) {
                at_ = i + 1;
                content = std::string(codec::trim(content));
                return true;
            }
            if (c != '\r' && c != '\n') content += c;
        }
        no_comment_before_ = text_.size();
        return false;
    }
    bool take_quoted(std::string& content) {
        if (at_ < no_quoted_before_) return false;
        for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
            const char c = text_[i];
            if (c == '"') {
                at_ = i + 1;
                return true;
            }
            if (c == '\\' && i + 1 < text_.size())
                content += text_[++i];
            else if (c != '\r' && c != '\n')
                content += c;
        }
        no_quoted_before_ = text_.size();
        content.clear();
        return false;
    }
    bool take_literal(std::string& content) {
        if (at_ < no_literal_before_) return false;
        const auto end = text_.find(']', at_);
        if (end == std::string_view::npos) {
            no_literal_before_ = text_.size();
            return false;
        }
        for (const char c : text_.substr(at_, end + 1 - at_))
            if (!codec::is_space(c)) content += c;
        at_ = end + 1;
        return true;
    }

    std::string_view text_; // the caller's, during the one call
    std::size_t addresses_max_;
    std::size_t at_ = 0;
    std::vector<Address> rows_;

    // The item under way. `phrase_` is all its words as a name would have them, `spec_` the last of
    // them as an address would, `before_` those before.
    std::string phrase_, spec_, before_, comment_, trailing_;
    Address angle_;
    std::size_t at_sign_ = 0;
    bool has_angle_ = false;
    bool has_at_ = false;
    bool has_junk_ = false; // words behind "a@b"
    bool space_ = false;    // since the last word
    bool any_word_ = false;
    bool at_before_ = false; // what the last word was, or ended in
    bool dot_before_ = false;
    bool quoted_before_ = false;
    bool in_group_ = false;
    std::size_t no_comment_before_ = 0, no_quoted_before_ = 0, no_literal_before_ = 0;
};

bool is_plain_phrase(std::string_view name) {
    if (name.empty() || name.front() == ' ' || name.back() == ' ') return false;
    return name.find("  ") == std::string_view::npos &&
           std::all_of(name.begin(), name.end(), [](char c) { return c == ' ' || is_atext(c); });
}

// Whether it is made of encoded words, as parsed from another message.
bool is_encoded_phrase(std::string_view name) {
    return codec::is_ascii(name) && name.find("=?") != std::string_view::npos &&
           name.find("?=") != std::string_view::npos && is_plain_phrase(name);
}

void append_phrase(std::string_view name_given, Utf8 utf8, std::string& out) {
    std::string name(name_given);
    for (char& c : name)
        if (codec::is_control(c)) c = ' '; // nobody adds a field through a name
    const bool raw = codec::is_ascii(name) || (utf8 == Utf8::Allowed && codec::is_utf8(name));
    if (is_encoded_phrase(name) || (raw && is_plain_phrase(name)))
        out += name;
    else if (raw && name.find("=?") == std::string::npos)
        out += quoted_string(name);
    else
        out += encode_phrase(name);
}

} // namespace

std::vector<Address> parse_addresses(std::string_view text, std::size_t addresses_max) {
    return ListReader(text, addresses_max).read();
}

std::optional<Address> parse_one_address(std::string_view text, Utf8 utf8) {
    auto rows = parse_addresses(text, 3);
    if (rows.size() != 1 || rows[0].kind != Address::Kind::Mailbox) return std::nullopt;
    const auto& domain = rows[0].domain;
    if (!is_local_part(rows[0].local, utf8) ||
        !(codec::is_domain(domain, utf8) || codec::is_address_literal(domain)))
        return std::nullopt;
    return std::move(rows[0]);
}

bool is_local_part(std::string_view text, Utf8 utf8) {
    if (text.empty() || text.size() > local_octets_max) return false;
    if (std::any_of(text.begin(), text.end(), [](char c) { return codec::is_control(c); }))
        return false;
    return codec::is_ascii(text) || (utf8 == Utf8::Allowed && codec::is_utf8(text));
}

bool is_dot_atom(std::string_view text, Utf8 utf8) {
    if (utf8 == Utf8::Forbidden && !codec::is_ascii(text)) return false;
    bool dot = true;
    for (const char c : text) {
        if (c == '.' ? dot : !is_atext(c)) return false;
        dot = c == '.';
    }
    return !dot;
}

std::string quoted_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += codec::is_control(c) && c != '\t' ? ' ' : c;
    }
    out += '"';
    return out;
}

std::string quoted_local_part(std::string_view local) {
    return is_dot_atom(local) ? std::string(local) : quoted_string(local);
}

std::string Address::addr_spec() const {
    if (kind != Kind::Mailbox) return {};
    auto out = quoted_local_part(local);
    if (!domain.empty()) out += '@' + domain;
    return out;
}

std::string Address::display_name() const { return decode_encoded_words(name); }

std::string to_string(const std::vector<Address>& addresses, Utf8 utf8) {
    std::string out;
    bool first = true; // of the list or a group: no comma before it
    for (const auto& address : addresses) {
        if (address.kind == Address::Kind::GroupEnd) {
            out += ';';
            continue;
        }
        if (!first) out += ", ";
        first = address.kind == Address::Kind::GroupBegin;
        if (first) {
            append_phrase(address.name, utf8, out);
            out += ": ";
            continue;
        }
        auto spec = address.addr_spec();
        if (utf8 == Utf8::Forbidden && !codec::is_ascii(address.domain)) {
            if (const auto ascii = codec::domain_to_ascii(address.domain))
                spec = quoted_local_part(address.local) + '@' + *ascii;
        }
        if (address.name.empty()) {
            out += spec;
        } else {
            append_phrase(address.name, utf8, out);
            out += " <" + spec + '>';
        }
    }
    return out;
}

} // namespace mailcore::mime
