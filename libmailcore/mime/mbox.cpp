#include "libmailcore/mime/mbox.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/mime/header.h"

#include <algorithm>
#include <array>
#include <utility>

namespace mailcore::mime {

namespace {

constexpr std::string_view from = "From ";
/// Of a line that is looked at for what it means; longer ones are text.
constexpr std::size_t from_line_octets_max = 1'000;
/// More than a message has room for, so that the fields that are taken out do not make it too long.
constexpr std::uint64_t slack_octets = 64 * 1024;
constexpr std::size_t keywords_max = 1'000;

std::string_view without_end(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

bool is_weekday(std::string_view word) {
    static constexpr std::string_view names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    return std::ranges::any_of(
        names, [&](std::string_view name) { return codec::starts_with_ignoring_case(word, name); });
}

/// What a "From " line says; false: it is none. A sender may hold spaces, a date begins with the
/// day of the week.
bool parse_from_line(std::string_view line, bool undated, MboxMessage& message) {
    line = without_end(line);
    if (!line.starts_with(from) || line.size() > from_line_octets_max) return false;
    const auto rest = line.substr(from.size());
    for (auto space = rest.find(' '); space != std::string_view::npos;
         space = rest.find(' ', space + 1)) {
        const auto tail = rest.substr(space + 1);
        if (!is_weekday(tail)) continue;
        if (const auto date = parse_date(tail)) {
            message.date = date;
            message.sender = codec::trim(rest.substr(0, space));
            return true;
        }
    }
    if (!undated) return false;
    message.sender = rest.substr(0, rest.find(' '));
    return true;
}

/// A line as it was before it was quoted.
std::string_view unquoted(std::string_view line, MboxKind kind) {
    if (kind == MboxKind::Mboxcl2 || !line.starts_with('>')) return line;
    const auto level = line.find_first_not_of('>');
    if (level == std::string_view::npos || !line.substr(level).starts_with(from)) return line;
    if (kind == MboxKind::Mboxo && level > 1) return line;
    return line.substr(1);
}

void add_flag(std::vector<std::string>& flags, std::string_view flag) {
    const bool there = std::ranges::any_of(
        flags, [&](const std::string& other) { return codec::equal_ignoring_case(other, flag); });
    if (!there && flags.size() < keywords_max) flags.emplace_back(flag);
}

void add_words(std::vector<std::string>& flags, std::string_view value) {
    while (!value.empty()) {
        const auto begin = std::ranges::find_if_not(value, codec::is_space);
        const auto end = std::find_if(begin, value.end(), codec::is_space);
        if (begin != end) add_flag(flags, std::string_view(begin, end));
        value = std::string_view(end, value.end());
    }
}

/// Flags that a field of the header holds; false: the field belongs to the message.
bool read_flags(const HeaderField& field, std::vector<std::string>& flags) {
    struct Letter {
        char letter;
        std::string_view flag;
    };
    static constexpr Letter letters[] = {{'R', "\\Seen"},
                                         {'A', "\\Answered"},
                                         {'F', "\\Flagged"},
                                         {'T', "\\Draft"},
                                         {'D', "\\Deleted"}};
    if (field.is("Status") || field.is("X-Status")) {
        for (const char c : field.value)
            for (const auto& [letter, flag] : letters)
                if (c == letter) add_flag(flags, flag);
        return true;
    }
    if (field.is("X-Keywords") || field.is("X-Mozilla-Keys")) {
        add_words(flags, field.value);
        return true;
    }
    if (field.is("X-Mozilla-Status")) {
        static constexpr std::pair<unsigned, std::string_view> bits[] = {
            {0x0001, "\\Seen"},    {0x0002, "\\Answered"}, {0x0004, "\\Flagged"},
            {0x0008, "\\Deleted"}, {0x1000, "$Forwarded"},
        };
        unsigned value = 0;
        for (const char c : codec::trim(field.value)) {
            if (codec::hex_value(c) < 0) return true;
            value = (value << 4 | static_cast<unsigned>(codec::hex_value(c))) & 0xFFFF;
        }
        for (const auto& [bit, flag] : bits)
            if ((value & bit) != 0) add_flag(flags, flag);
        return true;
    }
    return field.is("X-UID") || field.is("X-IMAPbase") || field.is("X-Mozilla-Status2");
}

} // namespace

std::string_view to_string(MboxKind kind) {
    switch (kind) {
    case MboxKind::Mboxrd: return "mboxrd";
    case MboxKind::Mboxo: return "mboxo";
    case MboxKind::Mboxcl2: return "mboxcl2";
    }
    return "";
}

std::optional<MboxKind> parse_mbox_kind(std::string_view text) {
    using enum MboxKind;
    for (const auto kind : {Mboxrd, Mboxo, Mboxcl2})
        if (text == to_string(kind)) return kind;
    return std::nullopt;
}

MboxReader::Step MboxReader::read(std::string_view octets) {
    std::size_t taken = 0;
    while (taken < octets.size()) {
        if (not_mbox_) return {Outcome::NotMbox, taken};
        auto rest = octets.substr(taken);
        if (body_left_ > 0) {
            rest = rest.substr(
                0, static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, rest.size())));
            append(rest);
            body_left_ -= rest.size();
            taken += rest.size();
            at_ += rest.size();
            continue;
        }
        const auto end = rest.find('\n');
        const bool ends = end != std::string_view::npos;
        auto piece = ends ? rest.substr(0, end + 1) : rest;
        if (!decided_) {
            // No more than it takes to know what the line is.
            const auto room = from_line_octets_max + 1 - line_.size();
            if (piece.size() > room) piece = piece.substr(0, room);
        }
        taken += piece.size();
        at_ += piece.size();
        const bool whole = piece.ends_with('\n');
        if (decided_) {
            append(piece);
            decided_ = !whole;
            continue;
        }
        line_ += piece;
        if (!whole && line_.size() <= from_line_octets_max) continue;
        const bool completed = take_line(line_);
        decided_ = !whole;
        line_.clear();
        if (completed) return {Outcome::Message, taken};
    }
    return {not_mbox_ ? Outcome::NotMbox : Outcome::NeedMore, taken};
}

