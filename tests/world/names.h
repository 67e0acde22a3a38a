// The DNS as one server meets it: the truth of a zone, late, or lies.
#pragma once

#include "libmailcore/base/random.h"
#include "libmailcore/dns/zone.h"

#include <functional>

namespace mailcore::world {

/// One server's recursive resolver. The zone and the source of chance outlive it.
class Names final : public dns::Upstream {
  public:
    Names(dns::Zone& truth, Random& random) : truth_(truth), random_(random) {}

    /// Of 100 questions, how many are not answered as the zone has it. 0: none.
    unsigned lies_of_100 = 0;
    /// Told of a lie that may end mail for a domain for good: no such domain, null MX, no address,
    /// or that of a host which will not have it.
    std::function<void(const dns::Name&)> told_finally;
    /// Told of each lie.
    std::function<void(const dns::Name&, const char* lie)> told;

    Task<Result<dns::Message>> ask(dns::Question question) override;

  private:
    dns::Message lie(const dns::Question& question);

    dns::Zone& truth_;
    Random& random_;
};

} // namespace mailcore::world
