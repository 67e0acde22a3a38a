// Mail into mailboxes and out of them: delivery, APPEND, COPY, MOVE, EXPUNGE.
#pragma once

#include "libmailcore/mime/structure.h"
#include "libmailcore/store/email.h"
#include "libmailcore/store/flags.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mailcore::store {

class AccountEdit;

/// An email that is to be filed: its octets are named already (`WriteTransaction::add_blob`, or the
/// blob of a queue entry), what is known of them computed. Of one message to many recipients all
/// but the first inline piece is the same.
struct NewEmail {
    std::vector<Piece> pieces;
    std::string structure; ///< see `Email`
    std::uint64_t structure_offset = 0;
    /// Identifiers of Message-ID, In-Reply-To and References, without brackets, in the order of
    /// importance: its own first, then from the nearest ancestor to the farthest. Used up to
    /// `thread_keys_max`.
    std::vector<std::string> message_ids;
    std::string base_subject; ///< RFC 5256 §2.1

    /// Takes all but the pieces from a parsed message whose octets begin `offset` octets into the
    /// email.
    void describe(const mime::Structure& parsed, std::uint64_t offset);
};

enum class QuotaCheck : std::uint8_t { Enforced, Ignored };

struct Filing {
    MailboxId mailbox;
    NamedFlags flags;
    Received received;
    QuotaCheck quota = QuotaCheck::Enforced;
};
struct Filed {
    MailboxId mailbox;
    UidValidity uidvalidity;
    Uid uid;
    EmailId email;
    ThreadId thread;
    ModSeq modseq;
    friend bool operator==(const Filed&, const Filed&) = default;
};

/// Files one email: new row, thread, membership, counts. Needs Insert; flags the actor may not set
/// are left out (RFC 4314 §4). LimitExceeded: quota, keywords, or the mailbox has no UID left.
/// Rejected: pieces or structure beyond their bounds, a bad keyword.
TxnTask<Result<Filed>> file_email(AccountEdit& edit, NewEmail email, Filing filing);

struct Copied {
    UidValidity uidvalidity;               ///< of the destination
    std::vector<std::pair<Uid, Uid>> uids; ///< from -> to, ascending (COPYUID, RFC 4315 §3)
    ModSeq modseq;
};
/// Adds messages to a second mailbox of the same account, with their flags and dates; the emails
/// stay the same (RFC 8474 §5.1). UIDs that do not exist are left out. Needs Read there, Insert
/// here.
TxnTask<Result<Copied>> copy_messages(AccountEdit& edit, MailboxId from, UidSet uids, MailboxId to);
/// The same, and out of `from` (RFC 6851). Into the same mailbox it gives new UIDs.
TxnTask<Result<Copied>> move_messages(AccountEdit& edit, MailboxId from, UidSet uids, MailboxId to);
/// Files an email of another account of the same store here, with the flags and date of `filing`:
/// its octets are not written again. A MOVE between accounts is this, then `expunge` in an edit of
/// the other.
TxnTask<Result<Filed>> file_copy(AccountEdit& edit, Email source, Filing filing);

enum class Expunge : std::uint8_t {
    Deleted, ///< those of the set that have \Deleted
    All,     ///< the whole set (POP3, JMAP, MOVE)
};
struct Expunged {
    UidSet uids;   ///< what is gone
    UidSet left;   ///< of the set, not looked at yet: call again, in another transaction
    ModSeq modseq; ///< of this change
};
/// Removes messages, and emails that are nowhere else with their octets. At most about
/// `messages_max` in one change. Needs Expunge.
TxnTask<Result<Expunged>> expunge(AccountEdit& edit, MailboxId mailbox, UidSet uids, Expunge which,
                                  std::uint32_t messages_max = 2'000);

} // namespace mailcore::store
