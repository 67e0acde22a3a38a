// SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 §6.3.2, §6.4.1; RFC 7162 §3.2.5).
#include "libmailcore/session/imap.h"
#include "libmailcore/session/imap_replies.h"
#include "libmailcore/store/account.h"

namespace mailcore::session {

namespace {

using imap::Code;
using store::ReadTransaction;
using store::Right;
using store::TxnTask;
using store::WriteTransaction;

struct Opened {
    store::MailboxSnapshot snapshot;
    std::string path;
    std::optional<store::MailboxChanges> changes; ///< since the client's last visit
};

/// `since` is asked about if the mailbox still is the one that it belongs to.
TxnTask<Result<Opened>> open(ReadTransaction& txn, store::Access access, std::string path,
                             store::UidValidity uidvalidity, store::ModSeq since) {
    Opened opened;
    MAILCORE_CO_TRY(const auto mailbox,
                    store::find_mailbox(txn, access, access.actor, std::move(path)));
    if (!mailbox.selectable)
        co_return fail(ErrorKind::NotFound, "only a name above other mailboxes");
    const store::MailboxRef ref{access.actor, mailbox.id};
    MAILCORE_CO_TRY(opened.snapshot, store::open_mailbox(txn, access, ref));
    MAILCORE_CO_TRY(opened.path, store::mailbox_path(txn, ref));
    if (uidvalidity == opened.snapshot.mailbox.uidvalidity) {
        MAILCORE_CO_TRY(opened.changes, store::changes_since(txn, access, ref, since));
    }
    co_return opened;
}

TxnTask<Result<store::ModSeq>> claim(WriteTransaction& txn, store::Access access,
                                     store::MailboxRef ref) {
    store::AccountEdit edit(txn, access, ref.owner);
    MAILCORE_CO_TRY(edit.begin());
    MAILCORE_CO_TRY(store::claim_recent(edit, ref.mailbox));
    co_return co_await edit.save();
}

imap::FlagSet flags_in_use(const std::vector<std::string>& keywords) {
    using enum imap::SystemFlag;
    imap::FlagSet flags{{Answered, Flagged, Deleted, Seen, Draft}};
    for (const auto& keyword : keywords)
        if (!keyword.empty()) flags.add_keyword(keyword);
    return flags;
}

} // namespace

Task<void> ImapSession::run(Id id, imap::command::Select command) {
    leave_mailbox();
    const auto path = command.mailbox.utf8;
    const auto uidvalidity = store::UidValidity{command.known ? command.known->uid_validity : 0};
    const auto since = store::ModSeq{command.known ? command.known->modseq : 0};
    MAILCORE_CO_AWAIT(auto opened, services_.store.read([access = access(), path, uidvalidity,
                                                         since](ReadTransaction& txn) {
        return open(txn, access, path, uidvalidity, since);
    }));
    if (!opened) {
        engine_.reply(id, reply_to(opened.error(), Doing::Mailboxes));
        co_return;
    }
    const auto& snapshot = opened->snapshot;
    rights_ = snapshot.rights;
    const bool may_change = rights_.has(Right::KeepSeen) || rights_.has(Right::Write) ||
                            rights_.has(Right::DeleteMessages) || rights_.has(Right::Insert) ||
                            rights_.has(Right::Expunge);
    read_only_ = command.access == imap::command::Select::Access::ReadOnly || !may_change;
    const auto mailbox = ref(snapshot.mailbox.id);
    view_.emplace(mailbox, snapshot,
                  engine_.enabled().rev2 ? MailboxView::Recents::Hidden
                                         : MailboxView::Recents::Shown);
    tell_selected(id, snapshot);
    if (engine_.enabled().rev2) {
        // RFC 9051 §6.3.2: the name as it is, if the client wrote another.
        imap::response::List list;
        list.mailbox = opened->path;
        list.old_name = command.mailbox.supplied;
        engine_.respond(id, list);
    }
    if (opened->changes) tell_changes(id, std::move(*opened->changes), *command.known);
    engine_.reply(id, imap::ok(read_only_ ? "EXAMINE completed" : "SELECT completed",
                               read_only_ ? Code::ReadOnly : Code::ReadWrite));
    waker_.wake();
    if (!read_only_ && snapshot.recent > 0) co_await claim_recent(mailbox);
}

void ImapSession::tell_selected(Id id, const store::MailboxSnapshot& snapshot) {
    using namespace imap::response;
    const auto& mailbox = snapshot.mailbox;
    engine_.respond(id, Flags{flags_in_use(view_->keywords())});
    engine_.respond(id, Exists{view_->exists()});
    engine_.respond(id, Recent{view_->recent()});
    if (snapshot.first_unseen && !engine_.enabled().rev2)
        respond(id, imap::UnseenCode{view_->numbers().number_of(*snapshot.first_unseen)},
                "First unseen");
    respond(id, permanent_flags(), "Flags permitted");
    respond(id, imap::UidValidityCode{mailbox.uidvalidity.value}, "UIDs valid");
    respond(id, imap::UidNextCode{mailbox.uidnext.value}, "Predicted next UID");
    respond(id, imap::HighestModSeq{shown(mailbox.highest_modseq)}, "Highest");
    respond(id, imap::MailboxIdCode{object_id(mailbox.id)}, "Ok");
}

imap::PermanentFlags ImapSession::permanent_flags() const {
    imap::PermanentFlags permanent;
    if (read_only_) return permanent;
    if (rights_.has(Right::Write)) permanent = {flags_in_use(view_->keywords()), true};
    if (!rights_.has(Right::KeepSeen))
        permanent.flags.clear(imap::SystemFlag::Seen);
    else
        permanent.flags.set(imap::SystemFlag::Seen);
    if (!rights_.has(Right::DeleteMessages))
        permanent.flags.clear(imap::SystemFlag::Deleted);
    else
        permanent.flags.set(imap::SystemFlag::Deleted);
    return permanent;
}

void ImapSession::tell_keywords(const std::vector<std::string>& keywords) {
    if (view_->take_keywords(keywords)) tell_flags_in_use();
}

void ImapSession::tell_flags_in_use() {
    using namespace imap::response;
    engine_.announce(Flags{flags_in_use(view_->keywords())});
    engine_.announce(Status{imap::Condition::Ok, permanent_flags(), "Flags permitted"});
}

/// RFC 7162 §3.2.5: what was expunged, then what changed, since the client was here last.
void ImapSession::tell_changes(Id id, store::MailboxChanges changes,
                               const imap::command::KnownState& known) {
    auto vanished = std::move(changes.vanished);
    if (known.uids) vanished = vanished.intersection(to_uids(*known.uids));
    if (!changes.exact && known.numbers && known.number_uids) {
        // §3.2.5.2: as far as numbers and UIDs still belong together nothing can have gone.
        std::vector<std::uint32_t> numbers, uids;
        known.numbers->for_each([&](std::uint32_t n) {
            if (n <= view_->exists()) numbers.push_back(n);
        });
        known.number_uids->for_each([&](std::uint32_t uid) {
            if (uids.size() < numbers.size()) uids.push_back(uid);
        });
        for (std::size_t i = 0; i < uids.size(); ++i) {
            if (view_->numbers().uid_at(numbers[i]).value != uids[i]) break;
            vanished.remove({store::Uid{1}, store::Uid{uids[i]}});
        }
    }
    if (!vanished.empty())
        engine_.respond(id, imap::response::VanishedEarlier{to_numbers(vanished)});
    for (const auto& message : changes.changed) {
        if (known.uids && !known.uids->contains(message.uid.value)) continue;
        engine_.respond(id, imap::response::FlagsChanged{view_->numbers().number_of(message.uid),
                                                         message.uid.value, shown(message.modseq),
                                                         view_->flags(message, changes.keywords)});
    }
}

Task<void> ImapSession::claim_recent(store::MailboxRef mailbox) {
    MAILCORE_CO_AWAIT(auto claimed,
                      services_.store.write([access = access(), mailbox](WriteTransaction& txn) {
                          return claim(txn, access, mailbox);
                      }));
    if (!claimed && claimed.error().kind != ErrorKind::NotFound)
        MAILCORE_LOG(services_.log, Debug, "imap.recent_not_claimed",
                     {{"error", claimed.error().detail}});
}

Task<void> ImapSession::run(Id id, imap::command::Close) {
    if (!read_only_) {
        auto done = co_await expunge_deleted(store::UidSet::all());
        // Without the right, or with nowhere to write to, the mailbox is closed all the same.
        if (!done)
            MAILCORE_LOG(services_.log, Debug, "imap.close_kept", {{"error", done.error().detail}});
    }
    leave_mailbox();
    engine_.reply(id, imap::ok("CLOSE completed"));
}

Task<void> ImapSession::run(Id id, imap::command::Unselect) {
    leave_mailbox();
    engine_.reply(id, imap::ok("UNSELECT completed"));
    co_return;
}

} // namespace mailcore::session
