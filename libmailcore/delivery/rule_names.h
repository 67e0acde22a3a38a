// The DNS as rules see it.
#pragma once

#include "libmailcore/dns/resolver.h"
#include "libmailcore/filter/rule_ports.h"

namespace mailcore::delivery {

/// Asks a resolver for A, AAAA, MX, TXT, PTR, CNAME, NS and CAA records. The resolver outlives it.
/// One scheduler's thread.
class ResolverNames final : public filter::RuleNames {
  public:
    explicit ResolverNames(dns::Resolver& resolver) : resolver_(resolver) {}
    Task<Result<std::vector<std::string>>> lookup(std::string name, std::string type) override;

  private:
    dns::Resolver& resolver_;
};

} // namespace mailcore::delivery
