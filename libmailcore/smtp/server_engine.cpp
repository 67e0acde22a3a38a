#include "libmailcore/smtp/server_engine.h"

#include "libmailcore/sasl/mechanism.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/ascii.h"

#include <algorithm>
#include <utility>

namespace mailcore::smtp {

namespace {

// Of one line without an end, then we close.
constexpr std::uint64_t swallowed_line_octets_max = 64 * 1024;

/// Verbs of other protocols: somebody's browser is made to talk to us, and nothing it says is
/// meant.
bool is_foreign(std::string_view verb) {
    static constexpr std::string_view verbs[] = {"GET",     "POST",  "PUT",    "HEAD",  "CONNECT",
                                                 "OPTIONS", "PATCH", "DELETE", "TRACE", "PRI"};
    return std::ranges::find(verbs, verb) != std::end(verbs);
}

} // namespace

std::string_view to_string(EndReason reason) {
    switch (reason) {
    case EndReason::None: return "none";
    case EndReason::Quit: return "quit";
    case EndReason::PeerClosed: return "peer-closed";
    case EndReason::Refused: return "refused";
    case EndReason::Errors: return "errors";
    case EndReason::Junk: return "junk";
    case EndReason::Idle: return "idle";
    case EndReason::TooSlow: return "too-slow";
    case EndReason::Stalled: return "stalled";
    case EndReason::ShutDown: return "shut-down";
    }
    return "";
}

ServerEngine::ServerEngine(std::shared_ptr<const ServerOptions> options, const PeerInfo& peer,
                           Instant now)
    : options_(std::move(options)), peer_(peer), reader_(options_->command_line_octets_max),
      connected_(now), command_since_(now), progress_at_(now), block_at_(now), window_began_(now),
      now_(now) {
    events_.push_back(Connected{begin(Doing::Connected)});
}

std::optional<ServerEvent> ServerEngine::next_event() {
    if (events_.empty()) return next_body_event();
    ServerEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
}

// Input

bool ServerEngine::wants_input() const {
    if (next() != Next::Run || !events_.empty() || output_.size() >= options_->output_octets_max)
        return false;
    switch (doing_) {
    case Doing::Nothing:
    case Doing::AuthLine:
    case Doing::Swallow: return true;
    case Doing::Connected: return options_->refuse_early_talkers && !early_talker_;
    case Doing::Body:
        return !body_->reader.ended() && !body_->reader.chunk_ended() &&
               body_->filling.size() < options_->chunk_octets_max;
    default: return false;
    }
}

std::size_t ServerEngine::receive(std::string_view octets, Instant now) {
    now_ = now;
    std::size_t taken = 0;
    while (taken < octets.size() && wants_input()) {
        if (doing_ == Doing::Connected) {
            early_talker_ = true; // and nothing of it is read
            break;
        }
        const auto rest = octets.substr(taken);
        taken += doing_ == Doing::Body || doing_ == Doing::Swallow ? receive_body(rest)
                                                                   : receive_line(rest, now);
    }
    return taken;
}

std::size_t ServerEngine::receive_line(std::string_view octets, Instant now) {
    // The clock of a command starts anew with its first octet, not with each: one a second is no
    // progress.
    if (reader_.between()) command_since_ = now;
    // AUTH may bring an initial response that is longer than other commands (RFC 4954 §4).
    const bool long_line = doing_ == Doing::AuthLine || (state_ == State::Ready && auth_allowed());
    reader_.set_octets_max(
        long_line ? std::max(options_->auth_line_octets_max, options_->command_line_octets_max)
                  : options_->command_line_octets_max);
    // Not more than may be swallowed, so that it does not matter how the octets are cut.
    const auto step =
        reader_.read(octets.substr(0, swallowed_line_octets_max + 1 - reader_.unfinished_octets()));
    const auto too_long = [&] {
        if (doing_ == Doing::AuthLine) // RFC 4954 §4
            bad_command({500, EnhancedStatus{5, 5, 6}, "Authentication exchange line is too long"});
        else
            bad_command({500, EnhancedStatus{5, 5, 2}, "Line too long"});
    };
    switch (step.outcome) {
    case codec::LineReader::Outcome::NeedMore:
        if (reader_.unfinished_octets() <= swallowed_line_octets_max) break;
        too_long();
        close_with({421, EnhancedStatus{4, 5, 2}, "Line without an end"}, EndReason::Junk);
        break;
    case codec::LineReader::Outcome::TooLong: too_long(); break;
    case codec::LineReader::Outcome::Malformed:
        bad_command({500, EnhancedStatus{5, 5, 2}, "Bare CR, bare LF or NUL in a command line"});
        break;
    case codec::LineReader::Outcome::Line: run(reader_.line()); break;
    }
    if (step.outcome != codec::LineReader::Outcome::NeedMore)
        reader_.clear(); // at rest no buffer is held
    return step.taken;
}

void ServerEngine::receive_end(Instant now) {
    now_ = now;
    close(EndReason::PeerClosed);
}

void ServerEngine::run(std::string_view line) {
    if (doing_ == Doing::AuthLine) return auth_line(line);
    // RFC 5321 §4.1.1: white space before the CRLF is tolerated.
    while (!line.empty() && codec::is_wsp(line.back())) line.remove_suffix(1);
    const auto [verb, arguments] = parse_command_line(line);
    const auto* row = find_command(verb);
    if (line.size() + 2 > options_->command_line_octets_max &&
        !(row && row->run == &ServerEngine::auth))
        return bad_command({500, EnhancedStatus{5, 5, 2}, "Line too long"});
    if (!row || !row->dialects.contains(lmtp() ? 'L' : 'S')) {
        if (is_foreign(verb))
            return close_with({421, EnhancedStatus{4, 7, 0}, "This is a mail server"},
                              EndReason::Junk);
        return bad_command({500, EnhancedStatus{5, 5, 1}, "Command unrecognized"});
    }
    if (row->counted && !count_command()) return;
    if (guarded(*row)) return;
    if (!row->states.contains(static_cast<char>(state_))) return wrong_state(*row);
    (this->*row->run)(arguments);
}

/// One more command that moves no mail; too many without a message are bad. False: the session is
/// over.
bool ServerEngine::count_command() {
    if (++counted_commands_ <= options_->counted_commands_max ||
        ++bad_commands_ < options_->bad_commands_max)
        return true;
    close_with({421, EnhancedStatus{4, 7, 0}, "Too many commands without a message"},
               EndReason::Errors);
    return false;
}

/// Answers a command that comes before the TLS or AUTH that it needs.
bool ServerEngine::guarded(const CommandRow& row) {
    if (options_->requires_tls && !peer_.tls && !row.exempt.contains('t')) {
        bad_command({530, EnhancedStatus{5, 7, 0}, "Must issue a STARTTLS command first"});
        return true;
    }
    if (options_->requires_auth && !authenticated_ && !row.exempt.contains('a')) {
        bad_command({530, EnhancedStatus{5, 7, 0}, "Authentication required"});
        return true;
    }
    return false;
}

void ServerEngine::wrong_state(const CommandRow& row) {
    const auto text = [&]() -> std::string {
        switch (state_) {
        case State::Start: return lmtp() ? "Send LHLO first" : "Send EHLO first";
        case State::Ready: return "Send MAIL first";
        case State::Mail:
            return row.run == &ServerEngine::data ? "No valid recipients"
                                                  : "A transaction is under way";
        case State::Recipients: return "A transaction is under way";
        case State::Chunking: return "Send BDAT or RSET";
        case State::Failed: return "Send RSET first";
        case State::Refused: return "Service is refused; send QUIT";
        }
        return {};
    }();
    Reply reply{503, EnhancedStatus{5, 5, 1}, text};
    // What was pipelined behind a refused MAIL or RCPT is no mistake of the client.
    if (row.run == &ServerEngine::rcpt) return refuse_recipient(std::move(reply));
    if (row.run == &ServerEngine::data) {
        say(reply);
        count_command();
        return;
    }
    bad_command(std::move(reply));
}

// Answers

void ServerEngine::say(const Reply& reply) {
    if (output_.empty()) answered_late_ = true;
    append_reply(reply, output_.tail(), smtp_utf8_ ? Octets::Utf8 : Octets::Ascii);
}

void ServerEngine::bad_command(Reply reply) {
    if (doing_ == Doing::AuthLine) {
        events_.push_back(AuthEnd{last_id_});
        doing_ = Doing::Nothing;
    }
    say(reply);
    if (++bad_commands_ >= options_->bad_commands_max)
        close_with({421, EnhancedStatus{4, 7, 0}, "Too many errors"}, EndReason::Errors);
}

void ServerEngine::refuse_recipient(Reply reply) {
    say(reply);
    if (++refused_recipients_ >= options_->refused_recipients_max)
        close_with({421, EnhancedStatus{4, 7, 0}, "Too many recipients refused"},
                   EndReason::Errors);
}

CommandId ServerEngine::begin(Doing doing) {
    doing_ = doing;
    ++last_id_.value;
    return last_id_;
}

void ServerEngine::finish() {
    doing_ = Doing::Nothing;
    if (shutting_down_)
        close_with({421, EnhancedStatus{4, 3, 2}, options_->hostname + " is shutting down"},
                   EndReason::ShutDown);
}

void ServerEngine::close(EndReason reason) {
    if (closing_) return;
    closing_ = true;
    end_reason_ = reason;
    doing_ = Doing::Nothing;
    reader_.clear();
}

void ServerEngine::close_with(Reply reply, EndReason reason) {
    if (closing_) return;
    say(reply);
    close(reason);
}

void ServerEngine::accept(CommandId id) {
    if (closing_ || aborted_) return; // the session ended while the owner thought
    MAILCORE_ASSERT(id == (in_body() || doing_ == Doing::BodyEnd ? body_->id : last_id_));
    switch (doing_) {
    case Doing::Connected: return greet();
    case Doing::Hello: {
        reset_transaction();
        extended_ = hello_verb_ != Hello::Verb::Helo;
        state_ = State::Ready;
        Reply reply{250, std::nullopt, options_->hostname};
        if (extended_)
            if (const auto lines = to_ehlo_lines(capabilities()); !lines.empty())
                reply.text += '\n' + lines;
        say(reply);
        return finish();
    }
    case Doing::Mail: return answer({250, EnhancedStatus{2, 1, 0}, "Sender accepted"});
    case Doing::Rcpt: return answer({250, EnhancedStatus{2, 1, 5}, "Recipient accepted"});
    case Doing::BodyBegin: return begin_body();
    case Doing::Headers:
        body_->headers_told = true;
        doing_ = Doing::Body;
        return pause();
    case Doing::BodyEnd: return answer({250, EnhancedStatus{2, 0, 0}, "Message accepted"});
    default: MAILCORE_ASSERT(!"an open command that can be accepted");
    }
}

void ServerEngine::reply(CommandId id, Reply reply) {
    if (closing_ || aborted_) return;
    MAILCORE_ASSERT(id == (in_body() || doing_ == Doing::BodyEnd ? body_->id : last_id_));
    if (doing_ == Doing::Headers || doing_ == Doing::Body) return fail_body(id, std::move(reply));
    if (reply.code == 421) return close_with(std::move(reply), EndReason::Refused);
    answer(reply);
}

/// What an answer means for the command that is open.
void ServerEngine::answer(const Reply& reply) {
    const bool positive = reply.is_positive();
    switch (doing_) {
    case Doing::Connected:
        MAILCORE_ASSERT(!positive);
        state_ = State::Refused;
        break;
    case Doing::Hello: MAILCORE_ASSERT(!positive); break;
    case Doing::Mail:
        if (positive) {
            state_ = State::Mail;
            break;
        }
        say(reply);
        if (count_command()) finish();
        return;
    case Doing::Rcpt:
        doing_ = Doing::Nothing;
        if (!positive) {
            refuse_recipient(reply);
            return closing_ ? void() : finish();
        }
        state_ = State::Recipients;
        ++recipients_;
        break;
    case Doing::Auth:
        MAILCORE_ASSERT(!reply.is_intermediate());
        if (!positive) {
            doing_ = Doing::Nothing;
            bad_command(reply);
            return closing_ ? void() : finish();
        }
        authenticated_ = true;
        break;
    case Doing::BodyBegin:
        MAILCORE_ASSERT(!positive);
        if (body_->chunked) {
            body_->failure = reply;
            return swallow();
        }
        say(reply);
        end_transaction();
        return finish();
    case Doing::BodyEnd: return reply_to_body(reply);
    default: MAILCORE_ASSERT(!"an open command that can be replied to");
    }
    say(reply);
    finish();
}

void ServerEngine::greet() {
    // RFC 5321 §3.1, §4.3.1: the client waits for the greeting.
    if (early_talker_)
        return close_with(
            {554, std::nullopt, options_->hostname + " SMTP: you spoke before the greeting"},
            EndReason::Junk);
    if (!shutting_down_) say({220, std::nullopt, options_->hostname + ' ' + options_->banner});
    finish();
}

// State

/// The transaction is over, one way or the other.
void ServerEngine::end_transaction() {
    if (state_ != State::Start && state_ != State::Refused) state_ = State::Ready;
    recipients_ = 0;
    body_type_ = BodyType::SevenBit;
    smtp_utf8_ = false;
    body_.reset();
}

/// The same where the owner does not expect it.
void ServerEngine::reset_transaction() {
    if (state_ == State::Mail || state_ == State::Recipients || state_ == State::Chunking)
        events_.push_back(TransactionReset{});
    end_transaction();
}

bool ServerEngine::auth_allowed() const {
    if (options_->mechanisms.empty() || authenticated_) return false;
    switch (options_->auth_without_tls) {
    case ServerOptions::AuthWithoutTls::Always: return true;
    case ServerOptions::AuthWithoutTls::LocalPeers: return peer_.tls || peer_.is_local();
    case ServerOptions::AuthWithoutTls::Never: return peer_.tls.has_value();
    }
    return false;
}

bool ServerEngine::offers(std::string_view mechanism) const {
    return auth_allowed() && sasl::is_offerable(mechanism, peer_, true) &&
           std::ranges::find(options_->mechanisms, mechanism) != options_->mechanisms.end();
}

Capabilities ServerEngine::capabilities() const {
    Capabilities offered;
    offered.pipelining = offered.eight_bit_mime = offered.chunking = offered.enhanced_status_codes =
        true;
    offered.smtp_utf8 = options_->smtp_utf8;
    offered.dsn = options_->dsn;
    offered.binary_mime = options_->binary_mime;
    offered.starttls = options_->starttls && !peer_.tls;
    offered.require_tls = options_->require_tls_extension && peer_.tls;
    offered.mt_priority = options_->mt_priority;
    offered.size = options_->message_octets_max;
    offered.auth = !options_->mechanisms.empty();
    for (const auto& mechanism : options_->mechanisms)
        if (offers(mechanism)) offered.mechanisms.push_back(mechanism);
    offered.limits = Limits{options_->messages_max, options_->recipients_max};
    offered.future_release = options_->future_release;
    return offered;
}

base::Engine::Next ServerEngine::next() const {
    if (aborted_) return Next::Abort;
    if (closing_) return Next::CloseFlushed;
    return starting_tls_ ? Next::StartTls : Next::Run;
}

void ServerEngine::transport_changed(const PeerInfo& peer, Instant now) {
    now_ = command_since_ = progress_at_ = now;
    peer_ = peer;
    if (!starting_tls_) return; // TLS from the first octet on
    starting_tls_ = false;
    // RFC 3207 §4.2: as after the greeting, and nothing that was said counts.
    state_ = State::Start;
    extended_ = authenticated_ = false;
    reader_.clear();
    events_.push_back(TlsStarted{});
    finish();
}

void ServerEngine::shut_down(base::ShutdownReason reason, Instant now) {
    now_ = now;
    shutting_down_ = true;
    if (doing_ == Doing::Nothing && !starting_tls_) return finish();
    // A body may take long to come, and memory is short: it can be sent again.
    const bool waits_for_client =
        doing_ == Doing::AuthLine || doing_ == Doing::Body || doing_ == Doing::Swallow;
    if (doing_ == Doing::AuthLine || (waits_for_client && reason == base::ShutdownReason::Shed))
        finish();
}

// Output and time

void ServerEngine::output_sent(std::size_t octets, Instant now) {
    output_.sent(octets);
    now_ = progress_at_ = now;
    answered_late_ = false;
    if (!output_.empty()) return;
    command_since_ = std::max(command_since_, now);
    if (in_body()) block_at_ = window_began_ = now;
}

// The timers. What waits for the owner has none: its tasks have deadlines of their own.
std::optional<ServerEngine::Due> ServerEngine::due() const {
    std::optional<Due> first;
    const auto by = [&](Instant at, Timer timer) {
        if (!first || at < first->at) first = Due{at, timer};
    };
    if (aborted_) return first;
    if (!output_.empty()) by(progress_at_ + options_->progress_time, Timer::Progress);
    if (closing_ || starting_tls_ || !output_.empty()) return first;
    if (doing_ == Doing::Nothing || doing_ == Doing::AuthLine) {
        by(command_since_ + options_->command_time, Timer::Command);
        by(connected_ + options_->session_time, Timer::Session);
    }
    if ((doing_ == Doing::Body || doing_ == Doing::Swallow) && wants_input()) {
        by(block_at_ + options_->block_time, Timer::Block);
        if (options_->body_octets_per_second_min > 0)
            by(window_began_ + options_->rate_window, Timer::Rate);
    }
    return first;
}

std::optional<Instant> ServerEngine::deadline() const {
    const auto first = due();
    return first ? std::optional(first->at) : std::nullopt;
}

void ServerEngine::expire(Instant now) {
    now_ = now;
    const auto first = due();
    if (!first || now < first->at) return;
    const auto timed_out = [&](std::string_view what, EndReason reason) {
        close_with({421, EnhancedStatus{4, 4, 2}, options_->hostname + ": " + std::string(what)},
                   reason);
    };
    switch (first->timer) {
    case Timer::Command: return timed_out("timed out waiting for a command", EndReason::Idle);
    case Timer::Session: return timed_out("the session takes too long", EndReason::Idle);
    case Timer::Progress:
        if (std::exchange(answered_late_, false)) {
            progress_at_ = now;
            return;
        }
        aborted_ = true; // a peer that takes nothing would not take a 421
        end_reason_ = EndReason::Stalled;
        return;
    case Timer::Block:
    case Timer::Rate: {
        const auto least = std::uint64_t{options_->body_octets_per_second_min} *
                           static_cast<std::uint64_t>(options_->rate_window.count());
        if (std::exchange(paused_, false))
            block_at_ = now; // it was not the client who was slow
        else if (first->timer == Timer::Block)
            return timed_out("timed out waiting for data", EndReason::Idle);
        else if (window_octets_ < least)
            return timed_out("data comes too slowly", EndReason::TooSlow);
        window_began_ = now;
        window_octets_ = 0;
    }
    }
}

std::size_t ServerEngine::memory() const {
    std::size_t octets = reader_.memory() + output_.memory();
    if (body_)
        octets += sizeof *body_ + body_->header.capacity() + body_->filling.capacity() +
                  body_->handed.capacity();
    return octets;
}

} // namespace mailcore::smtp
