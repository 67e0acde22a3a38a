#include "tests/world/handover.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"
#include "tests/world/letters.h"

#include <algorithm>

namespace mailcore::world {

void HandoverWatch::restart() {
    line_.clear();
    answer_.clear();
    state_ = State::Commands;
}

void HandoverWatch::command(std::string_view line) {
    if (codec::starts_with_ignoring_case(line, "MAIL FROM:<")) {
        current_ = {};
        current_.report = line.substr(11).starts_with('>');
        body_.clear();
    } else if (codec::starts_with_ignoring_case(line, "RCPT TO:<")) {
        const auto address = line.substr(9);
        current_.recipients.emplace_back(address.substr(0, address.find('>')));
    } else if (codec::equal_ignoring_case(line, "DATA")) {
        state_ = State::DataAsked;
    } else if (codec::starts_with_ignoring_case(line, "BDAT ")) {
        const auto rest = line.substr(5);
        const auto size = rest.substr(0, rest.find(' '));
        chunk_left_ = codec::parse_u32(size, UINT32_MAX).value_or(0);
        last_chunk_ = size.size() < rest.size();
        state_ = chunk_left_ > 0 ? State::Chunk : State::Commands;
        if (last_chunk_ && chunk_left_ == 0) current_.complete = true;
    }
}

void HandoverWatch::body(std::string_view octets) {
    body_ += octets;
    if (!current_.letter) current_.letter = letter_of(body_);
    // The end of a large body is all that is still needed of it.
    if (current_.letter && body_.size() > 8192) body_.erase(0, body_.size() - 8);
}

void HandoverWatch::client_said(std::string_view octets) {
    while (!octets.empty()) {
        if (state_ == State::Chunk) {
            const auto count = std::min(octets.size(), chunk_left_);
            body(octets.substr(0, count));
            octets.remove_prefix(count);
            chunk_left_ -= count;
            if (chunk_left_ > 0) return;
            state_ = State::Commands;
            if (last_chunk_) current_.complete = true;
            continue;
        }
        const auto end = octets.find('\n');
        line_ += octets.substr(0, end == std::string_view::npos ? end : end + 1);
        octets.remove_prefix(end == std::string_view::npos ? octets.size() : end + 1);
        if (end == std::string_view::npos) return;
        if (state_ == State::Data) {
            if (line_ == ".\r\n") {
                current_.complete = true;
                state_ = State::Commands;
            } else {
                body(line_);
            }
        } else {
            state_ = State::Commands; // what follows a DATA without 354 is a command
            command(codec::trim(line_));
        }
        line_.clear();
    }
}

void HandoverWatch::server_said(std::string_view octets, Instant now) {
    answer_ += octets;
    for (std::size_t end; (end = answer_.find('\n')) != std::string::npos;) {
        const auto line = answer_.substr(0, end + 1);
        answer_.erase(0, end + 1);
        if (line.starts_with("354 ") && state_ == State::DataAsked) state_ = State::Data;
        if (!current_.complete || current_.answered) continue;
        const bool accepted = line.starts_with("250 2.0.0 accepted as");
        if (!accepted && !line.starts_with('4') && !line.starts_with('5')) continue;
        current_.answered = now;
        current_.accepted = accepted;
    }
}

} // namespace mailcore::world
