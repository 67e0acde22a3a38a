#include "libmailcore/pop3/server_engine.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/sasl/mechanism.h"

#include <algorithm>

namespace mailcore::pop3 {

namespace {

constexpr std::size_t command_line_octets_max = 255;      // RFC 2449 §4, with CRLF
constexpr std::uint64_t swallowed_octets_max = 64 * 1024; // of one endless line, then we close

std::string_view response_code(Refusal why) {
    switch (why) {
    case Refusal::Plain: return "";
    case Refusal::Auth: return "[AUTH] ";
    case Refusal::InUse: return "[IN-USE] ";
    case Refusal::LoginDelay: return "[LOGIN-DELAY] ";
    case Refusal::Temporary: return "[SYS/TEMP] ";
    case Refusal::Permanent: return "[SYS/PERM] ";
    case Refusal::Utf8: return "[UTF8] ";
    }
    return "";
}

} // namespace

ServerEngine::ServerEngine(Options options, const PeerInfo& peer, Instant now)
    : options_(std::move(options)), peer_(peer), reader_(command_line_octets_max), connected_(now),
      last_command_(now), last_progress_(now) {
    ok(options_.greeting);
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
        const bool was_between = reader_.between();
        const auto step = reader_.read(octets.substr(taken));
        taken += step.taken;
        // The clock of a command starts with its first octet: one octet a second is no progress.
        if (was_between) last_command_ = now;
        switch (step.outcome) {
        case codec::LineReader::Outcome::NeedMore:
            if (reader_.swallowed() > swallowed_octets_max) {
                err("line too long");
                next_ = Next::CloseFlushed;
            }
            break;
        case codec::LineReader::Outcome::TooLong: bad_command("line too long"); break;
        case codec::LineReader::Outcome::Malformed:
            bad_command("bare CR, bare LF or NUL in a command");
            break;
        case codec::LineReader::Outcome::Line: run(reader_.line()); break;
        }
    }
    last_progress_ = now;
    return taken;
}

void ServerEngine::receive_end(Instant) {
    ended_ = true;
    settle();
}

bool ServerEngine::wants_input() const {
    return next_ == Next::Run && !starting_tls_ && !ended_ && !shutting_down_ &&
           (doing_ == Doing::Nothing || doing_ == Doing::AwaitingAuthLine) &&
           output_.size() < options_.output_octets_max;
}

void ServerEngine::run(std::string_view line) {
    if (doing_ == Doing::AwaitingAuthLine) return auth_line(line);
    const auto command = parse_command_line(line);
    if (!command) return bad_command("syntax error");
    for (const auto& row : command_table()) {
        if (!codec::equal_ignoring_case(row.verb, command->verb)) continue;
        const char now_in = state_ == State::Authorization ? 'A' : 'T';
        if (!row.states.contains(now_in))
            return bad_command(now_in == 'A' ? "log in first" : "not after login");
        const auto words = command->arguments.words.size();
        if (words < row.words_min || words > row.words_max)
            return bad_command("wrong number of arguments");
        if (row.closes_plaintext && !plaintext_allowed())
            return err(Refusal::Permanent, options_.starttls
                                               ? "plaintext login needs TLS: STLS first"
                                               : "plaintext login needs TLS");
        return (this->*row.run)(command->arguments);
    }
    bad_command("unknown command");
}

// Answers

void ServerEngine::ok(std::string_view text) {
    output_ += text.empty() ? "+OK" : "+OK ";
    output_ += text;
    output_ += "\r\n";
}

void ServerEngine::err(std::string_view text) { err(Refusal::Plain, text); }

void ServerEngine::err(Refusal why, std::string_view text) {
    output_ += "-ERR ";
    output_ += response_code(why);
    output_ += text;
    output_ += "\r\n";
}

void ServerEngine::bad_command(std::string_view text) {
    if (doing_ == Doing::AwaitingAuthLine) {
        events_.push_back(AuthEnd{last_id_});
        finish();
    }
    err(text);
    if (++bad_commands_ >= options_.bad_commands_max) next_ = Next::CloseFlushed;
}

CommandId ServerEngine::begin(Doing doing) {
    doing_ = doing;
    ++last_id_.value;
    return last_id_;
}

void ServerEngine::finish() {
    doing_ = Doing::Nothing;
    reader_.set_octets_max(command_line_octets_max);
    settle();
}

void ServerEngine::check_open(CommandId id, Doing doing) const {
    MAILCORE_ASSERT(id == last_id_ && doing_ == doing);
}

void ServerEngine::log_in(CommandId id, std::vector<Message> maildrop) {
    MAILCORE_ASSERT(id == last_id_ && (doing_ == Doing::LoggingIn || doing_ == Doing::Challenging));
    maildrop_ = std::move(maildrop);
    deleted_.assign(maildrop_.size(), false);
    state_ = State::Transaction;
    user_ = {};
    ok("logged in");
    finish();
}

void ServerEngine::refuse(CommandId id, Refusal why, std::string_view text) {
    MAILCORE_ASSERT(id == last_id_ && (doing_ == Doing::LoggingIn || doing_ == Doing::Challenging ||
                                       doing_ == Doing::Retrieving));
    user_ = {};
    err(why, text);
    finish();
}

void ServerEngine::committed(CommandId id, bool all) {
    check_open(id, Doing::Committing);
    if (all)
        ok("bye");
    else
        err("some deleted messages not removed"); // RFC 1939 §6
    finish();
    next_ = Next::CloseFlushed;
}

// Bodies

void ServerEngine::begin_body(CommandId id) {
    check_open(id, Doing::Retrieving);
    ok("message follows");
    doing_ = Doing::SendingBody;
    ask_for_body();
}

