#include "tests/world/handover.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"
#include "tests/world/letters.h"

#include <algorithm>

namespace mailcore::world {

void HandoverWatch::restart() {
    line_.clear();
    answer_.clear();
    awaited_.clear();
    state_ = State::Commands;
}

void HandoverWatch::command(std::string_view line) {
    Awaited awaited;
    if (codec::starts_with_ignoring_case(line, "MAIL FROM:<")) {
        current_ = {};
        current_.report = line.substr(11).starts_with('>');
        refused_ = 0;
        body_.clear();
    } else if (codec::starts_with_ignoring_case(line, "RCPT TO:<")) {
        const auto address = line.substr(9);
        current_.recipients.emplace_back(address.substr(0, address.find('>')));
        awaited.to = Awaited::To::Rcpt;
        awaited.recipient = current_.recipients.back();
    } else if (codec::equal_ignoring_case(line, "DATA")) {
        state_ = State::DataAsked;
        awaited.to = Awaited::To::Data;
    } else if (codec::starts_with_ignoring_case(line, "BDAT ")) {
        const auto rest = line.substr(5);
        const auto size = rest.substr(0, rest.find(' '));
        chunk_left_ = codec::parse_u32(size, UINT32_MAX).value_or(0);
        last_chunk_ = size.size() < rest.size();
        state_ = chunk_left_ > 0 ? State::Chunk : State::Commands;
        if (last_chunk_) {
            if (chunk_left_ == 0) complete();
            return;
        }
    }
    awaited_.push_back(std::move(awaited));
}

void HandoverWatch::complete() {
    current_.complete = true;
    awaited_.push_back({Awaited::To::Message, {}});
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
            if (last_chunk_) complete();
            continue;
        }
        const auto end = octets.find('\n');
        line_ += octets.substr(0, end == std::string_view::npos ? end : end + 1);
        octets.remove_prefix(end == std::string_view::npos ? octets.size() : end + 1);
        if (end == std::string_view::npos) return;
        if (state_ == State::Data) {
            if (line_ == ".\r\n") {
                complete();
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

void HandoverWatch::message_reply(bool good, Instant now) {
    auto& recipients = current_.recipients;
    if (dialect_ == smtp::Dialect::Lmtp) {
        // RFC 2033 §4.2: the first of those that are not answered yet.
        if (good && refused_ < recipients.size())
            recipients.erase(recipients.begin() + static_cast<std::ptrdiff_t>(refused_));
        else
            ++refused_;
        if (refused_ < recipients.size()) return;
    }
    awaited_.pop_front();
    if (current_.answered) return;
    current_.answered = now;
    current_.accepted = good && refused_ == 0;
}

void HandoverWatch::reply(std::string_view line, Instant now) {
    if (awaited_.empty()) return; // a farewell that nobody has asked for
    const auto& awaited = awaited_.front();
    const bool good = line.starts_with('2');
    if (awaited.to == Awaited::To::Message) return message_reply(good, now);
    if (awaited.to == Awaited::To::Rcpt && !good)
        std::erase(current_.recipients, awaited.recipient);
    if (awaited.to == Awaited::To::Data && state_ == State::DataAsked)
        state_ = line.starts_with("354") ? State::Data : State::Commands;
    awaited_.pop_front();
}

void HandoverWatch::server_said(std::string_view octets, Instant now) {
    answer_ += octets;
    for (std::size_t end; (end = answer_.find('\n')) != std::string::npos;) {
        const auto line = answer_.substr(0, end + 1);
        answer_.erase(0, end + 1);
        if (line.size() > 3 && line[3] != '-') reply(line, now);
    }
}

} // namespace mailcore::world
