// STORE (RFC 9051 §6.4.6; RFC 7162 §3.1.3).
#include "libmailcore/session/imap.h"
#include "libmailcore/session/imap_replies.h"

namespace mailcore::session {

namespace {

using store::ReadTransaction;
using store::StoreHow;

StoreHow how(imap::command::Store::Action action) {
    switch (action) {
    case imap::command::Store::Action::Replace: return StoreHow::Replace;
    case imap::command::Store::Action::Add: return StoreHow::Add;
    case imap::command::Store::Action::Remove: return StoreHow::Remove;
    }
    return StoreHow::Replace;
}

} // namespace

Task<void> ImapSession::run(Id id, imap::command::Store command) {
    const auto uids = resolve(command.set, command.addressing);
    if (!uids) {
        MAILCORE_CO_AWAIT(finish(id, imap::bad("No such message")));
        co_return;
    }
    if (read_only_) {
        MAILCORE_CO_AWAIT(finish(id, imap::no("The mailbox is read-only", imap::Code::ReadOnly)));
        co_return;
    }
    store::StoreFlags wanted;
    wanted.uids = *uids;
    wanted.how = how(command.action);
    wanted.flags = to_named(command.flags);
    if (command.unchanged_since) wanted.unchanged_since = store::ModSeq{*command.unchanged_since};
    auto stored = co_await store_flags(std::move(wanted));
    if (!stored) {
        auto reply = reply_to(stored.error(), Doing::Messages);
        co_await finish(id, std::move(reply));
        co_return;
    }
    if (!view_ || id == aborted_) co_return;
    const bool silent = command.silence == imap::command::Store::Silence::Silent;
    // RFC 7162 §3.1.3: a silent STORE still tells MODSEQ to who asked for it.
    bool all_shown = true;
    std::optional<store::Uid> from;
    if ((!silent || engine_.enabled().condstore) && !stored->matched.empty()) from = store::Uid{1};
    while (from) {
        MAILCORE_CO_AWAIT(
            auto batch,
            services_.store.read([access = access(), mailbox = view_->ref(),
                                  matched = stored->matched, at = *from](ReadTransaction& txn) {
                return store::read_flags(txn, access, mailbox, matched, at, 1'024);
            }));
        if (!batch) { // stored they are; what cannot be shown now is told later
            all_shown = false;
            break;
        }
        if (!silent) tell_keywords(batch->keywords);
        for (const auto& message : batch->messages) {
            imap::response::FlagsChanged changed;
            changed.number = view_->numbers().number_of(message.uid);
            changed.uid = message.uid.value;
            changed.modseq = shown(message.modseq);
            if (!silent) changed.flags = view_->flags(message, batch->keywords);
            engine_.respond(id, changed);
        }
        from = batch->next;
        const bool goes_on = co_await room(id);
        if (!goes_on) co_return;
    }
    if (!stored->changed.empty() && all_shown) view_->told(stored->modseq);
    imap::ResponseCode code = imap::Code::None;
    if (!stored->modified.empty()) {
        imap::Modified modified;
        if (command.addressing == imap::Addressing::Uids)
            modified.numbers = to_numbers(stored->modified);
        else
            stored->modified.for_each(
                [&](store::Uid uid) { modified.numbers.add(view_->numbers().number_of(uid)); });
        code = std::move(modified);
    }
    // A message number whose message is gone already (RFC 9051 §7.1 EXPUNGEISSUED).
    const auto gone = uids->size() - stored->matched.size() - stored->modified.size();
    if (gone > 0 && command.addressing == imap::Addressing::Numbers && stored->modified.empty()) {
        MAILCORE_CO_AWAIT(
            finish(id, imap::no("Some messages are gone", imap::Code::ExpungeIssued)));
        co_return;
    }
    MAILCORE_CO_AWAIT(finish(id, imap::ok("STORE completed", std::move(code))));
}

} // namespace mailcore::session
