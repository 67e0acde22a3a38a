// Mail to other hosts over SMTP: finding them (RFC 5321 §5.1), reaching one, and handing messages
// over.
#pragma once

#include "libmailcore/base/connector.h"
#include "libmailcore/base/log.h"
#include "libmailcore/base/random.h"
#include "libmailcore/delivery/transport.h"
#include "libmailcore/dns/resolver.h"
#include "libmailcore/smtp/client_engine.h"
#include "libmailcore/store/store.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace mailcore::delivery {

/// Which TLS a hop must have.
enum class HopTls : std::uint8_t {
    Never,
    Opportunistic, ///< if offered, unchecked; without it if the handshake fails (RFC 7435)
    Encrypted,     ///< always, unchecked
    Verified,      ///< always, certificate and name checked
};

/// Where mail for a domain goes instead of where the DNS says: a smart host, a gateway, a test.
struct HostRoute {
    std::string domain; ///< lower case A-labels; "*": all that have no route of their own
    std::string host;   ///< a name (its addresses are used, not its MX) or an address
    std::uint16_t port = 25;
    bool implicit_tls = false; ///< TLS from the first octet on (submissions, port 465)
    HopTls tls = HopTls::Opportunistic;
    std::string user; ///< AUTH; empty: none. Never without TLS, but on this machine
    Secret password;
};

struct RemoteOptions {
    std::string hostname;    ///< for EHLO, and to know ourselves in an MX list and in a greeting
    std::uint16_t port = 25; ///< of hosts that the DNS names
    HopTls tls = HopTls::Opportunistic; ///< to hosts that the DNS names
    dns::Families families = dns::Families::Both;
    std::vector<HostRoute> routes;
    std::size_t hosts_max = 5; ///< addresses tried for one message (RFC 5321 §5.1: at least two)
    std::chrono::milliseconds connect_timeout{30'000};
    smtp::ClientOptions client; ///< limits and timers; hostname and TLS are filled in from here
};

/// The courier's port to the world. Loop thread only.
class SmtpTransport final : public RemoteTransport {
  public:
    SmtpTransport(Scheduler& scheduler, Connector& connector, dns::Resolver& resolver,
                  store::Store& store, RemoteOptions options, Random& random, Log log)
        : scheduler_(scheduler), connector_(connector), resolver_(resolver), store_(store),
          options_(std::move(options)), random_(random), log_(log) {}

    Task<std::expected<std::unique_ptr<RemoteConnection>, Outcome>>
    open(std::string destination) override;

    /// Takes effect with the next `open`. Loop thread only.
    void set_options(RemoteOptions options) { options_ = std::move(options); }

  private:
    /// One host to be tried, with what holds for it.
    struct Host {
        std::string name; ///< for TLS and logs
        std::uint16_t port = 25;
        bool implicit_tls = false;
        HopTls tls = HopTls::Opportunistic;
        std::string user;
        Secret password;
        bool by_route = false; ///< said by who runs this, who may have two servers of one name
    };
    Task<std::expected<std::vector<Host>, Outcome>> find_hosts(std::string destination);
    [[nodiscard]] const HostRoute* route_for(const std::string& domain) const;
    Task<std::expected<std::unique_ptr<RemoteConnection>, Outcome>>
    open_address(Host host, IpAddress address, HopTls tls);

    Scheduler& scheduler_;
    Connector& connector_;
    dns::Resolver& resolver_;
    store::Store& store_;
    RemoteOptions options_;
    Random& random_;
    Log log_;
};

} // namespace mailcore::delivery
