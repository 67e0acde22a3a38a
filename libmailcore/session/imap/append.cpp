// APPEND (RFC 9051 §6.3.12; RFC 4315 §3).
#include "libmailcore/session/imap.h"
#include "libmailcore/session/imap_replies.h"
#include "libmailcore/store/account.h"

namespace mailcore::session {

namespace {

using store::ReadTransaction;
using store::Right;
using store::TxnTask;
using store::WriteTransaction;

struct Target {
    store::Mailbox mailbox;
    store::Quota quota;
};

TxnTask<Result<Target>> find_target(ReadTransaction& txn, store::Access access, std::string path) {
    Target target;
    MAILCORE_CO_TRY(target.mailbox,
                    store::find_mailbox(txn, access, access.actor, std::move(path)));
    if (!target.mailbox.selectable)
        co_return fail(ErrorKind::NotFound, "only a name above other mailboxes");
    const store::MailboxRef ref{access.actor, target.mailbox.id};
    MAILCORE_CO_TRY(store::mailbox_status(txn, access, ref, Right::Insert));
    MAILCORE_CO_TRY(target.quota, store::quota(txn, access.actor));
    co_return target;
}

TxnTask<Result<store::Filed>> file(WriteTransaction& txn, store::Access access,
                                   store::MailboxRef ref, store::NewBlobRef blob,
                                   store::NewEmail email, store::Filing filing) {
    email.pieces.push_back(store::Piece::of(txn.add_blob(*blob), 0, blob->size()));
    store::AccountEdit edit(txn, access, ref.owner);
    MAILCORE_CO_TRY(edit.begin());
    MAILCORE_CO_TRY(auto filed, store::file_email(edit, std::move(email), std::move(filing)));
    MAILCORE_CO_TRY(edit.save());
    co_return filed;
}

} // namespace

std::size_t ImapSession::memory() const {
    if (!appending_) return 0;
    return sizeof *appending_ + appending_->writer->memory();
}

Task<void> ImapSession::run(Id id, imap::command::Append command) {
    const auto path = command.mailbox.utf8;
    MAILCORE_CO_AWAIT(auto target,
                      services_.store.read([access = access(), path](ReadTransaction& txn) {
                          return find_target(txn, access, path);
                      }));
    if (id == aborted_) co_return;
    if (!target) {
        MAILCORE_CO_AWAIT(finish(id, reply_to(target.error(), Doing::Filing)));
        co_return;
    }
    if (!target->quota.has_room(command.octets)) {
        MAILCORE_CO_AWAIT(
            finish(id, imap::no("The message is beyond the quota", imap::Code::OverQuota)));
        co_return;
    }
    if (const auto room = services_.store.room_for(command.octets); !room) {
        MAILCORE_CO_AWAIT(finish(id, reply_to(room.error(), Doing::Filing)));
        co_return;
    }
    if (!services_.has_memory_for(base::MemoryGate::Admission::Message)) {
        MAILCORE_CO_AWAIT(
            finish(id, imap::no("Short of memory; try again later", imap::Code::Limit)));
        co_return;
    }
    appending_ = std::make_shared<Appending>();
    appending_->id = id;
    appending_->mailbox = ref(target->mailbox.id);
    appending_->writer = services_.store.new_blob(services_.scheduler, command.octets);
    appending_->command = std::move(command);
    engine_.accept(id);
}

Task<void> ImapSession::take_chunk(std::shared_ptr<Appending> appending, imap::BodyChunk chunk) {
    if (!services_.has_memory_for(base::MemoryGate::Admission::Octets)) {
        if (appending_ == appending) appending_.reset();
        MAILCORE_CO_AWAIT(
            finish(chunk.id, imap::no("Short of memory; try again later", imap::Code::Limit)));
        co_return;
    }
    appending->parser.feed(chunk.octets);
    auto taken = co_await appending->writer->append(chunk.octets);
    if (taken) {
        engine_.body_taken(chunk.id);
        waker_.wake();
        co_return;
    }
    MAILCORE_LOG(services_.log, Error, "imap.body_unwritable", {{"error", taken.error().detail}});
    if (appending_ == appending) appending_.reset();
    MAILCORE_CO_AWAIT(finish(chunk.id, reply_to(taken.error(), Doing::Filing)));
}

Task<void> ImapSession::file_appended(std::shared_ptr<Appending> appending) {
    const auto id = appending->id;
    auto blob = co_await appending->writer->finish();
    if (!blob) {
        MAILCORE_LOG(services_.log, Error, "imap.body_unwritable",
                     {{"error", blob.error().detail}});
        MAILCORE_CO_AWAIT(finish(id, reply_to(blob.error(), Doing::Filing)));
        co_return;
    }
    store::NewEmail email;
    const auto structure = appending->parser.finish();
    email.describe(structure, 0);
    store::Filing filing;
    filing.mailbox = appending->mailbox.mailbox;
    filing.flags = to_named(appending->command.flags);
    filing.received.at = services_.scheduler.wall_now();
    if (const auto& date = appending->command.date) {
        filing.received.at = date->time;
        filing.received.zone_minutes = date->zone_minutes;
    }
    MAILCORE_CO_AWAIT(auto filed,
                      services_.store.write([access = access(), mailbox = appending->mailbox,
                                             blob = *blob, email = std::move(email),
                                             filing = std::move(filing)](WriteTransaction& txn) {
                          return file(txn, access, mailbox, blob, email, filing);
                      }));
    if (!filed) {
        MAILCORE_CO_AWAIT(finish(id, reply_to(filed.error(), Doing::Filing)));
        co_return;
    }
    MAILCORE_CO_AWAIT(
        finish(id, imap::ok("APPEND completed",
                            imap::AppendUid{filed->uidvalidity.value, filed->uid.value})));
}

} // namespace mailcore::session
