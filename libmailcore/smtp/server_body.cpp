// The server engine's way with bodies: DATA and BDAT, the header section first, refusals swallowed.
#include "libmailcore/base/assert.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/smtp/server_engine.h"

#include <algorithm>
#include <utility>

namespace mailcore::smtp {

namespace {

Reply too_large() { // RFC 1870 §6.3
    return {552, EnhancedStatus{5, 3, 4}, "Message size exceeds fixed maximum message size"};
}

Reply fault_reply(detail::BodyFault fault) {
    const auto reply = [](std::string text) {
        return Reply{550, EnhancedStatus{5, 6, 0}, std::move(text)};
    };
    switch (fault) {
    case detail::BodyFault::BareLf: return reply("Bare LF in the message (RFC 5321 section 2.3.8)");
    case detail::BodyFault::BareCr: return reply("Bare CR in the message (RFC 5321 section 2.3.8)");
    case detail::BodyFault::Nul: return reply("NUL in the message (RFC 5321 section 2.3.8)");
    case detail::BodyFault::LineTooLong: return reply("A line of the message is too long");
    case detail::BodyFault::TooLarge: break;
    }
    return too_large();
}

} // namespace

detail::BodyLimits ServerEngine::body_limits() const {
    return {options_->text_line_octets_max, options_->message_octets_max, options_->nul_in_body};
}

/// A chunk of so many octets is announced, and the transaction may have it.
void ServerEngine::begin_chunk(std::uint64_t octets, bool last) {
    const bool first = !body_->id.value;
    if (first)
        body_->id = begin(Doing::BodyBegin);
    else
        doing_ = Doing::Body;
    if (body_->failure) return swallow();
    const auto max = options_->message_octets_max;
    if (max > 0 && octets > max - std::min(max, body_->reader.octets()))
        return refuse_body(too_large());
    if (!first) return body_progress();
    events_.push_back(BodyBegin{body_->id, last ? std::optional(octets) : std::nullopt});
}

/// BodyBegin was accepted.
void ServerEngine::begin_body() {
    if (!body_->chunked) say({354, std::nullopt, "Start mail input; end with <CRLF>.<CRLF>"});
    doing_ = Doing::Body;
    block_at_ = window_began_ = now_;
    window_octets_ = 0;
    pause();
    body_progress();
}

/// The client is not to blame for the time that passes now.
void ServerEngine::pause() { paused_ = true; }

std::size_t ServerEngine::receive_body(std::string_view octets) {
    auto& body = *body_;
    std::size_t taken = 0;
    if (doing_ == Doing::Swallow) {
        const auto room = options_->swallowed_octets_max - body.swallowed;
        taken = body.reader.read(octets.substr(0, std::min<std::uint64_t>(room, octets.size()) + 1),
                                 nullptr, 0, detail::BodyReader::Stop::Never);
        body.swallowed += taken;
    } else if (!body.headers_told) {
        taken = body.reader.read(octets, &body.header, options_->header_octets_max + 1,
                                 detail::BodyReader::Stop::AfterEmptyLine);
    } else {
        taken = body.reader.read(octets, &body.filling, options_->chunk_octets_max,
                                 detail::BodyReader::Stop::Never);
    }
    block_at_ = now_;
    paused_ = false;
    window_octets_ += taken;
    body_progress();
    return taken;
}

/// Looks at what has been read.
void ServerEngine::body_progress() {
    auto& body = *body_;
    if (doing_ == Doing::Swallow) {
        if (body.reader.ended() || body.reader.chunk_ended()) return body_swallowed();
        if (body.swallowed > options_->swallowed_octets_max)
            close_with(
                {421, EnhancedStatus{4, 3, 4}, "Message refused and too large to be waited for"},
                EndReason::Junk);
        return;
    }
    if (const auto fault = body.reader.fault()) return refuse_body(fault_reply(*fault));
    if (body.headers_told) return;
    if (body.header.size() > options_->header_octets_max)
        return refuse_body({552, EnhancedStatus{5, 3, 4}, "Header section too large"});
    if (!body.reader.at_empty_line() && !body.reader.ended()) return;
    doing_ = Doing::Headers;
    events_.push_back(Headers{body.id, std::exchange(body.header, {})});
}

std::optional<ServerEvent> ServerEngine::next_body_event() {
    if (!body_ || doing_ != Doing::Body) return std::nullopt;
    auto& body = *body_;
    if (body.headers_told) {
        if (!body.filling.empty()) {
            if (body.filling.size() >= options_->chunk_octets_max) pause();
            std::swap(body.handed, body.filling);
            body.filling.clear();
            return BodyChunk{body.id, body.handed};
        }
        if (body.reader.ended()) {
            doing_ = Doing::BodyEnd;
            replies_due_ = lmtp() ? recipients_ : 1;
            return BodyEnd{body.id, body.reader.octets(), body.reader.longest_line_octets(),
                           body.reader.has_8bit()};
        }
    }
    if (body.reader.chunk_ended()) {
        // The owner has taken all of it, and has had its chance to fail.
        Reply reply{250, EnhancedStatus{2, 0, 0}, {}};
        codec::append_number(reply.text, body.reader.octets());
        reply.text += " octets received";
        say(reply);
        body.handed = {};
        body.filling = {};
        state_ = State::Chunking;
        finish();
    }
    return std::nullopt;
}

void ServerEngine::refuse_body(Reply reply) {
    events_.push_back(BodyFailed{body_->id, reply});
    body_->failure = std::move(reply);
    swallow();
}

void ServerEngine::fail_body(CommandId id, Reply reply) {
    MAILCORE_ASSERT(id.value <= last_id_.value && !reply.is_positive() && !reply.is_intermediate());
    // The engine, or a RSET that has not been looked at yet, may have been first.
    if (closing_ || aborted_ || !body_ || body_->id != id || body_->failure) return;
    MAILCORE_ASSERT(doing_ != Doing::BodyBegin && doing_ != Doing::BodyEnd);
    body_->failure = std::move(reply);
    if (in_body()) return swallow();
    body_->header = body_->filling =
        body_->handed = {}; // between chunks: the next one is answered so
}

void ServerEngine::swallow() {
    doing_ = Doing::Swallow;
    body_->header = {};
    body_->filling = {};
    pause();
    body_progress();
}

/// The rest of a refused body, or of the chunk, has come: now it can be said.
void ServerEngine::body_swallowed() {
    const auto failure = std::move(*body_->failure);
    const bool whole = !body_->chunked || body_->reader.ended();
    if (failure.code == 421) return close_with(failure, EndReason::Refused);
    if (body_->stray || state_ == State::Mail) {
        // Where there is no transaction with recipients, the state stays. LMTP's last chunk is
        // answered once for each recipient, so where there is none, not at all (RFC 2033 §4.3).
        const bool silent = lmtp() && whole && state_ != State::Start && state_ != State::Refused;
        body_.reset();
        if (!silent) say(failure);
        if (count_command()) finish();
        return;
    }
    const auto replies = lmtp() && whole ? recipients_ : 1;
    for (std::size_t i = 0; i < replies; ++i) say(failure);
    if (whole) {
        end_transaction();
    } else {
        body_.reset();
        state_ = State::Failed;
    }
    finish();
}

void ServerEngine::reply_to_body(const Reply& reply) {
    MAILCORE_ASSERT(!reply.is_intermediate());
    say(reply);
    if (reply.is_positive()) {
        counted_commands_ = 0;
        body_->accepted = true;
    }
    if (--replies_due_ > 0) return;
    if (body_->accepted) ++messages_;
    end_transaction();
    finish();
}

} // namespace mailcore::smtp
