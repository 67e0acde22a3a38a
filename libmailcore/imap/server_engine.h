// The server's half of IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051 and extensions), without I/O.
#pragma once

#include "libmailcore/base/engine.h"
#include "libmailcore/imap/command_table.h"
#include "libmailcore/imap/detail/output_queue.h"
#include "libmailcore/imap/events.h"
#include "libmailcore/imap/framing.h"
#include "libmailcore/imap/response/writer.h"

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::imap {

/// What one connection may do; immutable while it lasts.
struct Options {
    std::string greeting = "IMAP ready";       ///< US-ASCII, one line
    Extensions extensions = Extensions::all(); ///< what the owner implements
    std::vector<std::string> mechanisms; ///< SASL, upper case; those that show a password need TLS
    bool starttls = false;               ///< STARTTLS is offered where TLS does not stand yet
    bool plaintext_without_tls = false;  ///< LOGIN, PLAIN and their like are allowed without TLS
    IdFields id = {{"name", "libmailcore"}}; ///< what ID tells about us; empty: NIL

    /// A command with its literals, but for APPEND's message. RFC 7162 §4 asks for 8192 at least;
    /// clients send UID sets of tens of thousands of octets. Before login nothing needs as much;
    /// the largest is a Kerberos ticket in AUTHENTICATE.
    std::size_t command_octets_max = 128 * 1024;
    std::size_t command_octets_max_before_login = 16 * 1024;
    std::uint64_t append_octets_max = 64 * 1024 * 1024; ///< of APPEND's message
    /// Of a refused non-synchronising literal, a failed APPEND or an endless line, before we give
    /// up with BYE. Above `append_octets_max`, so that no message that is allowed ends that way.
    std::uint64_t swallowed_octets_max = 80 * 1024 * 1024;
    /// A non-synchronising literal may be larger than 4096 octets: LITERAL+ instead of LITERAL-
    /// (RFC 7888 §5). Saves a round trip a message.
    bool large_non_synchronising_literals = true;
    std::uint32_t bad_commands_max = 20;       ///< answered BAD one after the other; then BYE
    std::size_t output_octets_max = 64 * 1024; ///< above this nothing is read or asked for

    std::chrono::seconds login_time{60};     ///< from the greeting, or TLS, to a successful login
    std::chrono::seconds idle_time{30 * 60}; ///< between commands, and within IDLE (RFC 9051 §5.4)
    /// From a command's first octet to its last, but for APPEND's message.
    std::chrono::seconds command_time{120};
    /// No octet moves of a message that comes in, or of what goes out.
    std::chrono::seconds progress_time{300};
    /// A message that comes slower on the whole (and slower than `progress_time` allows) is given
    /// up.
    std::uint64_t message_octets_per_second_min = 256;
    /// "* OK Still here" in IDLE, so that address translators keep the connection and a dead peer
    /// shows. 0: never.
    std::chrono::seconds idle_sign_time{240};
};

/// Deterministic function of its calls; see base::Engine. Its owner takes events with `next_event`
/// and answers each as events.h and README.md say. An answer that cites no open command asserts,
/// unless the command was aborted, which the owner may not have heard yet: that is dropped.
///
/// CAPABILITY, LOGOUT, ID, STARTTLS and ENABLE are answered here. One command is open at a time, in
/// the order they were sent: what a client pipelines stays with the driver (RFC 9051 §5.5).
class ServerEngine final : public base::Engine {
  public:
    ServerEngine(Options options, const PeerInfo& peer, Instant now);

    /// The next thing to know or do; nothing: all is told.
    [[nodiscard]] std::optional<Event> next_event();

    /// Ends the command. An OK moves the state: LOGIN, AUTHENTICATE, SELECT, EXAMINE, CLOSE,
    /// UNSELECT.
    void reply(CommandId id, Reply reply);
    /// Says something before the reply. Expunged only while `may_expunge()`.
    void respond(CommandId id, const Response& response);
    /// Says something that no command asked for. Expunged only while `may_expunge()`, other news of
    /// the mailbox only while `may_announce()`.
    void announce(const Response& response);

    /// APPEND: the message may come.
    void accept(CommandId id);
    void body_taken(CommandId id);
    /// AUTHENTICATE: `octets` as they are, not encoded; may be empty.
    void challenge(CommandId id, std::string_view octets);
    /// The octets of a response::Pulled that NeedBody asked for.
    void body(CommandId id, std::string octets);
    /// They cannot be had: the connection is aborted, since a literal that has begun has no other
    /// end.
    void body_failed(CommandId id);

    /// How much more should be said now; 0: stop, `await_room` and go on at its Room event. Saying
    /// more is no error, it only takes memory.
    [[nodiscard]] std::size_t room() const;
    void await_room(CommandId id);

    /// News of the selected mailbox (Exists, Recent, Flags, FlagsChanged) can be announced: a
    /// command is in progress, IDLE included, and does not change which mailbox is selected. The
    /// usual moment is just before a reply.
    [[nodiscard]] bool may_announce() const;
    /// And so can Expunged: not without a command, nor during FETCH, STORE or SEARCH, nor during a
    /// UID SEARCH for message numbers. Source: RFC 9051 §7.5.1; RFC 7162 §3.2.10.2; RFC 3501
    /// §7.4.1.
    [[nodiscard]] bool may_expunge() const;

    /// Says BYE and closes: the account or the mailbox is gone.
    void bye(std::string_view text, Code code = Code::None);

    [[nodiscard]] State state() const { return state_; }
    /// As it is since TLS started, if it did.
    [[nodiscard]] const PeerInfo& peer() const { return peer_; }
    [[nodiscard]] const Enabled& enabled() const { return enabled_; }
    /// What CAPABILITY would say now, separated by spaces.
    [[nodiscard]] std::string capabilities() const;

    std::size_t receive(std::string_view octets, Instant now) override;
    void receive_end(Instant now) override;
    [[nodiscard]] bool wants_input() const override;
    [[nodiscard]] std::span<const std::string_view> output() const override;
    void output_sent(std::size_t octets, Instant now) override;
    [[nodiscard]] Next next() const override;
    void transport_changed(const PeerInfo& peer, Instant now) override;
    [[nodiscard]] std::optional<Instant> deadline() const override;
    void expire(Instant now) override;
    void shut_down(base::ShutdownReason reason, Instant now) override;
    [[nodiscard]] std::size_t memory() const override;

  private:
    /// What the octets that come next are.
    enum class Reading : std::uint8_t {
        Command,
        SaslResponse,
        IdleEnd,
        Message,       ///< APPEND's
        MessageEnd,    ///< the CRLF behind it
        FailedMessage, ///< the same, but nobody wants it
        FailedMessageEnd,
    };
    /// The command in progress.
    struct Open {
        Open() {} // and not "= default": clang wants the class around it complete for that
        CommandId id;
        std::string tag;
        const CommandRow* row = nullptr;
        command::SearchReturn search_return;
        Addressing addressing = Addressing::Numbers;
        bool names_numbers = false; ///< UID SEARCH with message numbers among its criteria
        bool is_append = false;
        command::AppendedMessage::Form form{}; ///< of APPEND's message
        bool accepted = false;                 ///< APPEND's message is coming or has come
        bool synchronising = false;            ///< APPEND's literal
        bool idle_spoilt = false;              ///< IDLE ended with something else than DONE
        bool idle_done = false;
        std::uint64_t message_left = 0;
        std::optional<Reply> failure; ///< to be sent when the message is swallowed
    };
    enum class Limit : std::uint8_t {
        Login,
        Idle,
        Command,
        IncomingProgress,
        OutgoingProgress,
        IdleSign
    };
    struct Due {
        Limit limit;
        Instant at;
    };

    // server_engine.cpp: octets, time
    std::size_t receive_message(std::string_view octets);
    void on_framed(Framer::Outcome outcome);
    void on_line(std::string_view line);
    void ask_for_body();
    void tell_room();
    void say_bye(std::string_view text, Code code = Code::None);
    void tell_aborted();
    void settle();
    [[nodiscard]] std::optional<Due> due() const;

    // commands.cpp: from a line to a command
    void run(std::string_view line);
    void on_literal();
    void on_discarded();
    /// Reads tag and command and takes the guards from the table; or what is to be answered
    /// instead.
    [[nodiscard]] Result<const CommandRow*, Reply> admit(WireReader& in, std::string& tag) const;
    void refuse_literal(std::string tag, Reply why);
    void discard_literal();
    void begin_message(const command::AppendedMessage& message, Framer::Announcement literal);
    void on_next_message();
    void begin_append(std::string tag, const CommandRow& row, command::Append append,
                      Framer::Announcement literal);
    void dispatch(std::string tag, const CommandRow& row, Command command);
    void answer(std::string_view tag, const Reply& reply);
    void on_sasl_line(std::string_view line);
    void on_idle_line(std::string_view line);
    void on_message_end(std::string_view line);
    void abort_open(const Reply& why);
    void finish(const Reply& reply);
    void write_fetch(const response::Fetch& fetch);
    [[nodiscard]] ResponseContext context() const;
    /// The command in progress, which `id` must be; null if it has been aborted meanwhile.
    Open* open(CommandId id);
    // What is answered here.
    void run_here(std::string_view tag, const command::Capability&);
    void run_here(std::string_view tag, const command::Logout&);
    void run_here(std::string_view tag, command::Id& id);
    void run_here(std::string_view tag, const command::StartTls&);
    void run_here(std::string_view tag, const command::Enable& enable);
    [[nodiscard]] std::optional<Reply> refusal(const command::Authenticate& authenticate) const;
    [[nodiscard]] bool plaintext_allowed() const;
    [[nodiscard]] bool offers(std::string_view mechanism) const;
    [[nodiscard]] Grammar grammar() const;
    void say(std::string_view octets) { output_.append(octets); }

    const Options options_;
    PeerInfo peer_;
    State state_ = State::NotAuthenticated;
    Enabled enabled_;
    Reading reading_ = Reading::Command;
    std::optional<Open> open_;
    bool starting_tls_ = false;
    bool closing_ = false; // nothing more is read; closed when all is said
    bool aborted_ = false;
    bool ended_ = false; // the client sends no more
    bool shutting_down_ = false;
    bool body_asked_ = false; // a NeedBody is unanswered
    bool room_awaited_ = false;
    bool chunk_untaken_ = false; // a BodyChunk was not yet taken
    std::uint32_t bad_commands_ = 0;
    CommandId last_id_;
    CommandId aborted_id_; // answers to it come too late and are dropped
    /// The command whose rest is being swallowed; absent: it is too long, or it was answered
    /// already.
    struct Refused {
        std::string tag;
        Reply why;
    };
    std::optional<Refused> refused_;
    bool swallowing_silently_ = false; // it was answered already

    Framer framer_;
    detail::OutputQueue output_;
    std::deque<Event> events_; // at most a few: one command is open at a time

    Instant connected_;
    Instant command_began_;
    Instant last_command_;
    Instant last_input_;
    Instant last_output_;
    Instant message_due_;                  // APPEND's
    std::optional<Instant> stalled_since_; // output was waiting when its time was looked at
};

} // namespace mailcore::imap
