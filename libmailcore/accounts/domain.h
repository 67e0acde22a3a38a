// The domains that mail is accepted for.
#pragma once

#include "libmailcore/store/transaction.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::accounts {

using store::AccountId;
using store::DomainId;
using store::ReadTransaction;
using store::TxnTask;
using store::WriteTransaction;

/// What becomes of the detail in "user+detail" (RFC 5233).
enum class DetailFolder : std::uint8_t {
    Default = 0, ///< of an account: as its domain says; of a domain: `Ignored`
    Ignored,     ///< INBOX
    IfExists,    ///< the mailbox of that name, if there is one
};

/// One domain. A value.
struct Domain {
    DomainId id;              ///< given by `add_domain`
    std::string name;         ///< A-labels, lower case
    std::uint64_t tenant = 0; ///< whose it is; 0: the operator's own
    bool disabled = false;    ///< its mail is refused for the time being, its users cannot log in
    DomainId alias_of; ///< every address here is that of the other domain; 0: a domain of its own
    std::string catch_all; ///< address for what nobody else has; empty: such mail is refused
    /// Characters that divide user from detail; each of them does. Empty: no sub-addresses.
    /// Default: "+".
    std::string detail_separators = "+";
    DetailFolder detail_folder = DetailFolder::Default;
    WallTime created;
    friend bool operator==(const Domain&, const Domain&) = default;
};

/// Conflict: the domain exists. Rejected: no domain name, alias of an alias. `name` may hold
/// U-labels.
TxnTask<Result<DomainId>> add_domain(WriteTransaction& txn, Domain domain);
/// All but id, name and creation time are taken from `domain`. NotFound.
TxnTask<Result<void>> set_domain(WriteTransaction& txn, Domain domain);
/// NotFound. Conflict: it still has addresses, or aliases of it exist.
TxnTask<Result<void>> remove_domain(WriteTransaction& txn, DomainId id);

TxnTask<Result<std::optional<Domain>>> find_domain(ReadTransaction& txn, std::string name);
TxnTask<Result<Domain>> read_domain(ReadTransaction& txn, DomainId id);
/// By name, those behind `after`, at most `domains_max`.
TxnTask<Result<std::vector<Domain>>> list_domains(ReadTransaction& txn, std::string after,
                                                  std::size_t domains_max);

} // namespace mailcore::accounts
