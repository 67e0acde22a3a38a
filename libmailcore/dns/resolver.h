// The port through which everything asks the DNS, and the questions that mail asks.
#pragma once

#include "libmailcore/base/random.h"
#include "libmailcore/base/task.h"
#include "libmailcore/dns/wire.h"

#include <chrono>
#include <vector>

namespace mailcore::dns {

/// Aliases that are followed for one question; more are a fault of the zone (Unavailable).
inline constexpr std::size_t cname_hops_max = 10;

/// What the DNS says to a question. Not being able to say is an Error, not an Answer.
struct Answer {
    enum class Status : std::uint8_t {
        Found,    ///< `records` has at least one
        NoData,   ///< the name exists, but not with this type
        NxDomain, ///< the name does not exist
    };
    Status status = Status::NoData;
    std::vector<Record> records; ///< of the type asked for only, as they came
    Name canonical_name; ///< where the chain of CNAMEs ended; the name asked for if there was none
    std::chrono::seconds ttl{0}; ///< how long all of this may be remembered
    bool authenticated =
        false; ///< DNSSEC-validated by a resolver that is trusted to say so, all of it

    [[nodiscard]] bool found() const { return status == Status::Found; }
    friend bool operator==(const Answer&, const Answer&) = default;
};

/// Asks the DNS. One Scheduler's thread only.
class Resolver {
  public:
    virtual ~Resolver() = default;
    /// Follows CNAMEs, unless they are what is asked for. Fails with Unavailable: SERVFAIL,
    /// REFUSED, timeouts, malformed answers, alias loops; all are worth a later try.
    virtual Task<Result<Answer>> lookup(Name name, Type type) = 0;
};

/// The texts of TXT records, in order.
[[nodiscard]] std::vector<std::string> texts(const Answer& answer);

/// One host that takes mail for a domain.
struct MailExchanger {
    Name host;
    std::uint16_t preference = 0;
    friend bool operator==(const MailExchanger&, const MailExchanger&) = default;
};

/// Where mail for a domain goes (RFC 5321 §5.1).
struct MailExchangers {
    enum class Status : std::uint8_t {
        Listed,   ///< MX records: `hosts` by preference, equals in random order
        Implicit, ///< none: the domain itself is the host; whether it has an address is not yet
                  ///< known
        NullMx,   ///< the domain takes no mail (RFC 7505): 556 5.1.10
        NxDomain, ///< the domain does not exist: 5.1.2
        Unusable, ///< MX records, but none that names a host (RFC 5321 §5.1): an error
    };
    Status status = Status::Implicit;
    std::vector<MailExchanger> hosts; ///< at most 32, the most preferred
    Name canonical_name; ///< the domain after CNAMEs: DANE's next-hop base (RFC 7672 §2.2)
    std::chrono::seconds ttl{0};
    bool authenticated = false;
    friend bool operator==(const MailExchangers&, const MailExchangers&) = default;
};

inline constexpr std::size_t mail_exchangers_max = 32;

Task<Result<MailExchangers>> lookup_mail_exchangers(Resolver& resolver, Random& random,
                                                    Name domain);

enum class Families : std::uint8_t { V4, V6, Both };

struct HostAddresses {
    Answer::Status status = Answer::Status::NoData;
    std::vector<IpAddress> addresses; ///< families alternating, IPv6 first; at most 32
    Name canonical_name;
    bool authenticated = false; ///< of all that was asked
    friend bool operator==(const HostAddresses&, const HostAddresses&) = default;
};

inline constexpr std::size_t host_addresses_max = 32;

/// A and AAAA at the same time. If one family is found, trouble with the other is not reported; if
/// none is and one could not be asked, fails with Unavailable.
Task<Result<HostAddresses>> lookup_addresses(Resolver& resolver, Name host,
                                             Families families = Families::Both);

/// The names that an address claims (PTR), at most 10; empty: none.
Task<Result<std::vector<Name>>> lookup_names(Resolver& resolver, IpAddress address);
/// Of those, the ones that have the address (RFC 7208 §5.5, RFC 8601 "iprev"). A name that cannot
/// be checked now is left out.
Task<Result<std::vector<Name>>> lookup_confirmed_names(Resolver& resolver, IpAddress address);

} // namespace mailcore::dns
