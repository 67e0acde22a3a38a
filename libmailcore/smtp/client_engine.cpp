#include "libmailcore/smtp/client_engine.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/domain_name.h"

#include <algorithm>
#include <utility>

namespace mailcore::smtp {

namespace {
constexpr std::size_t command_line_octets_max =
    512; // RFC 5321 §4.5.3.1.4; AUTH keeps to it (RFC 4954 §4)
}

std::string_view to_string(Stage stage) {
    switch (stage) {
    case Stage::Greeting: return "greeting";
    case Stage::Hello: return "hello";
    case Stage::StartTls: return "starttls";
    case Stage::Auth: return "auth";
    case Stage::Idle: return "idle";
    case Stage::Mail: return "mail";
    case Stage::Rcpt: return "rcpt";
    case Stage::Data: return "data";
    case Stage::Body: return "body";
    case Stage::Final: return "final";
    case Stage::Quit: return "quit";
    }
    return "";
}

std::string_view to_string(Problem problem) {
    switch (problem) {
    case Problem::None: return "none";
    case Problem::NeedsEightBitMime: return "needs-8bitmime";
    case Problem::NeedsBinaryMime: return "needs-binarymime";
    case Problem::NeedsSmtpUtf8: return "needs-smtputf8";
    case Problem::NeedsRequireTls: return "needs-requiretls";
    case Problem::TooLarge: return "too-large";
    case Problem::BadAddress: return "bad-address";
    case Problem::BareLineEnd: return "bare-line-end";
    case Problem::BodyUnavailable: return "body-unavailable";
    case Problem::TlsUnavailable: return "tls-unavailable";
    case Problem::PeerClosed: return "peer-closed";
    case Problem::TimedOut: return "timed-out";
    case Problem::Stalled: return "stalled";
    case Problem::ProtocolError: return "protocol-error";
    case Problem::ShutDown: return "shut-down";
    }
    return "";
}

ClientEngine::ClientEngine(std::shared_ptr<const ClientOptions> options, const PeerInfo& peer,
                           Instant now)
    : options_(std::move(options)), peer_(peer), parser_(options_->replies), answer_since_(now),
      progress_at_(now) {
    MAILCORE_ASSERT(codec::is_domain(options_->hostname) ||
                    codec::parse_address_literal(options_->hostname));
    awaited_.push_back(Awaited::Greeting);
}

std::optional<ClientEvent> ClientEngine::next_event() {
    if (events_.empty()) return std::nullopt;
    ClientEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
}

void ClientEngine::command(std::string_view line, Awaited awaited) {
    if (output_.empty()) asked_late_ = true;
    output_ += line;
    output_ += "\r\n";
    awaited_.push_back(awaited);
}

// Input

std::size_t ClientEngine::receive(std::string_view octets, Instant now) {
    std::size_t taken = 0;
    while (taken < octets.size() && wants_input()) {
        const auto step = parser_.read(octets.substr(taken));
        taken += step.taken;
        if (step.outcome == ReplyParser::Outcome::NeedMore) continue;
        answer_since_ = now;
        if (step.outcome == ReplyParser::Outcome::Malformed)
            end(Problem::ProtocolError, std::nullopt);
        else
            handle(parser_.take());
    }
    return taken;
}

void ClientEngine::receive_end(Instant) {
    // After QUIT nothing is missed.
    end(stage_ == Stage::Quit ? Problem::None : Problem::PeerClosed, std::nullopt);
}

void ClientEngine::handle(Reply reply) {
    // An answer to nothing: the server says goodbye (RFC 5321 §3.8), or refuses a message that it
    // has not read to its end.
    if (awaited_.empty()) {
        if (reply.is_positive() || reply.is_intermediate())
            return end(Problem::ProtocolError, std::nullopt);
        return end(Problem::None, std::move(reply));
    }
    const auto to = awaited_.front();
    awaited_.pop_front();
    if (reply.code == 421 && to != Awaited::Quit) {
        if (to == Awaited::Auth) events_.push_back(AuthDone{last_id_, reply});
        return end(Problem::None, std::move(reply));
    }
    // 3yz is for those who have more to say.
    if (reply.is_intermediate() && to != Awaited::Data && to != Awaited::Auth)
        return end(Problem::ProtocolError, std::nullopt);
    switch (to) {
    case Awaited::Greeting: return handle_greeting(reply);
    case Awaited::Hello:
    case Awaited::Helo: return handle_hello(to, reply);
    case Awaited::StartTls:
        if (reply.is_positive())
            starting_tls_ = true;
        else if (options_->starttls == ClientOptions::StartTls::Required)
            end(Problem::TlsUnavailable, std::move(reply));
        else
            ready();
        return;
    case Awaited::Auth: return handle_auth(std::move(reply));
    case Awaited::Mail: return handle_mail(std::move(reply));
    case Awaited::Rcpt: return handle_recipient(std::move(reply));
    case Awaited::Data: return handle_data(std::move(reply));
    case Awaited::Chunk: return handle_chunk(std::move(reply));
    case Awaited::Final: return handle_final(reply);
    case Awaited::Rset:
        // A server that cannot forget is not to be trusted with the next message.
        if (!reply.is_positive()) return end(Problem::None, std::move(reply));
        return pump();
    case Awaited::Quit: return end(Problem::None, std::nullopt);
    }
}

// The session

void ClientEngine::handle_greeting(const Reply& reply) {
    if (reply.code == 220) return hello();
    if (reply.is_positive()) return end(Problem::ProtocolError, std::nullopt);
    end(Problem::None, reply);
}

void ClientEngine::hello() {
    stage_ = Stage::Hello;
    capabilities_ = {};
    command((lmtp() ? "LHLO " : "EHLO ") + options_->hostname, Awaited::Hello);
}

void ClientEngine::handle_hello(Awaited to, const Reply& reply) {
    if (reply.is_positive()) {
        server_name_ = reply.text.substr(0, reply.text.find_first_of(" \n"));
        if (to == Awaited::Hello) capabilities_ = parse_capabilities(reply);
        return begin_session();
    }
    // RFC 5321 §3.2: old servers do not know EHLO.
    if (to == Awaited::Hello && reply.is_permanent() && !lmtp())
        return command("HELO " + options_->hostname, Awaited::Helo);
    end(Problem::None, reply);
}

void ClientEngine::begin_session() {
    using StartTls = ClientOptions::StartTls;
    if (!peer_.tls && options_->starttls != StartTls::Never) {
        if (capabilities_.starttls) {
            stage_ = Stage::StartTls;
            return command("STARTTLS", Awaited::StartTls);
        }
        if (options_->starttls == StartTls::Required) {
            stage_ = Stage::StartTls;
            return end(Problem::TlsUnavailable, std::nullopt);
        }
    }
    ready();
}

void ClientEngine::ready() {
    stage_ = Stage::Idle;
    if (!std::exchange(ready_told_, true)) events_.push_back(Ready{});
    settle();
}

void ClientEngine::transport_changed(const PeerInfo& peer, Instant now) {
    answer_since_ = progress_at_ = now;
    peer_ = peer;
    if (!std::exchange(starting_tls_, false)) return; // TLS from the first octet on
    // RFC 3207 §4.2: nothing that the server said before counts.
    parser_.clear();
    hello();
}

// AUTH

TransactionId ClientEngine::authenticate(std::string_view mechanism,
                                         std::optional<Secret> initial) {
    ++last_id_.value;
    if (over()) {
        events_.push_front(
            AuthDone{last_id_, {421, EnhancedStatus{4, 4, 2}, "The connection has ended"}});
        return last_id_;
    }
    MAILCORE_ASSERT(idle());
    stage_ = Stage::Auth;
    std::string line = "AUTH " + std::string(mechanism);
    if (initial) {
        const auto text =
            initial->empty() ? std::string("=") : codec::base64_encode(initial->reveal());
        if (line.size() + 1 + text.size() + 2 <= command_line_octets_max) {
            line += ' ' + text;
            initial.reset();
        }
    }
    initial_ = std::move(initial);
    command(line, Awaited::Auth);
    return last_id_;
}

void ClientEngine::handle_auth(Reply reply) {
    if (reply.code != 334) {
        if (reply.is_intermediate()) return end(Problem::ProtocolError, std::nullopt);
        initial_.reset();
        events_.push_back(AuthDone{last_id_, std::move(reply)});
        stage_ = Stage::Idle;
        return settle();
    }
    auto octets = codec::base64_decode(reply.text);
    if (!octets) return command("*", Awaited::Auth); // RFC 4954 §4
    if (initial_ && octets->empty()) {
        const auto initial = *std::exchange(initial_, std::nullopt);
        return command(codec::base64_encode(initial.reveal()), Awaited::Auth);
    }
    events_.push_back(AuthChallenge{last_id_, Secret{std::move(*octets)}});
}

void ClientEngine::respond(TransactionId id, const Secret& octets) {
    if (closing_ || aborted_) return;
    MAILCORE_ASSERT(id == last_id_ && stage_ == Stage::Auth && awaited_.empty());
    command(codec::base64_encode(octets.reveal()), Awaited::Auth);
}

void ClientEngine::cancel(TransactionId id) {
    if (closing_ || aborted_) return;
    MAILCORE_ASSERT(id == last_id_ && stage_ == Stage::Auth && awaited_.empty());
    command("*", Awaited::Auth);
}

// The end

void ClientEngine::quit() {
    if (over()) return;
    MAILCORE_ASSERT(idle());
    stage_ = Stage::Quit;
    command("QUIT", Awaited::Quit);
}

/// The connection is of no more use. A transaction under way is lost, and says so first.
void ClientEngine::end(Problem problem, std::optional<Reply> reply) {
    if (closing_ || aborted_) return;
    const bool in_data = transaction_ && transaction_->in_body;
    if (transaction_) lose_transaction(stage_, problem, reply);
    // After a refusal between commands the server still expects QUIT (RFC 5321 §3.1).
    const bool refused = problem == Problem::None && reply && reply->code != 421;
    if ((refused || problem == Problem::TlsUnavailable) && !in_data && awaited_.empty())
        output_ += "QUIT\r\n";
    if (in_data || problem == Problem::Stalled)
        aborted_ = true; // an end now would look like the message's
    else
        closing_ = true;
    awaited_.clear();
    events_.push_back(Ended{stage_, problem, std::move(reply)});
}

/// Something has come to its end.
void ClientEngine::settle() {
    if (shutting_down_ && idle() && !transaction_) quit();
}

void ClientEngine::shut_down(base::ShutdownReason reason, Instant) {
    shutting_down_ = true;
    if (stage_ == Stage::Quit) return;
    if (idle() && !transaction_) return quit();
    if (reason != base::ShutdownReason::Drain || !transaction_)
        end(Problem::ShutDown, std::nullopt);
}

base::Engine::Next ClientEngine::next() const {
    if (aborted_) return Next::Abort;
    if (closing_) return Next::CloseFlushed;
    return starting_tls_ ? Next::StartTls : Next::Run;
}

// Output and time

void ClientEngine::output_sent(std::size_t octets, Instant now) {
    output_.sent(octets);
    progress_at_ = now;
    asked_late_ = false;
    if (output_.empty()) answer_since_ = now;
    if (next() == Next::Run) pump();
}

std::chrono::seconds ClientEngine::time_for(Awaited awaited) const {
    switch (awaited) {
    case Awaited::Greeting: return options_->greeting_time;
    case Awaited::Hello:
    case Awaited::Helo:
    case Awaited::StartTls:
    case Awaited::Auth:
    case Awaited::Mail:
    case Awaited::Rcpt:
    case Awaited::Rset: return options_->command_time;
    case Awaited::Data: return options_->data_time;
    case Awaited::Chunk: return options_->block_time;
    case Awaited::Final: return options_->final_time;
    case Awaited::Quit: return options_->quit_time;
    }
    return options_->command_time;
}

// The timers. What waits for the owner has none.
std::optional<ClientEngine::Due> ClientEngine::due() const {
    if (aborted_) return std::nullopt;
    if (!output_.empty()) return Due{progress_at_ + options_->block_time, Timer::Progress};
    if (closing_ || starting_tls_ || awaited_.empty()) return std::nullopt;
    return Due{answer_since_ + time_for(awaited_.front()), Timer::Answer};
}

std::optional<Instant> ClientEngine::deadline() const {
    const auto first = due();
    return first ? std::optional(first->at) : std::nullopt;
}

void ClientEngine::expire(Instant now) {
    const auto first = due();
    if (!first || now < first->at) return;
    if (first->timer == Timer::Answer)
        return end(stage_ == Stage::Quit ? Problem::None : Problem::TimedOut, std::nullopt);
    if (std::exchange(asked_late_, false)) {
        progress_at_ = now;
        return;
    }
    if (closing_)
        aborted_ = true;
    else
        end(Problem::Stalled, std::nullopt);
}

std::size_t ClientEngine::memory() const {
    std::size_t octets = parser_.memory() + output_.memory();
    if (transaction_)
        octets += sizeof *transaction_ +
                  transaction_->envelope.recipients.capacity() * sizeof(Envelope::Recipient) +
                  transaction_->results.capacity() * sizeof(RecipientResult);
    return octets;
}

} // namespace mailcore::smtp
