#include "libmailcore/smtp/reply.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/codec/utf8.h"

#include <algorithm>
#include <utility>

namespace mailcore::smtp {

namespace {

constexpr std::size_t reply_line_octets_max = 512; // RFC 5321 §4.5.3.1.5, with CRLF

/// As many octets of `text` as fit into a line, broken at a space where there is one.
std::string_view take_line(std::string_view& text, std::size_t octets_max) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    if (line.size() <= octets_max) {
        text.remove_prefix(std::min(end + 1, text.size()));
        return line;
    }
    const auto space = line.substr(0, octets_max).rfind(' ');
    if (space != std::string_view::npos && space > 0) {
        text.remove_prefix(space + 1);
        return line.substr(0, space);
    }
    line = codec::utf8_prefix(line, octets_max);
    text.remove_prefix(line.size());
    return line;
}

/// The status that `text` begins with; removed, with the space behind it, if it is there.
std::optional<EnhancedStatus> take_status(std::string_view& text, std::uint16_t code) {
    const auto end = std::min(text.find(' '), text.size());
    const auto status = parse_enhanced_status(text.substr(0, end));
    if (!status || status->status_class != code / 100) return std::nullopt;
    text.remove_prefix(std::min(end + 1, text.size()));
    return status;
}

} // namespace

std::string to_string(const Reply& reply) {
    std::string text;
    codec::append_number(text, reply.code);
    if (reply.status) text += ' ' + to_string(*reply.status);
    if (!reply.text.empty()) text += ' ';
    for (const char c : reply.text) {
        if (c == '\n')
            text += "; ";
        else
            text += c;
    }
    return text;
}

void append_reply(const Reply& reply, std::string& out, Octets octets) {
    std::string code;
    codec::append_number(code, reply.code, 3);
    std::string status;
    if (reply.status && reply.status->status_class == reply.code / 100)
        status = to_string(*reply.status) + ' ';
    const auto text_octets_max = reply_line_octets_max - 6 - status.size(); // "250 ", CRLF
    const bool utf8 = octets == Octets::Utf8 && codec::is_utf8(reply.text);
    std::string_view rest = reply.text;
    do {
        const auto line = take_line(rest, text_octets_max);
        out += code;
        out += rest.empty() ? ' ' : '-';
        out += status;
        for (const char c : line)
            out += c == '\t' || (!codec::is_control(c) && (utf8 || !codec::is_8bit(c))) ? c : '?';
        out += "\r\n";
    } while (!rest.empty());
}

ReplyParser::Step ReplyParser::read(std::string_view octets) {
    std::size_t taken = 0;
    while (taken < octets.size()) {
        const auto step = reader_.read(octets.substr(taken));
        taken += step.taken;
        switch (step.outcome) {
        case codec::LineReader::Outcome::NeedMore:
            if (reader_.swallowed() > 0) return {Outcome::Malformed, taken};
            return {Outcome::NeedMore, taken};
        case codec::LineReader::Outcome::TooLong:
        case codec::LineReader::Outcome::Malformed: return {Outcome::Malformed, taken};
        case codec::LineReader::Outcome::Line:
            if (const auto outcome = line(reader_.line()); outcome != Outcome::NeedMore)
                return {outcome, taken};
        }
    }
    return {Outcome::NeedMore, taken};
}

// Reply-code ( "-" [textstring] ) / [ SP textstring ], RFC 5321 §4.2. The second digit may be above
// 5: §4.2.1 wants unknown codes understood by their first digit.
ReplyParser::Outcome ReplyParser::line(std::string_view text) {
    if (text.size() < 3 || text[0] < '2' || text[0] > '5' || !codec::is_digit(text[1]) ||
        !codec::is_digit(text[2]) || (text.size() > 3 && text[3] != ' ' && text[3] != '-'))
        return Outcome::Malformed;
    const auto code = *codec::parse_u32(text.substr(0, 3));
    const bool last = text.size() == 3 || text[3] == ' ';
    if (lines_ > 0 && code != reply_.code) return Outcome::Malformed;
    text.remove_prefix(std::min<std::size_t>(4, text.size()));
    reply_.code = static_cast<std::uint16_t>(code);
    const auto status = take_status(text, reply_.code);
    if (lines_ == 0)
        reply_.status = status;
    else
        reply_.text += '\n';
    ++lines_;
    for (const char c : text) reply_.text += codec::is_control(c) && c != '\t' ? '?' : c;
    if (reply_.text.size() > limits_.reply_octets_max) return Outcome::Malformed;
    return last ? Outcome::Complete : Outcome::NeedMore;
}

Reply ReplyParser::take() {
    lines_ = 0;
    reader_.clear(); // at rest no buffer is held
    return std::exchange(reply_, {});
}

void ReplyParser::clear() {
    reader_.clear();
    reply_ = {};
    lines_ = 0;
}

std::size_t ReplyParser::memory() const {
    static const std::size_t inside = std::string().capacity();
    return reader_.memory() + (reply_.text.capacity() > inside ? reply_.text.capacity() : 0);
}

} // namespace mailcore::smtp
