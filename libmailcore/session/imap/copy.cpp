// COPY, MOVE (RFC 9051 §6.4.7, §6.4.8; RFC 4315 §3).
#include "libmailcore/session/imap.h"
#include "libmailcore/session/imap_replies.h"
#include "libmailcore/store/account.h"

namespace mailcore::session {

namespace {

using store::WriteTransaction;

store::TxnTask<Result<store::Copied>> copy_in(WriteTransaction& txn, store::Access access,
                                              store::MailboxRef from, store::UidSet uids,
                                              std::string path, bool moves) {
    MAILCORE_CO_TRY(const auto to, store::find_mailbox(txn, access, access.actor, std::move(path)));
    if (!to.selectable) co_return fail(ErrorKind::NotFound, "only a name above other mailboxes");
    store::AccountEdit edit(txn, access, from.owner);
    MAILCORE_CO_TRY(edit.begin());
    store::Copied copied;
    if (moves) {
        MAILCORE_CO_TRY(copied, store::move_messages(edit, from.mailbox, std::move(uids), to.id));
    } else {
        MAILCORE_CO_TRY(copied, store::copy_messages(edit, from.mailbox, std::move(uids), to.id));
    }
    MAILCORE_CO_TRY(edit.save());
    co_return copied;
}

} // namespace

/// Nothing: the command was answered.
Task<std::optional<imap::CopyUid>> ImapSession::copy(Id id, imap::SequenceSet set,
                                                     imap::Addressing addressing, std::string path,
                                                     bool moves) {
    auto uids = resolve(set, addressing);
    if (!uids) {
        MAILCORE_CO_AWAIT(finish(id, imap::bad("No such message")));
        co_return std::nullopt;
    }
    MAILCORE_CO_AWAIT(
        auto copied,
        services_.store.write(
            [access = access(), from = view_->ref(), uids = std::move(*uids), path, moves](
                WriteTransaction& txn) { return copy_in(txn, access, from, uids, path, moves); },
            moves ? store::Urgency::Reclaim : store::Urgency::Normal));
    if (!copied) {
        MAILCORE_CO_AWAIT(finish(id, reply_to(copied.error(), Doing::Filing)));
        co_return std::nullopt;
    }
    imap::CopyUid code;
    code.uid_validity = copied->uidvalidity.value;
    for (const auto& [from, to] : copied->uids) {
        code.source.add(from.value);
        code.destination.add(to.value);
    }
    co_return code;
}

Task<void> ImapSession::run(Id id, imap::command::Copy command) {
    auto code = co_await copy(id, std::move(command.set), command.addressing,
                              std::move(command.mailbox.utf8), false);
    if (code) {
        MAILCORE_CO_AWAIT(finish(id, imap::ok("COPY completed", std::move(*code))));
    }
}

Task<void> ImapSession::run(Id id, imap::command::Move command) {
    if (read_only_) {
        MAILCORE_CO_AWAIT(finish(id, imap::no("The mailbox is read-only", imap::Code::ReadOnly)));
        co_return;
    }
    auto code = co_await copy(id, std::move(command.set), command.addressing,
                              std::move(command.mailbox.utf8), true);
    if (!code) co_return;
    // RFC 9051 §6.4.8: COPYUID comes before the expunges.
    if (!code->source.empty()) respond(id, std::move(*code), "Moved");
    co_await refresh();
    imap::ResponseCode end = imap::Code::None;
    if (view_ && engine_.enabled().qresync) end = imap::HighestModSeq{shown(view_->told_modseq())};
    MAILCORE_CO_AWAIT(finish(id, imap::ok("MOVE completed", std::move(end))));
}

} // namespace mailcore::session
