// The server's half of SMTP (RFC 5321) and LMTP (RFC 2033), without I/O.
#pragma once

#include "libmailcore/base/engine.h"
#include "libmailcore/base/output_buffer.h"
#include "libmailcore/codec/line_reader.h"
#include "libmailcore/smtp/command.h"
#include "libmailcore/smtp/detail/body_reader.h"
#include "libmailcore/smtp/dialect.h"
#include "libmailcore/smtp/server_events.h"

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::smtp {

/// What a server's connections may do. One for all of them, immutable: a reload makes another.
struct ServerOptions {
    Dialect dialect = Dialect::Smtp;
    std::string hostname = "localhost"; ///< in the greeting and in the answer to EHLO
    std::string banner = "ESMTP ready"; ///< behind the name in the greeting; US-ASCII

    // What is offered. PIPELINING, ENHANCEDSTATUSCODES, 8BITMIME and CHUNKING always are, since the
    // engine does all there is to them.
    bool smtp_utf8 = true;    ///< the owner takes addresses and headers in UTF-8 (RFC 6531)
    bool dsn = true;          ///< the owner keeps and obeys the DSN parameters (RFC 3461)
    bool binary_mime = false; ///< the owner converts binary bodies where they must be (RFC 3030 §3)
    bool starttls = false;    ///< a certificate is there (RFC 3207)
    bool require_tls_extension = false;          ///< REQUIRETLS (RFC 8689); offered under TLS only
    bool mt_priority = false;                    ///< RFC 6710
    std::optional<FutureRelease> future_release; ///< RFC 4865
    std::vector<std::string>
        mechanisms; ///< SASL, upper case; offered under TLS, or as the next says

    /// Where passwords may come without TLS (RFC 4954 §4 asks for Never as a choice).
    enum class AuthWithoutTls : std::uint8_t { Never, LocalPeers, Always };
    AuthWithoutTls auth_without_tls = AuthWithoutTls::Never;
    bool requires_tls = false;  ///< 530 to what RFC 3207 §4 does not except
    bool requires_auth = false; ///< 530 to what RFC 4954 §6 does not except: submission

    // Leniencies: what standards forbid and peers do.
    bool hello_any_word = false;    ///< EHLO with an underscore or other octets: Windows host names
    bool space_before_path = false; ///< "MAIL FROM: <a@b>": old mailers of devices
    bool path_without_brackets = false; ///< "MAIL FROM:a@b": the same
    bool nul_in_body = false;           ///< some old clients send NUL in 8-bit bodies

    /// What comes before the greeting is answered with 554: no client may speak first (RFC 5321
    /// §3.1), senders of spam do. Detected only while `Connected` is unanswered.
    bool refuse_early_talkers = true;

    // Limits. Octets count CRLF.
    std::uint64_t message_octets_max =
        50 * 1024 * 1024; ///< SIZE (RFC 1870); 0: none is stated or kept
    /// 512 (RFC 5321 §4.5.3.1.4) and what the extensions add to MAIL: SIZE 26, AUTH 500, BODY 17,
    /// DSN 131, SMTPUTF8 10, and for addresses in UTF-8.
    std::size_t command_line_octets_max = 2048;
    std::size_t auth_line_octets_max = 12'288 + 2; ///< RFC 4954 §4
    /// RFC 5321 §4.5.3.1.6 says 1000, and §4.5.3.1 to have no limit where none is needed. Mail with
    /// longer lines is common and the engine streams: the bound is for those who read it line by
    /// line.
    std::size_t text_line_octets_max = 65'536;
    std::size_t header_octets_max =
        256 * 1024;                    ///< the header section; a message with more is refused
    std::size_t recipients_max = 1000; ///< a transaction; at least 100 (RFC 5321 §4.5.3.1.8)
    std::size_t refused_recipients_max =
        10'000;                        ///< a connection; then 421: somebody is guessing, or mad
    std::size_t messages_max = 1000;   ///< a connection; then 421
    std::size_t bad_commands_max = 20; ///< a connection; then 421
    std::size_t counted_commands_max =
        100; ///< NOOP, RSET and such without a message; then they are bad
    std::size_t chunk_octets_max = 64 * 1024;  ///< of the body that waits for the owner
    std::size_t output_octets_max = 16 * 1024; ///< above this nothing is read
    /// Of a body that is refused already, read and dropped to be able to say so; then 421.
    std::uint64_t swallowed_octets_max = 64 * 1024 * 1024;
    std::uint32_t body_octets_per_second_min = 64; ///< over `rate_window`; 0: any

    // Timers, in the order of the table in server_engine.cpp.
    std::chrono::seconds command_time{300};  ///< for a whole command (RFC 5321 §4.5.3.2.7)
    std::chrono::seconds block_time{180};    ///< between octets of a body (RFC 5321 §4.5.3.2.5)
    std::chrono::seconds progress_time{300}; ///< the client takes nothing of what is sent
    std::chrono::seconds rate_window{300};   ///< above block_time: a pause is not yet a crawl
    std::chrono::seconds session_time{4 * 3600}; ///< looked at between commands
};

/// Deterministic function of its calls; see base::Engine. Its owner takes events with `next_event`
/// and answers each as server_events.h says; an answer that cites no open command asserts. One
/// command is open at a time: pipelined ones wait unread, so answers keep their order (RFC 2920
/// §3.2).
class ServerEngine final : public base::Engine {
  public:
    /// `options` is kept as long as the engine lives.
    ServerEngine(std::shared_ptr<const ServerOptions> options, const PeerInfo& peer, Instant now);

    /// The next thing to know or do; nothing: all is told.
    [[nodiscard]] std::optional<ServerEvent> next_event();

    /// The usual positive answer to the open command, or: go on with the body.
    void accept(CommandId id);
    /// Ends the open command. 421 ends the session too (RFC 5321 §3.8). A positive code does what
    /// `accept` does, except for Hello and Connected, where it must be negative, and BodyBegin,
    /// likewise.
    void reply(CommandId id, Reply reply);
    /// 334 with the octets in base64. Only for AuthBegin and AuthData.
    void challenge(CommandId id, std::string_view octets);
    /// From `accept` of BodyBegin to BodyEnd: the message is refused. What still comes of it is
    /// swallowed within bounds, then `reply` is sent, with LMTP for each recipient. No more events
    /// of this body come.
    void fail_body(CommandId id, Reply reply);

    std::size_t receive(std::string_view octets, Instant now) override;
    void receive_end(Instant now) override;
    [[nodiscard]] bool wants_input() const override;
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

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const PeerInfo& peer() const { return peer_; }
    [[nodiscard]] bool authenticated() const { return authenticated_; }
    [[nodiscard]] std::size_t recipients() const { return recipients_; }
    /// What is offered now; changes with TLS, AUTH and the kind of hello.
    [[nodiscard]] Capabilities capabilities() const;
    [[nodiscard]] EndReason end_reason() const { return end_reason_; }

  private:
    friend std::span<const CommandRow> command_table();

    // commands/<verb>.cpp
    void helo(std::string_view arguments);
    void ehlo(std::string_view arguments);
    void lhlo(std::string_view arguments);
    void mail(std::string_view arguments);
    void rcpt(std::string_view arguments);
    void data(std::string_view arguments);
    void bdat(std::string_view arguments);
    void rset(std::string_view arguments);
    void vrfy(std::string_view arguments);
    void expn(std::string_view arguments);
    void help(std::string_view arguments);
    void noop(std::string_view arguments);
    void quit(std::string_view arguments);
    void starttls(std::string_view arguments);
    void auth(std::string_view arguments);
    void auth_line(std::string_view line);
    void hello(Hello::Verb verb, std::string_view client);
    void greet();
    /// A path as these options want it; answers itself if it is none.
    std::optional<Path> take_path(std::string_view keyword, std::string_view& arguments);

    /// What is open. All but Nothing and AuthLine, and a body that has room, wait for the owner.
    enum class Doing : std::uint8_t {
        Nothing,
        Connected,
        Hello,
        Mail,
        Rcpt,
        Auth,      // a challenge or a reply is due
        AuthLine,  // the client's line is due
        BodyBegin, // accept or reply
        Body,      // octets come
        Headers,   // the header section waits for its answer
        BodyEnd,   // the reply, or LMTP's replies
        Swallow,   // octets of a refused body come
    };

    // server_engine.cpp
    void run(std::string_view line);
    bool count_command();
    bool guarded(const CommandRow& row);
    void wrong_state(const CommandRow& row);
    std::size_t receive_line(std::string_view octets, Instant now);
    CommandId begin(Doing doing);
    void finish();
    void say(const Reply& reply);
    void bad_command(Reply reply);
    void answer(const Reply& reply);
    void refuse_recipient(Reply reply);
    void close(EndReason reason);
    void close_with(Reply reply, EndReason reason);
    void end_transaction();
    void reset_transaction();
    [[nodiscard]] bool lmtp() const { return options_->dialect == Dialect::Lmtp; }
    [[nodiscard]] bool auth_allowed() const;
    [[nodiscard]] bool offers(std::string_view mechanism) const;
    [[nodiscard]] bool in_body() const {
        return doing_ == Doing::Body || doing_ == Doing::Headers || doing_ == Doing::Swallow;
    }

    // server_body.cpp
    std::size_t receive_body(std::string_view octets);
    std::optional<ServerEvent> next_body_event();
    [[nodiscard]] detail::BodyLimits body_limits() const;
    void begin_chunk(std::uint64_t octets, bool last);
    void begin_body();
    void body_progress();
    void refuse_body(Reply reply);
    void swallow();
    void body_swallowed();
    void reply_to_body(const Reply& reply);
    void pause();

    enum class Timer : std::uint8_t { Command, Block, Rate, Progress, Session };
    struct Due {
        Instant at;
        Timer timer;
    };
    [[nodiscard]] std::optional<Due> due() const;

    /// One message on its way in.
    struct Body {
        CommandId id;
        detail::BodyReader reader;
        bool chunked = false; // BDAT
        bool headers_told = false;
        bool accepted = false; // LMTP: one of the replies was positive
        bool stray = false;    // a BDAT where there is no transaction
        std::optional<Reply> failure;
        std::uint64_t swallowed = 0;
        std::string header;  // until the owner has it
        std::string filling; // what waits for the owner
        std::string handed;  // what the owner looks at
    };

    const std::shared_ptr<const ServerOptions> options_;
    PeerInfo peer_;
    State state_ = State::Start;
    Doing doing_ = Doing::Connected;
    bool extended_ = false; // EHLO or LHLO, not HELO
    bool authenticated_ = false;
    bool starting_tls_ = false;
    bool closing_ = false;
    bool aborted_ = false;
    bool shutting_down_ = false;
    bool early_talker_ = false;
    EndReason end_reason_ = EndReason::None;
    CommandId last_id_;
    Hello::Verb hello_verb_ = Hello::Verb::Ehlo; // of the open Hello

    std::size_t recipients_ = 0;
    std::size_t replies_due_ = 0; // LMTP: to the end of the body
    BodyType body_type_ = BodyType::SevenBit;
    bool smtp_utf8_ = false; // of the transaction

    std::size_t bad_commands_ = 0;
    std::size_t counted_commands_ = 0;
    std::size_t refused_recipients_ = 0;
    std::size_t messages_ = 0;

    codec::LineReader reader_;
    base::OutputBuffer output_;
    std::deque<ServerEvent> events_; // at most a few: one command is open at a time
    std::unique_ptr<Body> body_;     // absent: no message is coming

    Instant connected_;
    Instant command_since_; // the last reply left, or the first octet of the line came
    Instant progress_at_;   // the client last took something
    Instant block_at_;      // octets of the body last came
    Instant window_began_;
    std::uint64_t window_octets_ = 0;
    bool paused_ = false;        // the owner, not the client, kept the body waiting since block_at_
    bool answered_late_ = false; // output began at a time that is not known: progress_at_ is older
    Instant now_;                // the latest known
};

} // namespace mailcore::smtp
