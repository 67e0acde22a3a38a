// What TLS servers share: certificates chosen by name, tickets, and the settings of handshakes.
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/crypto/certificate.h"
#include "libmailcore/tls/settings.h"
#include "libmailcore/tls/ticket_keys.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mailcore::tls {

/// How a server speaks TLS.
struct ServerOptions {
    /// Chains, leaf first, with their keys; at least one. Clients are shown those that cover the
    /// name they ask for (SNI, RFC 6066 §3), else the first. Several for one name (RSA and ECDSA,
    /// say) are chosen between by what the client can verify; an expired one is shown only if there
    /// is no other.
    std::vector<crypto::CertificateAndKey> certificates;
    Version version_min = Version::Tls12;
    Version version_max = Version::Tls13;
    Ciphers ciphers = Ciphers::Modern;
    /// Who may vouch for clients, as PEM; empty: no client is asked for a certificate.
    std::string client_authorities_pem;
    /// Absent: no session tickets, every connection makes a full handshake. Services that ask for
    /// certificates give none: a ticket would have to vouch for who showed one.
    std::shared_ptr<TicketKeys> ticket_keys;
};

/// A certificate that works but should not stay as it is.
struct CertificateWarning {
    enum class Kind : std::uint8_t { Expired, NotYetValid, ExpiresSoon, SelfSigned };
    Kind kind;
    std::string name; ///< its first host name, or its subject
    WallTime not_after;
    [[nodiscard]] std::string to_string() const;
};

namespace detail {
class Identities;
struct ServerState;
} // namespace detail

/// Checked server options: every chain parsed, every key known to fit. Immutable; any thread. A
/// reload makes new ones and new contexts from them; connections keep what they started with.
class ServerCredentials {
  public:
    /// Fails `Corrupt` when a chain or key cannot be read, `Conflict` when they do not belong
    /// together, `Rejected` when there is none. The error names which by its number from 1 and its
    /// first host name.
    [[nodiscard]] static Result<std::shared_ptr<const ServerCredentials>>
    create(ServerOptions options, Random& random);
    ~ServerCredentials();

    /// The first certificate of each chain, in the order of the options.
    [[nodiscard]] std::vector<crypto::Certificate> certificates() const;
    /// What an administrator should be told at `now`; certificates that end within `soon` are among
    /// it.
    [[nodiscard]] std::vector<CertificateWarning> warnings(WallTime now,
                                                           std::chrono::seconds soon) const;
    /// Whether a handshake may sign with RSA, which takes 2 ms and more: worth a worker.
    [[nodiscard]] bool has_rsa_key() const;

    [[nodiscard]] const detail::Identities& identities() const { return *identities_; }
    [[nodiscard]] const ServerOptions& options() const { return options_; }

  private:
    explicit ServerCredentials(ServerOptions options);
    ServerOptions options_;
    std::unique_ptr<detail::Identities> identities_;
};

/// One loop's instance of the credentials: settings, keys and ticket keys in the form that the
/// library works with, which costs a few KiB a certificate. Made by the loop that uses it; its
/// sessions keep it alive. Loop thread only, except that a worker may borrow one of its sessions
/// for a `receive`.
class ServerContext {
  public:
    [[nodiscard]] static Result<std::shared_ptr<ServerContext>>
    create(std::shared_ptr<const ServerCredentials> credentials);
    ~ServerContext();

    [[nodiscard]] const ServerCredentials& credentials() const { return *credentials_; }

    /// For Session: the library's settings for a service, with fresh ticket keys.
    [[nodiscard]] const void* settings(const ServiceSettings& service, WallTime now);

  private:
    explicit ServerContext(std::shared_ptr<const ServerCredentials> credentials);
    std::shared_ptr<const ServerCredentials> credentials_;
    std::unique_ptr<detail::ServerState> state_;
};

} // namespace mailcore::tls
