// An account's own row, and the frame in which everything of an account is changed.
#pragma once

#include "libmailcore/store/access.h"
#include "libmailcore/store/mailbox.h"
#include "libmailcore/store/uid_set.h"

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace mailcore::store {

/// Limits of an account; 0 is no limit.
struct QuotaLimits {
    std::uint64_t octets_max = 0;
    std::uint64_t messages_max = 0;
    friend bool operator==(const QuotaLimits&, const QuotaLimits&) = default;
};
/// What an account holds: each email once, however many of its mailboxes it is in.
struct QuotaUsage {
    std::uint64_t octets = 0;
    std::uint64_t messages = 0;
    friend bool operator==(const QuotaUsage&, const QuotaUsage&) = default;
};
struct Quota {
    QuotaLimits limits;
    QuotaUsage usage;
    /// Whether one more email of `octets` fits.
    [[nodiscard]] bool has_room(std::uint64_t octets) const {
        return (limits.octets_max == 0 || (usage.octets <= limits.octets_max &&
                                           octets <= limits.octets_max - usage.octets)) &&
               (limits.messages_max == 0 || usage.messages < limits.messages_max);
    }
};

/// The account's row.
struct AccountState {
    std::uint64_t epoch = 1;   ///< another one after a restore: state strings of the old are void
    std::uint64_t next_id = 1; ///< of mailboxes, emails and threads
    ModSeq modseq;             ///< of the last change
    UidValidity uidvalidity_last; ///< the highest that was ever given
    MailboxId inbox;              ///< always there
    Quota quota;
    std::uint32_t mailboxes = 0;
    std::uint32_t subscriptions = 0; ///< to mailboxes that do not exist
    ModSeq destroyed_floor;          ///< what was destroyed up to here is no longer known
    std::uint32_t destroyed_rows = 0;
};

/// Bounds of what one account may hold, beside its quota.
inline constexpr std::uint32_t mailboxes_max = 10'000;
inline constexpr std::uint32_t subscriptions_max = 2'000; ///< to names that do not exist

/// NotFound: it has no mailboxes here (`create_account` was not called).
TxnTask<Result<AccountState>> account_state(ReadTransaction& txn, AccountId account);

/// Gives a new account its row, INBOX, and Drafts, Sent, Junk, Trash and Archive with their roles,
/// all subscribed. Conflict: it has them already.
TxnTask<Result<void>> create_account(WriteTransaction& txn, AccountId account, QuotaLimits limits);
/// Removes the next about `rows_max` rows of an account, with its bodies. False: nothing is left.
TxnTask<Result<bool>> erase_account(WriteTransaction& txn, AccountId account, std::size_t rows_max);

/// One change of an account: reads its row once, gives all that is changed inside it one
/// mod-sequence (RFC 7162 §3.1), and writes counters and announces once, at the end:
///
///     AccountEdit edit(txn, access, account);
///     MAILCORE_CO_TRY(edit.begin());
///     MAILCORE_CO_TRY(auto filed, file_email(edit, email, filing));
///     MAILCORE_CO_TRY(edit.save());
///
/// The functions that change mailboxes, messages and flags take it; any number of them make one
/// transaction. If one of them fails, the transaction must fail as a whole: rows may be half
/// changed. Lives inside one TxnTask. Not for two edits of one account at a time.
class AccountEdit {
  public:
    AccountEdit(WriteTransaction& txn, Access access, AccountId owner)
        : txn_(txn), access_(access), owner_(owner) {}
    AccountEdit(const AccountEdit&) = delete;
    AccountEdit& operator=(const AccountEdit&) = delete;

    /// NotFound: no such account in this store.
    TxnTask<Result<void>> begin();
    /// Puts what changed and announces it. Answers the mod-sequence of this change; of the last
    /// one, if nothing was changed.
    TxnTask<Result<ModSeq>> save();

    [[nodiscard]] WriteTransaction& txn() const { return txn_; }
    [[nodiscard]] AccountId owner() const { return owner_; }
    [[nodiscard]] const Access& access() const { return access_; }
    [[nodiscard]] const AccountState& state() const { return state_; }

    /// The mod-sequence of this change; the first call takes it.
    ModSeq modseq();
    /// For a new mailbox, email or thread.
    std::uint64_t next_id();
    UidValidity next_uidvalidity();

    /// The mailbox, once the actor is known to hold `needed`. Valid until `save`; whoever changes
    /// something in it calls one of the functions below afterwards, which puts its row. NotFound:
    /// none, or not to be seen. Rejected: not allowed, or only a name above others.
    TxnTask<Result<Mailbox*>> mailbox(MailboxId id, Rights needed);
    /// What the actor may do with a mailbox that was asked for.
    [[nodiscard]] Rights rights(MailboxId id) const;
    /// Its messages or flags changed: advances its HIGHESTMODSEQ.
    void messages_changed(Mailbox& mailbox);
    /// Its name, place, role or subscription changed.
    void properties_changed(Mailbox& mailbox);
    /// Counters that nobody is told of.
    void counters_changed(Mailbox& mailbox);
    Mailbox& add_mailbox(Mailbox mailbox);
    /// It is gone, and logged as destroyed. It must have been asked for before.
    void remove_mailbox(MailboxId id);
    void email_destroyed(EmailId id) { destroyed_emails_.push_back(id); }
    /// Remembers which UIDs were expunged.
    void messages_vanished(MailboxId mailbox, Uid first, std::uint64_t bits);

    /// For what changes the account as a whole.
    AccountState& change_state();

  private:
    struct Cached {
        Mailbox mailbox;
        Rights rights;
        UidSet vanished;
        bool announce = false;
        bool gone = false;
    };
    Cached& cached(MailboxId id);
    void put(Cached& cached);
    TxnTask<Result<void>> log_vanished(Cached& cached);
    TxnTask<Result<void>> log_destroyed();
    TxnTask<Result<void>> trim_destroyed();

    WriteTransaction& txn_;
    Access access_;
    AccountId owner_;
    AccountState state_;
    std::map<MailboxId, std::unique_ptr<Cached>> mailboxes_;
    std::vector<EmailId> destroyed_emails_;
    std::vector<MailboxId> destroyed_mailboxes_;
    bool dirty_ = false;
    bool modseq_taken_ = false;
};

TxnTask<Result<Quota>> quota(ReadTransaction& txn, AccountId account);
/// Lowering a limit below the usage refuses new mail and keeps what is there.
TxnTask<Result<void>> set_quota(AccountEdit& edit, QuotaLimits limits);
/// After a restore: a new epoch, and a new UIDVALIDITY for every mailbox.
TxnTask<Result<void>> renew_epoch(AccountEdit& edit);
TxnTask<Result<void>> set_acl(AccountEdit& edit, MailboxId mailbox, AccountId who, Rights rights);

} // namespace mailcore::store
