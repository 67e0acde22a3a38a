// EXPUNGE, UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9; RFC 7162 §3.2.7, §3.2.9).
#include "libmailcore/session/imap.h"
#include "libmailcore/session/imap_replies.h"
#include "libmailcore/store/account.h"

namespace mailcore::session {

namespace {

using store::WriteTransaction;

store::TxnTask<Result<store::Expunged>> expunge_in(WriteTransaction& txn, store::Access access,
                                                   store::MailboxRef ref, store::UidSet uids) {
    store::AccountEdit edit(txn, access, ref.owner);
    MAILCORE_CO_TRY(edit.begin());
    MAILCORE_CO_TRY(auto expunged,
                    store::expunge(edit, ref.mailbox, std::move(uids), store::Expunge::Deleted));
    MAILCORE_CO_TRY(edit.save());
    co_return expunged;
}

} // namespace

/// Removes those of `uids` that have \Deleted. Answers whether there were any.
Task<Result<bool>> ImapSession::expunge_deleted(store::UidSet uids) {
    const auto mailbox = view_->ref();
    bool any = false;
    while (!uids.empty()) {
        MAILCORE_CO_AWAIT(auto expunged,
                          services_.store.write(
                              [access = access(), mailbox, uids](WriteTransaction& txn) {
                                  return expunge_in(txn, access, mailbox, uids);
                              },
                              store::Urgency::Reclaim));
        if (!expunged) co_return std::unexpected(expunged.error());
        any = any || !expunged->uids.empty();
        uids = std::move(expunged->left);
    }
    co_return any;
}

Task<void> ImapSession::run(Id id, imap::command::Expunge command) {
    if (read_only_) {
        MAILCORE_CO_AWAIT(finish(id, imap::no("The mailbox is read-only", imap::Code::ReadOnly)));
        co_return;
    }
    auto uids = store::UidSet::all();
    if (command.uids) uids = *resolve(*command.uids, imap::Addressing::Uids);
    auto any = co_await expunge_deleted(std::move(uids));
    if (!any) {
        MAILCORE_CO_AWAIT(finish(id, reply_to(any.error(), Doing::Messages)));
        co_return;
    }
    // RFC 7162 §3.2.7: with the mod-sequence behind the expunges that are told before it.
    co_await refresh();
    imap::ResponseCode code = imap::Code::None;
    if (*any && view_ && engine_.enabled().qresync)
        code = imap::HighestModSeq{shown(view_->told_modseq())};
    MAILCORE_CO_AWAIT(finish(id, imap::ok("EXPUNGE completed", std::move(code))));
}

} // namespace mailcore::session
