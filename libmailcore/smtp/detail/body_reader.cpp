#include "libmailcore/smtp/detail/body_reader.h"

#include <algorithm>
#include <cstring>

namespace mailcore::smtp::detail {

namespace {

bool any_8bit(std::string_view text) {
    std::uint64_t seen = 0;
    while (text.size() >= sizeof seen) {
        std::uint64_t octets;
        std::memcpy(&octets, text.data(), sizeof octets);
        seen |= octets;
        text.remove_prefix(sizeof octets);
    }
    unsigned char rest = 0;
    for (const char c : text) rest |= static_cast<unsigned char>(c);
    return (seen & 0x8080808080808080) != 0 || rest >= 0x80;
}

} // namespace

void BodyReader::begin_chunk(std::uint64_t octets, bool last) {
    chunk_left_ = octets;
    last_chunk_ = last;
    if (octets == 0 && last) read({}, nullptr, 0, Stop::Never);
}

void BodyReader::put(std::string_view content, std::string* out) {
    octets_ += content.size();
    if (out) out->append(content);
}

void BodyReader::end_line() {
    longest_line_ = std::max(longest_line_, line_octets_);
    empty_line_ = line_octets_ == 0;
    line_octets_ = 0;
    state_ = State::LineStart;
}

/// The CR that was read last ends no line: it and what follows are the line's content.
void BodyReader::bare_cr(std::string* out) {
    if (!fault_) fault_ = BodyFault::BareCr;
    state_ = State::Within;
    ++line_octets_;
    put("\r", out);
}

/// Notes the first fault of `text`, and gives what is up to it.
std::string_view BodyReader::examined(std::string_view text) {
    if (fault_) return text;
    const auto look = [&](std::uint64_t at, BodyFault fault) {
        if (at >= text.size()) return;
        fault_ = fault;
        text = text.substr(0, at + 1);
    };
    if (!binary_) {
        look(limits_.line_octets_max - std::min(limits_.line_octets_max, line_octets_ + 2),
             BodyFault::LineTooLong);
        if (!limits_.nul_allowed) look(text.find('\0'), BodyFault::Nul);
        look(text.find('\n'), BodyFault::BareLf);
    }
    if (limits_.octets_max > 0) look(limits_.octets_max - octets_, BodyFault::TooLarge);
    return text;
}

/// Octets inside of a line, up to a CR or a fault.
std::size_t BodyReader::within(std::string_view octets, std::string* out) {
    const auto line = octets.substr(0, octets.find('\r'));
    const auto text = examined(line);
    if (!text.empty()) {
        if (!has_8bit_) has_8bit_ = any_8bit(text);
        line_octets_ += text.size();
        put(text, out);
    }
    if (text.size() < line.size() || line.size() == octets.size()) return text.size();
    state_ = State::Cr;
    return text.size() + 1;
}

std::size_t BodyReader::read(std::string_view octets, std::string* out, std::size_t out_octets_max,
                             Stop stop) {
    if (!dots_) octets = octets.substr(0, std::min<std::uint64_t>(octets.size(), chunk_left_));
    const bool faulty = fault_.has_value();
    empty_line_ = false;
    std::size_t at = 0;
    while (at < octets.size() && !ended_ && (!out || out->size() < out_octets_max) &&
           (faulty || !fault_)) {
        auto rest = octets.substr(at);
        if (out) rest = rest.substr(0, out_octets_max - out->size());
        if (binary_) {
            const auto content = examined(rest);
            put(content, out);
            has_8bit_ = true;
            at += content.size();
            continue;
        }
        switch (state_) {
        case State::LineStart:
            state_ = State::Within;
            if (dots_ && rest.front() == '.') {
                state_ = State::Dot;
                ++at;
            }
            break;
        case State::Dot: // dropped, whatever follows
            state_ = State::Within;
            if (rest.front() == '\r') {
                state_ = State::DotCr;
                ++at;
            }
            break;
        case State::DotCr:
            if (rest.front() == '\n') {
                ended_ = true;
                ++at;
            } else {
                bare_cr(out);
                at += within(rest.substr(0, 1), out);
            }
            break;
        case State::Cr:
            if (rest.front() == '\n') {
                put("\r\n", out);
                ++at;
                end_line();
                if (empty_line_ && stop == Stop::AfterEmptyLine) octets = octets.substr(0, at);
            } else {
                bare_cr(out);
                at += within(rest.substr(0, 1), out);
            }
            break;
        case State::Within: at += within(rest, out); break;
        }
        // The CR of a line's end is counted when it has come.
        if (!fault_ && limits_.octets_max > 0 && this->octets() > limits_.octets_max)
            fault_ = BodyFault::TooLarge;
    }
    if (!dots_) {
        chunk_left_ -= at;
        if (chunk_left_ == 0 && last_chunk_ && !ended_) {
            // The last line may lack its CRLF; a CR alone is bare.
            if (state_ == State::Cr) bare_cr(out);
            longest_line_ = std::max(longest_line_, line_octets_);
            ended_ = true;
        }
    }
    return at;
}

} // namespace mailcore::smtp::detail
