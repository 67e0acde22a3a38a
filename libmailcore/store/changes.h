// What a session sees of a mailbox: all of it once, then what changed (RFC 7162).
#pragma once

#include "libmailcore/store/flags.h"
#include "libmailcore/store/mailbox.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace mailcore::store {

/// A mailbox at one moment. Everything in it belongs together.
struct MailboxSnapshot {
    Mailbox mailbox;
    Rights rights;
    UidSet uids; ///< of all messages
    std::optional<Uid> first_unseen;
    std::uint32_t recent = 0;          ///< messages from `mailbox.recent_from` on
    std::vector<std::string> keywords; ///< as in FlagsBatch
};
/// What SELECT and EXAMINE need, in one go. Needs Read.
TxnTask<Result<MailboxSnapshot>> open_mailbox(ReadTransaction& txn, Access access, MailboxRef ref);

/// What changed since a mod-sequence.
struct MailboxChanges {
    Mailbox mailbox; ///< now
    std::vector<MessageFlags>
        changed; ///< new messages, and messages whose flags changed; ascending by UID
    std::vector<std::string> keywords; ///< names of their bits
    /// UIDs that were expunged since. If `exact` is false, the log does not reach back that far:
    /// all UIDs below UIDNEXT of which there is no message (RFC 7162 §3.2.5.2 allows to name more
    /// than needed).
    UidSet vanished;
    bool exact = true;
};
/// Reads what changed after `since` and costs what it answers: blocks of 64 that changed, expunges
/// that were logged. `since` 0: all messages. NotFound: the mailbox is gone.
TxnTask<Result<MailboxChanges>> changes_since(ReadTransaction& txn, Access access, MailboxRef ref,
                                              ModSeq since);

/// Rows that a mailbox, or an account's log of destroyed things, keeps of the past; the oldest
/// quarter goes when there are more.
inline constexpr std::uint32_t vanished_rows_max = 8'192;
inline constexpr std::uint32_t destroyed_rows_max = 16'384;

/// Kinds of things whose disappearance is remembered for the account as a whole (JMAP's */changes).
enum class Collection : std::uint8_t { Mailbox = 1, Email = 2 };
struct Destroyed {
    std::vector<std::uint64_t> ids;
    bool exact = true; ///< false: the log does not reach back to `since`
};
TxnTask<Result<Destroyed>> destroyed_since(ReadTransaction& txn, AccountId account,
                                           Collection collection, ModSeq since);

} // namespace mailcore::store
