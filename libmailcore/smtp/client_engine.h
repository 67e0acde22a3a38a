// The client's half of SMTP (RFC 5321) and LMTP (RFC 2033), without I/O.
#pragma once

#include "libmailcore/base/engine.h"
#include "libmailcore/base/output_buffer.h"
#include "libmailcore/smtp/client_events.h"
#include "libmailcore/smtp/detail/body_writer.h"
#include "libmailcore/smtp/dialect.h"

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::smtp {

/// What a client's connections do; immutable.
struct ClientOptions {
    Dialect dialect = Dialect::Smtp;
    std::string hostname = "localhost"; ///< for EHLO: a domain in ASCII or an address literal

    enum class StartTls : std::uint8_t {
        Never,
        WhenOffered, ///< RFC 7435; a refusal is passed over, a failed handshake ends the connection
        Required,
    };
    StartTls starttls = StartTls::WhenOffered;

    bool pipelining = true; ///< used where offered (RFC 2920)
    bool chunking = true;   ///< BDAT instead of DATA where offered (RFC 3030)
    BareLineEnds bare_line_ends = BareLineEnds::Normalise;

    std::size_t body_octets_max = 64 * 1024;   ///< asked for at once; the size of a chunk
    std::size_t output_octets_max = 64 * 1024; ///< above this nothing more is asked for or written
    std::size_t chunks_under_way_max = 4;      ///< unanswered BDATs, with pipelining
    ReplyParser::Limits replies;

    // Timers: how long an answer may take (RFC 5321 §4.5.3.2), in the order of the table in
    // client_engine.cpp.
    std::chrono::seconds greeting_time{300};
    std::chrono::seconds command_time{300}; ///< EHLO, STARTTLS, AUTH, MAIL, RCPT, RSET
    std::chrono::seconds data_time{120};    ///< DATA's 354
    std::chrono::seconds block_time{
        180}; ///< the server takes nothing of what is sent; BDAT's answer
    std::chrono::seconds final_time{600}; ///< the answer to the message
    std::chrono::seconds quit_time{30};   ///< nothing depends on it
};

/// Deterministic function of its calls; see base::Engine. Its owner takes events with `next_event`.
/// The greeting, EHLO (HELO where that is refused) and STARTTLS happen by themselves; `Ready` or
/// `Ended` tells how it went. Then one thing at a time: `authenticate`, `send` (any number, one
/// after the other), `quit`.
class ClientEngine final : public base::Engine {
  public:
    /// `options` is kept as long as the engine lives. With `peer.tls` TLS stands from the first
    /// octet on.
    ClientEngine(std::shared_ptr<const ClientOptions> options, const PeerInfo& peer, Instant now);

    [[nodiscard]] std::optional<ClientEvent> next_event();

    /// Ready, and nothing is under way. The connection may end at any time: what is then begun
    /// fails at once, with an event in front of `Ended`.
    [[nodiscard]] bool idle() const { return stage_ == Stage::Idle && next() == Next::Run; }

    /// AUTH. Only when idle; `mechanism` upper case. An initial response that makes the line too
    /// long is sent as the answer to an empty challenge (RFC 4954 §4). Ends with AuthDone, or with
    /// the connection.
    TransactionId authenticate(std::string_view mechanism, std::optional<Secret> initial);
    void respond(TransactionId id, const Secret& octets);
    void cancel(TransactionId id);

    /// Sends a message; only when idle. Ends with TransactionDone, at once and without a word to
    /// the server if it does not offer what the envelope needs. DSN parameters are left out where
    /// DSN is not offered (RFC 3461 §5.2.2 tells what the owner does then: see `capabilities`).
    TransactionId send(Envelope envelope);
    /// At most `NeedBody::room` octets of the message, CRLF for line ends; `last`: it ends here.
    /// For a transaction that is over meanwhile it is ignored.
    void body(TransactionId id, std::string_view octets, bool last);
    /// The octets cannot be had after all. After DATA the connection has to be aborted.
    void body_failed(TransactionId id);

    /// Only when idle, or when the connection has ended: then nothing happens. Ended follows.
    void quit();

    std::size_t receive(std::string_view octets, Instant now) override;
    void receive_end(Instant now) override;
    [[nodiscard]] bool wants_input() const override { return next() == Next::Run; }
    [[nodiscard]] std::span<const std::string_view> output() const override {
        return output_.pieces();
    }
    void output_sent(std::size_t octets, Instant now) override;
    [[nodiscard]] Next next() const override;
    void transport_changed(const PeerInfo& peer, Instant now) override;
    [[nodiscard]] std::optional<Instant> deadline() const override;
    void expire(Instant now) override;
    void shut_down(base::ShutdownReason reason, Instant now) override;
    [[nodiscard]] std::size_t memory() const override;

    [[nodiscard]] Stage stage() const { return stage_; }
    [[nodiscard]] const PeerInfo& peer() const { return peer_; }
    /// What the server offered last; empty before Ready and after HELO.
    [[nodiscard]] const Capabilities& capabilities() const { return capabilities_; }
    /// What it calls itself: the first word of its answer to EHLO.
    [[nodiscard]] const std::string& server_name() const { return server_name_; }

  private:
    /// What an answer is awaited to, in the order of sending.
    enum class Awaited : std::uint8_t {
        Greeting,
        Hello,
        Helo,
        StartTls,
        Auth,
        Mail,
        Rcpt,
        Data,
        Chunk,
        Final,
        Rset,
        Quit,
    };

    // client_engine.cpp
    void command(std::string_view line, Awaited awaited);
    void hello();
    void handle(Reply reply);
    void handle_greeting(const Reply& reply);
    void handle_hello(Awaited to, const Reply& reply);
    void handle_auth(Reply reply);
    void begin_session();
    void ready();
    void end(Problem problem, std::optional<Reply> reply);
    void settle();
    [[nodiscard]] bool over() const { return closing_ || aborted_ || stage_ == Stage::Quit; }
    [[nodiscard]] bool lmtp() const { return options_->dialect == Dialect::Lmtp; }
    [[nodiscard]] std::chrono::seconds time_for(Awaited awaited) const;

    // client_transaction.cpp
    [[nodiscard]] Problem unable(const Envelope& envelope) const;
    void pump();
    void write_mail();
    [[nodiscard]] bool uses_chunks() const;
    [[nodiscard]] bool any_hope() const;
    void after_recipients();
    void begin_body();
    void ask_for_body();
    void write_chunk(std::string_view octets, bool last);
    void handle_mail(Reply reply);
    void handle_recipient(Reply reply);
    void handle_data(Reply reply);
    void handle_chunk(Reply reply);
    void handle_final(const Reply& reply);
    void give_up(Problem problem);
    void fail_accepted(Stage stage, std::optional<Reply> reply, Problem problem);
    void finish_transaction();
    void lose_transaction(Stage stage, Problem problem, const std::optional<Reply>& reply);

    enum class Timer : std::uint8_t { Answer, Progress };
    struct Due {
        Instant at;
        Timer timer;
    };
    [[nodiscard]] std::optional<Due> due() const;

    struct Transaction {
        TransactionId id;
        Envelope envelope;
        std::vector<RecipientResult> results;
        std::vector<std::size_t> accepted; // recipients whose RCPT was answered with 2yz
        std::size_t written = 0;           // RCPTs
        std::size_t answered = 0;
        std::size_t finals = 0; // answers to the message that have come
        std::size_t chunks = 0; // BDATs without an answer, the last one not counted
        bool mail_written = false;
        bool mail_refused = false;
        bool data_written = false;
        bool in_body = false;
        bool body_asked = false; // a NeedBody is unanswered
        bool over = false;       // only answers to what was pipelined are still awaited
        detail::BodyWriter writer;
    };

    const std::shared_ptr<const ClientOptions> options_;
    PeerInfo peer_;
    Stage stage_ = Stage::Greeting;
    Capabilities capabilities_;
    std::string server_name_;
    bool starting_tls_ = false;
    bool closing_ = false;
    bool aborted_ = false;
    bool shutting_down_ = false;
    bool ready_told_ = false;
    bool needs_reset_ = false; // the server still holds a transaction that we have given up
    TransactionId last_id_;
    std::optional<Secret> initial_; // waits for the empty challenge

    ReplyParser parser_;
    base::OutputBuffer output_;
    std::deque<Awaited>
        awaited_; // as many as commands are under way: bounded by what write_* allow
    std::deque<ClientEvent> events_;
    std::unique_ptr<Transaction> transaction_; // absent: none is under way

    Instant answer_since_;    // the command left, or the answer before it came
    Instant progress_at_;     // the server last took something
    bool asked_late_ = false; // output began at a time that is not known: progress_at_ is older
};

} // namespace mailcore::smtp