void ServerEngine::ask_for_body() {
    if (doing_ != Doing::SendingBody || body_asked_ || output_.size() >= options_.output_octets_max)
        return;
    body_asked_ = true;
    events_.push_back(NeedBody{last_id_, options_.output_octets_max - output_.size()});
}

void ServerEngine::body(CommandId id, std::string_view octets, bool last) {
    check_open(id, Doing::SendingBody);
    MAILCORE_ASSERT(body_asked_);
    body_asked_ = false;
    bool enough = false;
    if (body_.limited) {
        std::size_t wanted = 0;
        while (wanted < octets.size() && !enough) {
            const char octet = octets[wanted++];
            if (octet == '\n' && body_.cr) {
                if (body_.in_header)
                    body_.in_header = !body_.line_empty;
                else
                    --body_.lines_left;
                enough = !body_.in_header && body_.lines_left == 0;
                body_.line_empty = true;
            } else if (octet != '\r') {
                body_.line_empty = false;
            }
            body_.cr = octet == '\r';
        }
        octets = octets.substr(0, wanted);
    }
    stuffer_.append(octets, output_.tail());
    if (!last && !enough) return ask_for_body();
    if (!last) events_.push_back(BodyEnough{id});
    stuffer_.finish(output_.tail());
    finish();
}

void ServerEngine::body_failed(CommandId id) {
    check_open(id, Doing::SendingBody);
    next_ = Next::Abort;
}

// Output, TLS, time

std::span<const std::string_view> ServerEngine::output() const { return output_.pieces(); }

void ServerEngine::output_sent(std::size_t octets, Instant now) {
    output_.sent(octets);
    last_progress_ = now;
    stalled_since_.reset();
    last_command_ = std::max(last_command_, now);
    if (starting_tls_ && output_.empty()) next_ = Next::StartTls;
    ask_for_body();
}

void ServerEngine::transport_changed(const PeerInfo& peer, Instant now) {
    peer_ = peer;
    starting_tls_ = false;
    next_ = Next::Run;
    // RFC 2595 §4: nothing that was said before TLS counts.
    user_ = {};
    utf8_ = false;
    reader_.clear();
    last_command_ = last_progress_ = now;
    settle();
}

std::optional<Instant> ServerEngine::deadline() const {
    if (next_ != Next::Run && output_.empty()) return std::nullopt;
    std::optional<Instant> first;
    const auto by = [&](Instant at) { first = first ? std::min(*first, at) : at; };
    if (state_ == State::Authorization) by(connected_ + options_.login_time);
    if (!output_.empty())
        by(stalled_since_.value_or(last_progress_) + options_.progress_time);
    else if (doing_ == Doing::Nothing || doing_ == Doing::AwaitingAuthLine)
        by(last_command_ + options_.idle_time);
    return first;
}

void ServerEngine::expire(Instant now) {
    const auto due = deadline();
    if (!due || now < *due) return;
    const bool login_late =
        state_ == State::Authorization && now >= connected_ + options_.login_time;
    if (!output_.empty() && !stalled_since_ && !login_late) {
        // Answers come without a time; the first look at a waiting one starts its clock.
        stalled_since_ = now;
        return;
    }
    // RFC 1939 §3: closed without a word and without deleting anything. A peer that takes nothing
    // is cut.
    next_ = output_.empty() ? Next::CloseFlushed : Next::Abort;
}

void ServerEngine::shut_down(base::ShutdownReason, Instant) {
    // POP3 has no unsolicited farewell; what runs is finished first.
    shutting_down_ = true;
    settle();
}

/// Closes once nothing is open that must be answered first.
void ServerEngine::settle() {
    if ((ended_ || shutting_down_) && doing_ != Doing::LoggingIn && doing_ != Doing::Retrieving &&
        doing_ != Doing::SendingBody && doing_ != Doing::Committing && next_ == Next::Run)
        next_ = Next::CloseFlushed;
}

std::size_t ServerEngine::memory() const {
    std::size_t octets = reader_.memory() + output_.memory();
    for (const auto& message : maildrop_) octets += sizeof message + message.unique_id.capacity();
    return octets;
}

// What commands share

bool ServerEngine::plaintext_allowed() const {
    return peer_.tls.has_value() || options_.plaintext_without_tls;
}

bool ServerEngine::offers(std::string_view mechanism) const {
    return sasl::is_offerable(mechanism, peer_, plaintext_allowed()) &&
           std::ranges::find(options_.mechanisms, mechanism) != options_.mechanisms.end();
}

std::optional<std::size_t> ServerEngine::message_index(std::string_view word) {
    const auto number = codec::parse_u32(word);
    if (!number || *number == 0 || *number > maildrop_.size()) {
        err("no such message");
        return std::nullopt;
    }
    if (deleted_[*number - 1]) {
        err("message is deleted");
        return std::nullopt;
    }
    return *number - 1;
}

void ServerEngine::tell_of_messages(const Arguments& arguments,
                                    void (*append_value)(std::string& out,
                                                         const Message& message)) {
    auto& out = output_.tail();
    const auto line = [&](std::size_t index) {
        codec::append_number(out, index + 1);
        out += ' ';
        append_value(out, maildrop_[index]);
        out += "\r\n";
    };
    if (!arguments.words.empty()) {
        const auto index = message_index(arguments.words[0]);
        if (!index) return;
        out += "+OK ";
        return line(*index);
    }
    ok("");
    for (std::size_t i = 0; i < maildrop_.size(); ++i)
        if (!deleted_[i]) line(i);
    out += ".\r\n";
}

} // namespace mailcore::pop3
