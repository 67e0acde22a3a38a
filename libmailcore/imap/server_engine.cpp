#include "libmailcore/imap/server_engine.h"

#include "libmailcore/base/assert.h"

#include <algorithm>

namespace mailcore::imap {
namespace {

constexpr std::size_t chunk_octets_max = 64 * 1024;
constexpr std::size_t events_max = 16; // an owner that does not drain is not fed

} // namespace

ServerEngine::ServerEngine(Options options, const PeerInfo& peer, Instant now)
    : options_(std::move(options)), peer_(peer),
      framer_({options_.command_octets_max_before_login, options_.swallowed_octets_max}),
      connected_(now), command_began_(now), last_command_(now), last_input_(now),
      last_output_(now) {
    const auto offered = options_.extensions;
    MAILCORE_ASSERT(!offered.has(Extension::Imap4rev2) || offered.has_all(rev2_needs));
    MAILCORE_ASSERT(!offered.has(Extension::QResync) || offered.has(Extension::CondStore));
    std::string line = "* ";
    write_condition(Condition::Ok, CapabilityCode{capabilities()}, options_.greeting, false, line);
    say(line);
}

std::optional<Event> ServerEngine::next_event() {
    if (events_.empty()) return std::nullopt;
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
}

// Input

std::size_t ServerEngine::receive(std::string_view octets, Instant now) {
    std::size_t taken = 0;
    while (taken < octets.size() && wants_input()) {
        const auto rest = octets.substr(taken);
        if (reading_ == Reading::Message || reading_ == Reading::FailedMessage) {
            taken += receive_message(rest);
            continue;
        }
        // The clock of a command starts with its first octet: one octet a second is no progress.
        if (framer_.between()) command_began_ = now;
        const auto step = framer_.read(rest);
        taken += step.taken;
        if (step.outcome == Framer::Outcome::NeedMore) continue;
        last_command_ = now;
        on_framed(step.outcome);
    }
    last_input_ = now;
    return taken;
}

// Of APPEND's message.
std::size_t ServerEngine::receive_message(std::string_view octets) {
    auto& append = *open_;
    const bool wanted = reading_ == Reading::Message;
    auto piece = octets.substr(
        0, static_cast<std::size_t>(std::min<std::uint64_t>(append.message_left, octets.size())));
    if (wanted) piece = piece.substr(0, chunk_octets_max);
    append.message_left -= piece.size();
    // literal = ... *CHAR8, which is any octet but NUL. In a literal8 it may stand, but BODY[]
    // could not give it back.
    if (wanted && piece.find('\0') != std::string_view::npos) {
        tell_aborted();
        append.failure = append.form == command::AppendedMessage::Form::Literal
                             ? bad("NUL in the message")
                             : no("No mailbox here holds NUL", Code::UnknownCte);
        reading_ = Reading::FailedMessage;
    } else if (wanted) {
        events_.emplace_back(BodyChunk{append.id, std::string(piece)});
        chunk_untaken_ = true;
    }
    if (append.message_left == 0)
        reading_ = reading_ == Reading::Message ? Reading::MessageEnd : Reading::FailedMessageEnd;
    return piece.size();
}

void ServerEngine::on_framed(Framer::Outcome outcome) {
    switch (outcome) {
    case Framer::Outcome::NeedMore: return;
    case Framer::Outcome::Command: {
        on_line(framer_.command());
        framer_.wipe();
        return;
    }
    case Framer::Outcome::Literal: return on_literal();
    case Framer::Outcome::Discarded:
        on_discarded();
        framer_.wipe();
        return;
    case Framer::Outcome::Overrun:
        framer_.wipe();
        return say_bye("Too much was sent that cannot be used", Code::TooBig);
    }
}

void ServerEngine::on_line(std::string_view line) {
    switch (reading_) {
    case Reading::Command: return run(line);
    case Reading::SaslResponse: return on_sasl_line(line);
    case Reading::IdleEnd: return on_idle_line(line);
    case Reading::MessageEnd:
    case Reading::FailedMessageEnd: return on_message_end(line);
    case Reading::Message:
    case Reading::FailedMessage: break;
    }
    MAILCORE_ASSERT(!"a message is not read by lines");
}

void ServerEngine::receive_end(Instant) {
    ended_ = true;
    framer_.wipe();
    // A command that runs is finished; one that waits for its client is not.
    if (open_ && reading_ != Reading::Command) {
        tell_aborted();
        open_.reset();
    }
    reading_ = Reading::Command;
    settle();
}

bool ServerEngine::wants_input() const {
    return !closing_ && !aborted_ && !ended_ && !starting_tls_ && !chunk_untaken_ &&
           (!open_ || reading_ != Reading::Command) && events_.size() < events_max &&
           output_.size() < options_.output_octets_max;
}

// Output

std::span<const std::string_view> ServerEngine::output() const { return output_.pieces(); }

void ServerEngine::output_sent(std::size_t octets, Instant now) {
    output_.sent(octets);
    last_output_ = now;
    stalled_since_.reset();
    // Idleness begins when the answer is out; within IDLE when that began, whatever is announced.
    if (reading_ != Reading::IdleEnd) last_command_ = std::max(last_command_, now);
    ask_for_body();
    tell_room();
}

void ServerEngine::ask_for_body() {
    const auto* pull = output_.pull();
    if (!pull || body_asked_ || !open_ || output_.size() >= options_.output_octets_max) return;
    body_asked_ = true;
    const auto room =
        std::min<std::uint64_t>(pull->left, options_.output_octets_max - output_.size());
    events_.emplace_back(NeedBody{open_->id, pull->token, pull->octets - pull->left,
                                  static_cast<std::size_t>(room)});
}

void ServerEngine::body(CommandId id, std::string octets) {
    if (!open(id)) return;
    MAILCORE_ASSERT(body_asked_ && !octets.empty());
    body_asked_ = false;
    output_.fill(std::move(octets));
    ask_for_body();
    tell_room();
}

void ServerEngine::body_failed(CommandId id) {
    if (!open(id)) return;
    MAILCORE_ASSERT(body_asked_);
    aborted_ = true;
}

std::size_t ServerEngine::room() const {
    if (output_.pull() || output_.size() >= options_.output_octets_max) return 0;
    return options_.output_octets_max - output_.size();
}

void ServerEngine::await_room(CommandId id) {
    if (!open(id)) return;
    room_awaited_ = true;
    tell_room();
}

void ServerEngine::tell_room() {
    // Half, so that it does not trickle.
    if (!room_awaited_ || !open_ || output_.pull() ||
        output_.size() > options_.output_octets_max / 2)
        return;
    room_awaited_ = false;
    events_.emplace_back(Room{open_->id});
}

base::Engine::Next ServerEngine::next() const {
    if (aborted_) return Next::Abort;
    if (output_.pull()) return Next::Run;
    if (closing_) return Next::CloseFlushed;
    return starting_tls_ ? Next::StartTls : Next::Run;
}

void ServerEngine::transport_changed(const PeerInfo& peer, Instant now) {
    peer_ = peer;
    // RFC 9051 §6.2.1: nothing that was said before TLS counts.
    starting_tls_ = false;
    framer_.wipe();
    connected_ = last_command_ = last_input_ = last_output_ = now;
    settle();
}

// Time

std::optional<ServerEngine::Due> ServerEngine::due() const {
    std::optional<Due> first;
    const auto by = [&](Limit limit, Instant at) {
        if (!first || at < first->at) first = Due{limit, at};
    };
    if (next() != Next::Run && output_.empty()) return first;
    const bool client_is_to_speak = !open_ || reading_ != Reading::Command;
    if (state_ == State::NotAuthenticated && client_is_to_speak)
        by(Limit::Login, connected_ + options_.login_time);
    if (output_.size() > 0)
        by(Limit::OutgoingProgress, stalled_since_.value_or(last_output_) + options_.progress_time);
    switch (reading_) {
    case Reading::Message:
    case Reading::FailedMessage:
    case Reading::MessageEnd:
    case Reading::FailedMessageEnd:
        if (!chunk_untaken_)
            by(Limit::IncomingProgress,
               std::min(last_input_ + options_.progress_time, message_due_));
        break;
    case Reading::IdleEnd:
        by(Limit::Idle, last_command_ + options_.idle_time);
        if (options_.idle_sign_time.count() > 0 && output_.size() == 0)
            by(Limit::IdleSign, std::max(last_output_, last_input_) + options_.idle_sign_time);
        break;
    case Reading::Command:
    case Reading::SaslResponse:
        if (!client_is_to_speak || output_.size() > 0) break;
        if (framer_.between())
            by(Limit::Idle, last_command_ + options_.idle_time);
        else
            by(Limit::Command, command_began_ + options_.command_time);
        break;
    }
    return first;
}

std::optional<Instant> ServerEngine::deadline() const {
    const auto first = due();
    if (!first) return std::nullopt;
    return first->at;
}

void ServerEngine::expire(Instant now) {
    const auto first = due();
    if (!first || now < first->at) return;
    switch (first->limit) {
    case Limit::Login: return say_bye("Login takes too long");
    case Limit::Idle: return say_bye("Autologout; idle for too long");
    case Limit::Command: return say_bye("The command takes too long");
    case Limit::IncomingProgress: return say_bye("The message takes too long");
    case Limit::OutgoingProgress:
        // Answers come without a time; the first look at a waiting one starts its clock.
        if (!stalled_since_)
            stalled_since_ = now;
        else
            aborted_ = true;
        return;
    case Limit::IdleSign: last_output_ = now; return say("* OK Still here\r\n");
    }
}

// The end

/// The owner is to forget the open command, unless it has answered it already.
void ServerEngine::tell_aborted() {
    if (open_->failure || aborted_id_ == open_->id) return;
    aborted_id_ = open_->id;
    chunk_untaken_ = false;
    events_.emplace_back(Aborted{aborted_id_});
}

void ServerEngine::say_bye(std::string_view text, Code code) {
    if (closing_) return;
    if (open_) {
        tell_aborted();
        open_.reset();
    }
    reading_ = Reading::Command;
    std::string line = "* BYE ";
    append_response_code(code, line);
    ResponseWriter(line, enabled_.wide()).text(text).crlf();
    say(line);
    framer_.wipe();
    closing_ = true;
    state_ = State::Logout;
}

void ServerEngine::bye(std::string_view text, Code code) { say_bye(text, code); }

void ServerEngine::shut_down(base::ShutdownReason reason, Instant) {
    switch (reason) {
    case base::ShutdownReason::Drain: shutting_down_ = true; break;
    case base::ShutdownReason::Shed:
        shutting_down_ = true;
        // A message may take long to come, and memory is short: it can be sent again.
        if (reading_ == Reading::Message || reading_ == Reading::FailedMessage)
            return say_bye("Short of memory; try again later", Code::Unavailable);
        break;
    case base::ShutdownReason::Disabled: return say_bye("The account or service was switched off");
    }
    settle();
}

/// Closes once nothing is open that must be answered first. A message that is coming in is let in.
void ServerEngine::settle() {
    if (closing_) return;
    const bool waits_for_client =
        !open_ || reading_ == Reading::SaslResponse || reading_ == Reading::IdleEnd;
    if (ended_ && !open_)
        closing_ = true;
    else if (shutting_down_ && waits_for_client)
        say_bye("Server is going down", Code::Unavailable);
}

std::size_t ServerEngine::memory() const {
    std::size_t octets = framer_.memory() + output_.memory();
    for (const auto& event : events_)
        if (const auto* chunk = std::get_if<BodyChunk>(&event)) octets += chunk->octets.capacity();
    return octets;
}

} // namespace mailcore::imap
