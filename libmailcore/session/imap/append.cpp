// APPEND (RFC 9051 §6.3.12; RFC 3502; RFC 4315 §3).
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
    if (!target->quota.has_room(command.message.octets)) {
        MAILCORE_CO_AWAIT(
            finish(id, imap::no("The message is beyond the quota", imap::Code::OverQuota)));
        co_return;
    }
    if (auto refusal = no_room_for(command.message.octets)) {
        MAILCORE_CO_AWAIT(finish(id, std::move(*refusal)));
        co_return;
    }
    appending_ = std::make_shared<Appending>();
    appending_->id = id;
    appending_->mailbox = ref(target->mailbox.id);
    appending_->writer = services_.store.new_blob(services_.scheduler, command.message.octets);
    appending_->message = std::move(command.message);
    engine_.accept(id);
}

std::optional<imap::Reply> ImapSession::no_room_for(std::uint64_t octets) const {
    if (const auto room = services_.store.room_for(octets); !room)
        return reply_to(room.error(), Doing::Filing);
    if (!services_.has_memory_for(base::MemoryGate::Admission::Message))
        return imap::no("Short of memory; try again later", imap::Code::Limit);
    return std::nullopt;
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

/// What has come is a message; it waits for the others. Answers why not.
Task<std::optional<imap::Reply>> ImapSession::complete_message(Appending& appending) {
    auto blob = co_await appending.writer->finish();
    if (!blob) {
        MAILCORE_LOG(services_.log, Error, "imap.body_unwritable",
                     {{"error", blob.error().detail}});
        co_return reply_to(blob.error(), Doing::Filing);
    }
    Appended done;
    done.blob = std::move(*blob);
    appending.octets += done.blob->size();
    const auto structure = appending.parser.finish();
    if (structure.header_8bit && !engine_.enabled().utf8 && !options_.append_8bit_headers)
        co_return imap::no("A header field has 8-bit octets; ENABLE UTF8=ACCEPT (RFC 6855)",
                           imap::Code::Cannot);
    done.email.describe(structure, 0);
    done.filing.mailbox = appending.mailbox.mailbox;
    done.filing.flags = to_named(appending.message.flags);
    done.filing.received.at = services_.scheduler.wall_now();
    if (const auto& date = appending.message.date) {
        done.filing.received.at = date->time;
        done.filing.received.zone_minutes = date->zone_minutes;
    }
    appending.complete.push_back(std::move(done));
    co_return std::nullopt;
}

Task<void> ImapSession::take_next(std::shared_ptr<Appending> appending,
                                  imap::command::AppendedMessage message) {
    const auto id = appending->id;
    auto refusal = co_await complete_message(*appending);
    if (!refusal && appending->complete.size() >= options_.append_messages_max)
        refusal = imap::no("Too many messages at once", imap::Code::Limit);
    if (!refusal) refusal = no_room_for(appending->octets + message.octets);
    if (id == aborted_) co_return;
    if (refusal) {
        if (appending_ == appending) appending_.reset();
        MAILCORE_CO_AWAIT(finish(id, std::move(*refusal)));
        co_return;
    }
    appending->writer = services_.store.new_blob(services_.scheduler, message.octets);
    appending->parser = mime::Parser();
    appending->message = std::move(message);
    engine_.accept(id);
    waker_.wake();
}

/// All in one transaction: RFC 3502 wants all or none.
Task<void> ImapSession::file_appended(std::shared_ptr<Appending> appending) {
    const auto id = appending->id;
    auto refusal = co_await complete_message(*appending);
    if (refusal) {
        MAILCORE_CO_AWAIT(finish(id, std::move(*refusal)));
        co_return;
    }
    auto messages = std::make_shared<const std::vector<Appended>>(std::move(appending->complete));
    MAILCORE_CO_AWAIT(
        auto filed,
        services_.store.write([access = access(), mailbox = appending->mailbox, messages](
                                  WriteTransaction& txn) -> TxnTask<Result<imap::AppendUid>> {
            store::AccountEdit edit(txn, access, mailbox.owner);
            MAILCORE_CO_TRY(edit.begin());
            imap::AppendUid uids;
            for (const auto& message : *messages) {
                auto email = message.email;
                const auto octets = message.blob->size();
                email.pieces.push_back(store::Piece::of(txn.add_blob(*message.blob), 0, octets));
                MAILCORE_CO_TRY(const auto one,
                                store::file_email(edit, std::move(email), message.filing));
                uids.uid_validity = one.uidvalidity.value;
                if (uids.uid == 0) uids.uid = one.uid.value;
                uids.last = one.uid.value;
            }
            MAILCORE_CO_TRY(edit.save());
            co_return uids;
        }));
    if (!filed) {
        MAILCORE_CO_AWAIT(finish(id, reply_to(filed.error(), Doing::Filing)));
        co_return;
    }
    MAILCORE_CO_AWAIT(finish(id, imap::ok("APPEND completed", *filed)));
}

} // namespace mailcore::session
