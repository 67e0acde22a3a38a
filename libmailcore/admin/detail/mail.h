// What the operations on an account's emails share.
#pragma once

#include "libmailcore/admin/detail/operations.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/crypto/hash.h"
#include "libmailcore/store/email.h"
#include "libmailcore/store/filing.h"
#include "libmailcore/store/flags.h"
#include "libmailcore/store/mailbox.h"

#include <memory>
#include <optional>
#include <set>
#include <vector>

namespace mailcore::admin::detail {

/// A mailbox that a request names, and to whom it belongs.
struct Target {
    accounts::Account account;
    store::Mailbox mailbox;
    [[nodiscard]] store::Access access() const { return store::Access::owner(account.id); }
    [[nodiscard]] store::MailboxRef ref() const { return {account.id, mailbox.id}; }
};
/// NotFound: the account, the mailbox, or it is only a name above others.
Task<Result<Target>> target_of(Context& context, std::string address, std::string mailbox);

/// The UIDs of a request.
[[nodiscard]] store::UidSet uid_set(const std::vector<std::uint64_t>& numbers);

/// The digest of all octets of an email, which outlives the call; read in bounded pieces.
Task<Result<crypto::Blake2b256::Digest>> digest_of(store::Store& store, const store::Email& email);

/// A stretch of a mailbox: at most about `messages_max` messages from `from` on, with their flags.
struct Listed {
    store::MessageBatch messages;
    store::FlagsBatch flags;
};
store::TxnTask<Result<Listed>> list_messages(store::ReadTransaction& txn, store::Access access,
                                             store::MailboxRef ref, store::Uid from,
                                             std::size_t messages_max);

/// One email that is to be added.
struct Incoming {
    store::NewBlobRef blob;
    store::NewEmail email;         ///< without its pieces
    store::Filing filing;          ///< without its mailbox
    std::optional<store::Uid> uid; ///< where it is
    bool known = false;            ///< it had come before
};

/// What one transaction adds; it outlives the request if that is given up meanwhile.
struct Batch {
    std::vector<Incoming> emails;
    bool over_quota = false;
    std::uint64_t uidvalidity = 0; ///< 0: whatever it is
    store::Uid looked_until;       ///< 0: nothing is looked for
    bool new_keywords = true;
};

/// Adds the emails of a batch in one transaction, but for those that are among the messages of the
/// mailbox from `batch.looked_until` on (if that is not 0): each of these stands for one, and is
/// put into `taken`. Fills in their UIDs and the mailbox's next. Conflict: it is another mailbox by
/// now. LimitExceeded: quota.
Task<Result<void>> add_batch(Context& context, const Target& target, std::shared_ptr<Batch> batch,
                             std::set<std::uint32_t>& taken, store::Uid& uidnext);

/// Flags by IMAP's names, and back. Nothing: one is no flag that can be stored.
[[nodiscard]] std::vector<std::string> flag_names(const store::MessageFlags& flags,
                                                  const std::vector<std::string>& keywords);
[[nodiscard]] std::optional<store::NamedFlags> parse_flags(const std::vector<std::string>& names);

} // namespace mailcore::admin::detail
