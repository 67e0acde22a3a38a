#include "libmailcore/codec/quoted_printable.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/hex.h"

#include <algorithm>

namespace mailcore::codec {

namespace {

constexpr std::size_t line_characters = 76; // RFC 2045 §6.7 rule 5
constexpr std::size_t spaces_max = 998;     // no line has more (RFC 5322 §2.1.1)

bool stays_in_q(char c) {
    return is_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

void append_hex(char c, std::string& into) {
    const auto octet = static_cast<unsigned char>(c);
    into += '=';
    into += hex_digits_upper[octet >> 4];
    into += hex_digits_upper[octet & 15];
}

} // namespace

void QuotedPrintableEncoder::literal(char c, std::string& into) {
    const bool cut = column_ + 1 > line_characters - 1;
    if (cut) {
        into += "=\r\n";
        column_ = 0;
    }
    // An "F" is enough to hide "From ", and rare enough at a line's start. What no line of the
    // content begins with must not look like a delimiter (RFC 2046 §5.1.1).
    if (column_ == 0 && (c == '.' || c == 'F' || (cut && c == '-'))) return encoded(c, into);
    into += c;
    ++column_;
}

void QuotedPrintableEncoder::encoded(char c, std::string& into) {
    if (column_ + 3 > line_characters - 1) {
        into += "=\r\n";
        column_ = 0;
    }
    append_hex(c, into);
    column_ += 3;
}

// What was kept back because a line end might have followed, and did not.
void QuotedPrintableEncoder::release(std::string& into) {
    if (space_ != 0) {
        if (cr_)
            encoded(space_, into);
        else
            literal(space_, into);
        space_ = 0;
    }
    if (cr_) encoded('\r', into);
    cr_ = false;
}

void QuotedPrintableEncoder::encode(std::string_view octets, std::string& into) {
    for (const char c : octets) {
        if (content_ == Content::Text && c == '\n') {
            if (space_ != 0) encoded(space_, into);
            space_ = 0;
            cr_ = false;
            into += "\r\n";
            column_ = 0;
            continue;
        }
        if (cr_ || !(content_ == Content::Text && c == '\r')) release(into);
        if (content_ == Content::Text && c == '\r')
            cr_ = true;
        else if (is_wsp(c))
            space_ = c;
        else if (is_visible(c) && c != '=')
            literal(c, into);
        else
            encoded(c, into);
    }
}

void QuotedPrintableEncoder::finish(std::string& into) {
    if (space_ != 0) encoded(space_, into);
    space_ = 0;
    release(into);
    column_ = 0;
}

void QuotedPrintableDecoder::damage(std::string& into) {
    damaged_ = true;
    into += '=';
}

void QuotedPrintableDecoder::step(char c, std::string& into) {
    switch (state_) {
    case State::Plain: break;
    case State::Equals:
        if (hex_value(c) >= 0) {
            digit_ = c;
            state_ = State::Digit;
            return;
        }
        state_ = State::Plain;
        if (is_wsp(c)) {
            state_ = State::SoftSpace;
            spaces_ = c;
            return;
        }
        if (c == '\n') return;
        if (c == '\r') {
            state_ = State::SoftCr;
            return;
        }
        damage(into);
        break;
    case State::Digit:
        state_ = State::Plain;
        if (hex_value(c) >= 0) {
            into += static_cast<char>(hex_value(digit_) << 4 | hex_value(c));
            return;
        }
        damage(into);
        into += digit_;
        break;
    case State::SoftSpace:
        if (is_wsp(c) && spaces_.size() < spaces_max) {
            spaces_ += c;
            return;
        }
        state_ = State::Plain;
        if (c == '\n' || c == '\r') {
            spaces_.clear();
            if (c == '\r') state_ = State::SoftCr;
            return;
        }
        damage(into);
        break;
    case State::SoftCr:
        state_ = State::Plain;
        if (c == '\n') return;
        break;
    }
    if (cr_) {
        cr_ = false;
        if (c == '\n') {
            spaces_.clear();
            into += "\r\n";
            return;
        }
        into += spaces_;
        spaces_.clear();
        into += '\r';
    }
    if (c == '\r') {
        cr_ = true;
        return;
    }
    if (c == '\n') {
        spaces_.clear();
        into += '\n';
        return;
    }
    if (is_wsp(c)) {
        if (spaces_.size() == spaces_max) {
            into += spaces_;
            spaces_.clear();
        }
        spaces_ += c;
        return;
    }
    into += spaces_;
    spaces_.clear();
    if (c == '=')
        state_ = State::Equals;
    else
        into += c;
}

void QuotedPrintableDecoder::decode(std::string_view text, std::string& into) {
    std::size_t at = 0;
    while (at < text.size()) {
        if (state_ == State::Plain && !cr_ && spaces_.empty()) {
            // A run of characters that mean themselves; its spaces are followed by something of the
            // line.
            std::size_t end = at;
            std::size_t solid = at;
            for (; end < text.size(); ++end) {
                const char c = text[end];
                if (c == '=' || c == '\r' || c == '\n') break;
                if (!is_wsp(c)) solid = end + 1;
            }
            into.append(text.substr(at, solid - at));
            at = solid;
            if (at == text.size()) break;
        }
        step(text[at++], into);
    }
}

void QuotedPrintableDecoder::finish(std::string& into) {
    if (state_ == State::Digit) {
        damage(into);
        into += digit_;
    } else if (state_ == State::SoftSpace) {
        spaces_.clear(); // the body ends in a soft line break
    }
    if (cr_) {
        into += spaces_;
        into += '\r';
    }
    spaces_.clear();
    state_ = State::Plain;
    cr_ = false;
}

void q_decode(std::string_view text, std::string& into) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '_') {
            into += ' ';
        } else if (text[i] == '=' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
                   hex_value(text[i + 2]) >= 0) {
            into += static_cast<char>(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
            i += 2;
        } else {
            into += text[i];
        }
    }
}

void q_encode(std::string_view octets, std::string& into) {
    for (const char c : octets) {
        if (stays_in_q(c))
            into += c;
        else if (c == ' ')
            into += '_';
        else
            append_hex(c, into);
    }
}

std::size_t q_width(char c) { return stays_in_q(c) || c == ' ' ? 1 : 3; }

} // namespace mailcore::codec
