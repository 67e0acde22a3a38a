// The DNS over sockets.
#pragma once

#include "libmailcore/base/random.h"
#include "libmailcore/dns/caching_resolver.h"
#include "libmailcore/net/loop.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace mailcore::net {

struct NameServer {
    IpAddress address;
    std::uint16_t port = 53;
};

/// Whose word "this was validated by DNSSEC" counts.
enum class TrustAd : std::uint8_t {
    Loopback, ///< if all servers are on this machine: nobody stands between them and us
    Always,
    Never,
};

struct ResolverOptions {
    /// Recursive servers, asked in order. Empty: those of `resolv_conf`, read again when it
    /// changes.
    std::vector<NameServer> servers;
    std::string resolv_conf = "/etc/resolv.conf";
    /// How often it is looked whether that file has changed, when there is something to ask.
    std::chrono::milliseconds reload_interval{5'000};
    TrustAd trust_ad = TrustAd::Loopback;
    /// Of the first try at a server; each round over all servers doubles it.
    std::chrono::milliseconds timeout{2'000};
    /// Rounds over all servers before a question is Unavailable.
    int tries = 3;
    dns::CachingResolverOptions caching;
};

/// A stub resolver with a cache: UDP, TCP when an answer is too long, every record type. One a
/// loop. Loop thread only.
class Resolver final : public dns::Resolver {
  public:
    /// `random` gives query ids; it outlives this. Fails with Rejected for servers that cannot be.
    static Result<std::unique_ptr<Resolver>> create(Loop& loop, Random& random,
                                                    ResolverOptions options = {}, Log log = {});
    ~Resolver() override;

    Task<Result<dns::Answer>> lookup(dns::Name name, dns::Type type) override;

    [[nodiscard]] dns::Cache& cache();
    /// Queries under way.
    [[nodiscard]] std::size_t queries() const;
    /// Whether the servers now in use are trusted to have validated.
    [[nodiscard]] bool trusts_ad() const;

  private:
    class Servers;
    Resolver(Loop& loop, std::unique_ptr<Servers> servers, ResolverOptions options);
    std::unique_ptr<Servers> servers_;
    dns::CachingResolver caching_;
};

} // namespace mailcore::net
