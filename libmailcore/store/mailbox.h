// Mailboxes: a tree of names with counters (RFC 9051 §6.3, RFC 6154, RFC 8474).
#pragma once

#include "libmailcore/store/access.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::store {

class AccountEdit;

/// What a mailbox is for: SPECIAL-USE (RFC 6154 §2, RFC 8457) and JMAP's role. At most one mailbox
/// of an account has each.
enum class Role : std::uint8_t {
    None,
    Inbox,
    Archive,
    Drafts,
    Important,
    Junk,
    Sent,
    Trash,
};
/// "archive", as in JMAP's registry; empty for None.
[[nodiscard]] std::string_view to_string(Role role);

/// One mailbox, without its messages. A value.
struct Mailbox {
    MailboxId id;
    MailboxId parent; ///< 0: at the top
    std::string name; ///< one level, UTF-8 in NFC
    Role role = Role::None;
    bool subscribed = false;
    bool selectable = true; ///< false: only a name above others (\Noselect)
    UidValidity uidvalidity;
    Uid uidnext{1};
    ModSeq highest_modseq; ///< of its messages (HIGHESTMODSEQ)
    ModSeq created;
    ModSeq modified; ///< of name, place, role, subscription
    std::uint32_t exists = 0;
    std::uint32_t unseen = 0;
    std::uint32_t deleted = 0; ///< with \Deleted
    std::uint64_t octets = 0;  ///< sum of RFC822.SIZE
    /// Messages from here on are \Recent for the next session that opens it for writing
    /// (`claim_recent`).
    Uid recent_from{1};
    ModSeq vanished_floor; ///< what was expunged up to here is no longer known one by one
    std::uint32_t vanished_rows = 0;
    friend bool operator==(const Mailbox&, const Mailbox&) = default;
};

inline constexpr char hierarchy_separator = '/';
inline constexpr std::size_t mailbox_name_octets_max = 255; ///< one level
inline constexpr std::size_t mailbox_depth_max = 32;

/// The levels of a path: NFC, with INBOX in capitals when the first level is that name in any case.
/// One separator at the end is dropped (RFC 9051 §6.3.4). Rejected: not UTF-8, an empty level, a
/// control character or U+2028/2029 (RFC 5198 §2), too long or too deep.
[[nodiscard]] Result<std::vector<std::string>> split_path(std::string_view path);
[[nodiscard]] std::string join_path(const std::vector<std::string>& levels);

struct ListedMailbox {
    std::string path;
    Mailbox mailbox;
    Rights rights;
    bool has_children = false; ///< that the actor may see
    friend bool operator==(const ListedMailbox&, const ListedMailbox&) = default;
};
struct MailboxList {
    /// Those the actor may look up: INBOX first, then by path; a parent stands before its children.
    /// For a child that may be seen below a parent that may not, the parent is listed as not
    /// selectable.
    std::vector<ListedMailbox> mailboxes;
    /// Subscribed names of which there is no mailbox (RFC 9051 §6.3.7), sorted. Only for the owner.
    std::vector<std::string> subscribed_only;
    ModSeq modseq; ///< the account's, when this was read
};
/// All mailboxes of `owner` with their counts, in one go; bounded by `mailboxes_max`.
TxnTask<Result<MailboxList>> list_mailboxes(ReadTransaction& txn, Access access, AccountId owner);

/// The mailbox of that path. NotFound: none, or none the actor may look up.
TxnTask<Result<Mailbox>> find_mailbox(ReadTransaction& txn, Access access, AccountId owner,
                                      std::string path);
/// The same by its id; `needed` rights beyond Lookup are checked: Rejected without them.
TxnTask<Result<Mailbox>> mailbox_status(ReadTransaction& txn, Access access, MailboxRef ref,
                                        Rights needed = Right::Lookup);
/// The one that has `role`; nothing if none has.
TxnTask<Result<std::optional<Mailbox>>> mailbox_with_role(ReadTransaction& txn, AccountId owner,
                                                          Role role);
/// The path of a mailbox.
TxnTask<Result<std::string>> mailbox_path(ReadTransaction& txn, MailboxRef ref);

struct CreateMailbox {
    std::string path;
    Role role = Role::None;
    bool subscribe = false;
};
struct CreatedMailbox {
    MailboxId id;
    std::string path; ///< as normalised
};
/// Creates a mailbox and the levels above it that are missing. A name that was only kept for its
/// children becomes a mailbox again. A name that was subscribed before stays so. Conflict: it
/// exists, or another has the role. Rejected: a bad name, or rights. LimitExceeded.
TxnTask<Result<CreatedMailbox>> create_mailbox(AccountEdit& edit, CreateMailbox create);

struct RenamedMailbox {
    MailboxId id;     ///< of INBOX: the new mailbox that took its messages
    std::string path; ///< the new one, as normalised
};
/// Renames with all below it, and creates the levels above the new name that are missing. INBOX
/// moves its messages to a new mailbox of that name and stays, empty, with its children (RFC 9051
/// §6.3.6). The subscription goes with the mailbox. Conflict: the new name exists. Rejected: below
/// itself, bad name.
TxnTask<Result<RenamedMailbox>> rename_mailbox(AccountEdit& edit, std::string from, std::string to);

struct DeletedMailbox {
    MailboxId id;
    bool messages_left = false; ///< `reclaim` has to be called in further transactions
};
/// Deletes a mailbox. Its messages are gone at once for everybody; of many, the rows of the rest
/// are removed by `reclaim`. With mailboxes below it the name stays, not selectable (RFC 9051
/// §6.3.5). NotFound. Rejected: INBOX, rights, or a name without mailbox that still has some below
/// it.
TxnTask<Result<DeletedMailbox>> delete_mailbox(AccountEdit& edit, std::string path);
/// Goes on removing what deleted mailboxes held, about `messages_max` messages. True: there is
/// more.
TxnTask<Result<bool>> reclaim(AccountEdit& edit, std::uint32_t messages_max = 1'000);

enum class Subscribed : std::uint8_t { No, Yes };
/// Remembers the name whether or not there is such a mailbox.
TxnTask<Result<void>> set_subscribed(AccountEdit& edit, std::string path, Subscribed subscribed);
/// Conflict: another mailbox has it. `Role::None` takes it away.
TxnTask<Result<void>> set_role(AccountEdit& edit, MailboxId mailbox, Role role);

/// From now on nothing in the mailbox is \Recent for those who open it later. Called by a session
/// that has opened it for writing, after it has answered: of two that open it at the same moment
/// both may show a message as recent (RFC 3501 §2.3.2 allows that). Advances no mod-sequence, is
/// not announced.
TxnTask<Result<void>> claim_recent(AccountEdit& edit, MailboxId mailbox);

} // namespace mailcore::store
