// STATUS (RFC 9051 §6.3.11; RFC 7162 §3.1.7; RFC 8474 §4.3).
#include "libmailcore/session/imap.h"
#include "libmailcore/session/imap_replies.h"
#include "libmailcore/store/changes.h"

#include <algorithm>

namespace mailcore::session {

using imap::StatusItem;
using store::ReadTransaction;

namespace {

store::TxnTask<Result<store::Mailbox>> look(ReadTransaction& txn, store::Access access,
                                            std::string path) {
    MAILCORE_CO_TRY(auto mailbox, store::find_mailbox(txn, access, access.actor, std::move(path)));
    if (!mailbox.selectable)
        co_return fail(ErrorKind::NotFound, "only a name above other mailboxes");
    const store::MailboxRef ref{access.actor, mailbox.id};
    co_return co_await store::mailbox_status(txn, access, ref, store::Right::Read);
}

} // namespace

Task<void> ImapSession::run(Id id, imap::command::Status command) {
    const auto path = command.mailbox.utf8;
    MAILCORE_CO_AWAIT(auto mailbox,
                      services_.store.read([access = access(), path](ReadTransaction& txn) {
                          return look(txn, access, path);
                      }));
    if (!mailbox) {
        MAILCORE_CO_AWAIT(finish(id, reply_to(mailbox.error(), Doing::Mailboxes)));
        co_return;
    }
    auto status = co_await status_of(path, std::move(*mailbox), std::move(command.items));
    if (!status) {
        MAILCORE_CO_AWAIT(finish(id, reply_to(status.error(), Doing::Mailboxes)));
        co_return;
    }
    engine_.respond(id, *status);
    MAILCORE_CO_AWAIT(finish(id, imap::ok("STATUS completed")));
}

Task<Result<imap::response::MailboxStatus>>
ImapSession::status_of(std::string path, store::Mailbox mailbox, std::vector<StatusItem> items) {
    std::uint64_t recent = 0;
    if (std::ranges::find(items, StatusItem::Recent) != items.end()) {
        MAILCORE_CO_AWAIT(auto snapshot,
                          services_.store.read(
                              [access = access(), mailbox = ref(mailbox.id)](ReadTransaction& txn) {
                                  return store::open_mailbox(txn, access, mailbox);
                              }));
        if (!snapshot) co_return std::unexpected(snapshot.error());
        mailbox = std::move(snapshot->mailbox);
        recent = snapshot->recent;
    }
    imap::response::MailboxStatus status;
    status.mailbox = std::move(path);
    for (const auto item : items) {
        std::variant<std::uint64_t, std::string> value = std::uint64_t{0};
        switch (item) {
        case StatusItem::Messages: value = std::uint64_t{mailbox.exists}; break;
        case StatusItem::Recent: value = recent; break;
        case StatusItem::UidNext: value = std::uint64_t{mailbox.uidnext.value}; break;
        case StatusItem::UidValidity: value = std::uint64_t{mailbox.uidvalidity.value}; break;
        case StatusItem::Unseen: value = std::uint64_t{mailbox.unseen}; break;
        case StatusItem::Deleted: value = std::uint64_t{mailbox.deleted}; break;
        case StatusItem::Size: value = mailbox.octets; break;
        case StatusItem::HighestModSeq: value = shown(mailbox.highest_modseq); break;
        case StatusItem::MailboxId: value = object_id(mailbox.id); break;
        case StatusItem::AppendLimit: value = options_.append_octets_max; break;
        }
        status.items.emplace_back(item, std::move(value));
    }
    co_return status;
}

} // namespace mailcore::session