MboxReader::Outcome MboxReader::finish() {
    if (!line_.empty()) {
        const bool completed = take_line(std::exchange(line_, {}));
        if (completed) return Outcome::Message; // then a "From " line was the last: call again
    }
    if (not_mbox_) return Outcome::NotMbox;
    if (!std::exchange(in_message_, false)) return Outcome::NeedMore;
    if (body_left_ > 0) current_.length_wrong = true;
    body_left_ = 0;
    return complete() ? Outcome::Message : Outcome::NeedMore;
}

/// A line, or the beginning of one that is too long to mean anything. True: it has completed the
/// message before.
bool MboxReader::take_line(std::string_view line) {
    const bool blank = line.ends_with('\n') && without_end(line).empty();
    MboxMessage next;
    if (parse_from_line(line, options_.undated && blank_, next)) {
        next.offset = at_ - line.size();
        const bool completed = in_message_ && complete();
        current_ = std::move(next);
        in_message_ = in_header_ = true;
        blank_ = cr_ = counted_ = false;
        return completed;
    }
    if (!in_message_) {
        if (!blank) not_mbox_ = true;
        return false;
    }
    if (counted_ && !blank) {
        current_.length_wrong = true;
        counted_ = false;
    }
    append(unquoted(line, options_.kind));
    blank_ = blank && !in_header_; // the line that ends the header is the message's own
    if (blank && in_header_) end_header();
    return false;
}

void MboxReader::end_header() {
    in_header_ = false;
    if (options_.kind != MboxKind::Mboxcl2) return;
    const auto field = find_field(current_.octets, "Content-Length");
    const auto length = field ? codec::parse_u64(codec::trim(field->value)) : std::nullopt;
    if (!length) return;
    body_left_ = *length;
    counted_ = true;
}

