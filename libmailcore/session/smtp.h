// An SMTP or LMTP session: mail from other servers, from users, and from programs of this machine.
#pragma once

#include "libmailcore/delivery/binary_body.h"
#include "libmailcore/mime/parser.h"
#include "libmailcore/session/authentication.h"
#include "libmailcore/session/services.h"
#include "libmailcore/smtp/server_engine.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::session {

/// What a listener is for.
enum class SmtpService : std::uint8_t {
    Mx,         ///< other servers: mail for our domains, from anybody
    Submission, ///< our users, who log in: mail to anywhere (RFC 6409)
    Lmtp,       ///< programs of this machine: mail for our accounts (RFC 2033)
};
[[nodiscard]] std::string_view to_string(SmtpService service);

/// Immutable while a connection lasts.
struct SmtpOptions {
    SmtpService service = SmtpService::Mx;
    LoginOptions login;
    /// What engine and dialect are told; hostname, mechanisms and login rules are filled in from
    /// here.
    smtp::ServerOptions engine;
    /// From these networks mail to anywhere is taken without login. Names its risk: whoever is
    /// there can send in anybody's name. Empty by default, loopback included.
    std::vector<IpNetwork> relay_networks;
    bool senders_own_address = true; ///< who logs in sends as himself only (RFC 6409 §6.1)
    std::size_t received_max = 100;  ///< trace fields of a message; more is a loop (RFC 5321 §6.3)
    bool reverse_lookup = true;      ///< the peer's name for the trace field; never waited for
};
/// The engine's options for all connections of a listener.
[[nodiscard]] std::shared_ptr<const smtp::ServerOptions> engine_options(const Services& services,
                                                                        const SmtpOptions& options);

/// Owns the engine and answers its events out of directory, filters and intake. Loop thread only.
class SmtpSession final : public base::Dialogue {
  public:
    SmtpSession(Services& services, std::shared_ptr<const SmtpOptions> options,
                std::shared_ptr<const smtp::ServerOptions> engine_options, const PeerInfo& peer,
                base::Waker& waker);

    base::Engine& engine() override { return engine_; }
    void drain() override;
    void closed() override { scope_.cancel(); }
    [[nodiscard]] bool finished() const override { return scope_.empty(); }
    [[nodiscard]] std::size_t memory() const override;

  private:
    /// A RCPT that was accepted, with where it leads.
    struct Accepted {
        std::string address;
        std::vector<queue::Recipient> recipients;
    };
    /// One message on its way in.
    struct Transaction {
        Transaction() {} // see imap::ServerEngine::Open
        smtp::Mail mail;
        std::vector<Accepted> accepted;
        filter::Context context;
        std::unique_ptr<store::BlobWriter> writer;
        std::optional<mime::Parser> parser;
        std::uint64_t header_octets = 0; ///< as written: fields and empty line
        bool auto_submitted = false;
        std::string failure; ///< of the store while the body came; empty: none
    };

    bool handle_now(smtp::ServerEvent& event);
    Task<void> handle(smtp::ServerEvent event);
    Task<void> connected(smtp::Connected event);
    Task<void> hello(smtp::Hello event);
    Task<void> authenticate(smtp::CommandId id, Task<LoginStep> attempt);
    Task<void> mail(smtp::Mail event);
    Task<void> rcpt(smtp::Rcpt event);
    void body_begin(const smtp::BodyBegin& event);
    Task<void> headers(smtp::Headers event);
    Task<void> take(std::string octets);
    Task<void> body_end(smtp::BodyEnd event);
    Task<Result<delivery::DescribedBlob>> unbinary(delivery::DescribedBlob message);
    Task<smtp::Reply> deliver(const smtp::BodyEnd& event);
    Task<void> look_up_peer();
    [[nodiscard]] bool may_relay() const;
    [[nodiscard]] std::string trace_field();

    Services& services_;
    std::shared_ptr<const SmtpOptions> options_;
    PeerInfo peer_;
    base::Waker& waker_;
    smtp::ServerEngine engine_;
    std::unique_ptr<Authentication> authentication_;
    std::optional<LoggedIn> who_;
    std::string helo_;
    bool extended_ = false;
    std::string peer_name_;
    std::optional<Transaction> transaction_;
    bool busy_ = false; // a task answers the last event
    Scope scope_;       // last: its tasks use the others
};

} // namespace mailcore::session
