// What TLS clients share: authorities, and the settings of handshakes.
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/crypto/certificate.h"
#include "libmailcore/tls/authorities.h"
#include "libmailcore/tls/settings.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::tls {

/// What becomes of the peer's certificate.
enum class PeerCheck : std::uint8_t {
    Unchecked, ///< encrypt, whoever it is (opportunistic TLS, RFC 7435; DANE checks the chain by
               ///< itself)
    Reported,  ///< check chain and name, go on in any case and say how it was
    Required,  ///< chain and name are good or the handshake fails
};

/// How a client speaks TLS.
struct ClientOptions {
    /// Absent: no chain is ever good.
    std::shared_ptr<const Authorities> authorities;
    Version version_min = Version::Tls12;
    Version version_max = Version::Tls13;
    Ciphers ciphers = Ciphers::Modern;
    /// Shown to servers that ask for one.
    std::optional<crypto::CertificateAndKey> certificate;
};

/// What a client keeps of a connection to resume the next one to the same server with less work. A
/// value whose content is secret. It is used only under the same name and for a check no stricter
/// than the one that its first connection passed.
struct ClientTicket {
    std::string server_name;
    bool verified = false;
    Secret session;
    std::vector<std::string> peer_chain; ///< DER, leaf first
};

/// The other end, as a client wants to meet it.
struct ClientTarget {
    /// Host name (A-labels) or IP address in text; sent as SNI if it is a name, and checked against
    /// the certificate (RFC 9525). Empty: no SNI, and a check of the name never succeeds.
    std::string server_name;
    PeerCheck check = PeerCheck::Required;
    Alpn alpn = {};
    std::shared_ptr<const ClientTicket> ticket = {};
};

namespace detail {
struct ClientState;
}

/// One loop's settings for outgoing connections. Its sessions keep it alive. Loop thread only,
/// except that a worker may borrow one of its sessions for a `receive`.
class ClientContext {
  public:
    /// Fails `Corrupt` or `Conflict` when the client's own certificate is not usable, `Rejected`
    /// when the versions contradict each other.
    [[nodiscard]] static Result<std::shared_ptr<ClientContext>> create(ClientOptions options,
                                                                       Random& random);
    ~ClientContext();

    /// For Session: the library's settings for this target.
    [[nodiscard]] const void* settings(const ClientTarget& target);

  private:
    explicit ClientContext(ClientOptions options);
    ClientOptions options_;
    std::unique_ptr<detail::ClientState> state_;
};

} // namespace mailcore::tls