/// Every LF becomes CRLF, unless it has its CR.
void MboxReader::append(std::string_view text) {
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto run = text.substr(0, end);
        put(run);
        if (!run.empty()) cr_ = run.ends_with('\r');
        if (end == std::string_view::npos) return;
        put(cr_ ? "\n" : "\r\n");
        cr_ = false;
        text.remove_prefix(end + 1);
    }
}

void MboxReader::put(std::string_view text) {
    current_.size += text.size();
    if (current_.too_long) return;
    if (current_.size > options_.message_octets_max + slack_octets) {
        current_.too_long = true;
        current_.octets = {};
    } else {
        current_.octets += text;
    }
}

/// False: it was no message.
bool MboxReader::complete() {
    auto& message = current_;
    if (blank_ && message.size >= 2) {
        message.size -= 2;
        if (!message.too_long) message.octets.resize(message.octets.size() - 2);
    }
    bool internal = false; // what UW-IMAP and its heirs keep in front of the messages
    std::string kept;
    std::size_t done = 0;
    HeaderScanner header(message.octets);
    while (const auto field = header.next()) {
        internal = internal || field->is("X-IMAP");
        const bool length = options_.kind == MboxKind::Mboxcl2 && field->is("Content-Length");
        if (!read_flags(*field, message.flags) && !length) continue;
        kept.append(message.octets, done, field->offset - done);
        done = field->offset + field->octets;
    }
    if (done > 0) {
        kept.append(message.octets, done);
        message.size -= message.octets.size() - kept.size();
        message.octets = std::move(kept);
    }
    if (message.size > options_.message_octets_max) {
        message.too_long = true;
        message.octets = {};
    }
    complete_ = std::exchange(current_, {});
    return !internal;
}

void MboxWriter::begin(std::string_view sender, WallTime received,
                       const std::vector<std::string>& flags, std::string& into) {
    into += from;
    const auto end = std::ranges::find_if_not(sender, codec::is_visible);
    if (sender.empty() || end != sender.end()) sender = "MAILER-DAEMON";
    into += sender;
    into += ' ';
    into += format_mbox_date(received);
    into += '\n';
    std::string status = "O"; // no longer new
    std::string x_status;
    std::string keywords;
    for (const auto& flag : flags) {
        if (flag == "\\Seen")
            status = "RO";
        else if (flag == "\\Answered")
            x_status += 'A';
        else if (flag == "\\Flagged")
            x_status += 'F';
        else if (flag == "\\Draft")
            x_status += 'T';
        else if (flag == "\\Deleted")
            x_status += 'D';
        else
            keywords += ' ' + flag;
    }
    into += "Status: " + status + '\n';
    if (!x_status.empty()) into += "X-Status: " + x_status + '\n';
    if (!keywords.empty()) into += "X-Keywords:" + keywords + '\n';
    matched_ = 0;
    quoting_ = true;
    cr_ = false;
    line_ended_ = true;
}

void MboxWriter::put(char c, std::string& into) {
    if (quoting_) {
        if (matched_ == 0 && c == '>') {
            into += c;
            line_ended_ = false;
            return;
        }
        if (c == from[matched_]) {
            if (++matched_ < from.size()) return;
            into += '>';
            into += from;
            line_ended_ = quoting_ = false;
            return;
        }
        into += from.substr(0, matched_);
        quoting_ = false;
    }
    into += c;
    line_ended_ = c == '\n';
    if (line_ended_) {
        quoting_ = true;
        matched_ = 0;
    }
}

void MboxWriter::write(std::string_view octets, std::string& into) {
    for (const char c : octets) {
        if (cr_ && c != '\n') put('\r', into);
        cr_ = c == '\r';
        if (!cr_) put(c, into);
    }
}

void MboxWriter::finish(std::string& into) {
    if (std::exchange(cr_, false)) put('\r', into);
    if (quoting_ && matched_ > 0) {
        into += from.substr(0, matched_);
        line_ended_ = false;
    }
    into += line_ended_ ? "\n" : "\n\n";
    matched_ = 0;
    quoting_ = line_ended_ = true;
}

} // namespace mailcore::mime
