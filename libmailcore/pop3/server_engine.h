// The server's half of POP3 (RFC 1939, 2449, 2595, 5034, 6856), without I/O.
#pragma once

#include "libmailcore/base/engine.h"
#include "libmailcore/base/output_buffer.h"
#include "libmailcore/codec/dot_stuffing.h"
#include "libmailcore/codec/line_reader.h"
#include "libmailcore/pop3/command.h"
#include "libmailcore/pop3/events.h"

#include <chrono>
#include <deque>
#include <string>
#include <vector>

namespace mailcore::pop3 {

/// What one connection may do; immutable while it lasts.
struct Options {
    std::string greeting = "POP3 ready"; ///< after "+OK "; US-ASCII
    std::vector<std::string> mechanisms; ///< SASL, upper case; those that show a password need TLS
    bool starttls = false;               ///< STLS is offered where TLS does not stand yet
    bool plaintext_without_tls = false;  ///< USER/PASS, PLAIN and LOGIN are allowed without TLS
    std::uint32_t bad_commands_max = 20; ///< then the connection is closed
    std::size_t output_octets_max = 64 * 1024; ///< above this nothing is read or asked for

    std::chrono::seconds login_time{120}; ///< from the greeting to a successful login
    std::chrono::seconds idle_time{600};  ///< between commands (RFC 1939 §3: at least 10 minutes)
    std::chrono::seconds progress_time{300}; ///< the client takes nothing of what is sent
};

/// Deterministic function of its calls; see base::Engine. Its owner takes events with `next_event`
/// and answers each as events.h says; an answer that cites no open command asserts.
///
/// The maildrop is a snapshot taken at login. STAT, LIST, UIDL, DELE, RSET, NOOP and CAPA are
/// answered here; the owner is asked for what only it has: who may log in, bodies, and the deletion
/// at QUIT.
class ServerEngine final : public base::Engine {
  public:
    ServerEngine(Options options, const PeerInfo& peer, Instant now);

    /// The next thing to know or do; nothing: all is told.
    [[nodiscard]] std::optional<Event> next_event();

    void log_in(CommandId id, std::vector<Message> maildrop);
    void refuse(CommandId id, Refusal why, std::string_view text);
    void challenge(CommandId id, std::string_view octets);
    void begin_body(CommandId id);
    /// At most `NeedBody::room` octets; `last`: the message ends here.
    void body(CommandId id, std::string_view octets, bool last);
    /// The octets cannot be had after all: the connection is aborted, since a half text has no
    /// other end.
    void body_failed(CommandId id);
    /// All was deleted that could be; false: something is left (RFC 1939 §6).
    void committed(CommandId id, bool all);

    /// The peer, as it is since TLS started, if it did.
    [[nodiscard]] const PeerInfo& peer() const { return peer_; }

    std::size_t receive(std::string_view octets, Instant now) override;
    void receive_end(Instant now) override;
    [[nodiscard]] bool wants_input() const override;
    [[nodiscard]] std::span<const std::string_view> output() const override;
    void output_sent(std::size_t octets, Instant now) override;
    [[nodiscard]] Next next() const override { return next_; }
    void transport_changed(const PeerInfo& peer, Instant now) override;
    [[nodiscard]] std::optional<Instant> deadline() const override;
    void expire(Instant now) override;
    void shut_down(base::ShutdownReason reason, Instant now) override;
    [[nodiscard]] std::size_t memory() const override;

    [[nodiscard]] State state() const { return state_; }

  private:
    friend std::span<const CommandRow> command_table();

    // commands/<verb>.cpp
    void user(const Arguments&);
    void pass(const Arguments&);
    void auth(const Arguments&);
    void auth_line(std::string_view line);
    void stls(const Arguments&);
    void capa(const Arguments&);
    void utf8(const Arguments&);
    void stat(const Arguments&);
    void list(const Arguments&);
    void uidl(const Arguments&);
    void retr(const Arguments&);
    void top(const Arguments&);
    void dele(const Arguments&);
    void rset(const Arguments&);
    void noop(const Arguments&);
    void quit(const Arguments&);

    enum class Doing : std::uint8_t {
        Nothing,
        LoggingIn,
        Challenging,
        AwaitingAuthLine,
        Retrieving,
        SendingBody,
        Committing,
    };

    void run(std::string_view line);
    void ok(std::string_view text);
    void err(std::string_view text);
    void err(Refusal why, std::string_view text);
    void bad_command(std::string_view text);
    CommandId begin(Doing doing);
    void finish();
    void check_open(CommandId id, Doing doing) const;
    void ask_for_body();
    void settle();
    [[nodiscard]] bool plaintext_allowed() const;
    [[nodiscard]] bool offers(std::string_view mechanism) const;
    [[nodiscard]] std::optional<std::size_t> message_index(std::string_view word);
    /// A line "number value" of the message that is named, or of each that is not deleted.
    void tell_of_messages(const Arguments& arguments,
                          void (*append_value)(std::string& out, const Message& message));

    const Options options_;
    PeerInfo peer_;
    State state_ = State::Authorization;
    Next next_ = Next::Run;
    Doing doing_ = Doing::Nothing;
    bool starting_tls_ = false;
    bool utf8_ = false;
    bool ended_ = false; // the client sends no more
    bool shutting_down_ = false;
    bool body_asked_ = false; // a NeedBody is unanswered
    std::uint32_t bad_commands_ = 0;
    CommandId last_id_;

    codec::LineReader reader_;
    base::OutputBuffer output_;
    std::deque<Event> events_; // at most a few: one command is open at a time
    std::string user_;
    std::vector<Message> maildrop_;
    std::vector<bool> deleted_;

    codec::DotStuffer stuffer_;
    struct {
        bool limited = false; // TOP: only so many lines of the body
        std::uint64_t lines_left = 0;
        bool in_header = true;
        bool line_empty = true;
        bool cr = false;
    } body_;

    Instant connected_;
    Instant last_command_;
    std::optional<Instant> stalled_since_; // output was waiting when its time was looked at
    Instant last_progress_;
};

} // namespace mailcore::pop3
