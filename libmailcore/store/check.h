// Whether an account's rows agree with each other: `mdctl store check`.
#pragma once

#include "libmailcore/store/transaction.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mailcore::store {

/// What comparing a store with itself found. It is in order if there are no problems.
struct CheckReport {
    std::uint64_t frames = 0, rows = 0, bodies = 0, references = 0;
    std::uint64_t body_octets = 0;
    std::vector<std::string> problems; ///< the first thousand
};

/// Counts everything of one account anew and names each row that says otherwise: counters of
/// account and mailboxes, blocks, change index, memberships, names, threads. Empty: all agree. At
/// most `problems_max` sentences. Reads the whole account in one transaction: not for a loop's
/// thread.
TxnTask<Result<std::vector<std::string>>> check_account(ReadTransaction& txn, AccountId account,
                                                        std::size_t problems_max = 100);

/// The accounts that have rows in this store.
TxnTask<Result<std::vector<AccountId>>> list_accounts(ReadTransaction& txn);

} // namespace mailcore::store
