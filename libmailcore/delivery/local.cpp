#include "libmailcore/delivery/local.h"

#include "libmailcore/mime/parser.h"
#include "libmailcore/queue/rows.h"
#include "libmailcore/store/account.h"
#include "libmailcore/store/filing.h"
#include "libmailcore/store/mailbox.h"

#include <algorithm>

namespace mailcore::delivery {

namespace {

using store::TxnTask;
using store::WriteTransaction;

/// The mailbox that mail goes to: `folder` if it is there, else INBOX.
TxnTask<Result<store::MailboxId>> find_folder(WriteTransaction& txn, store::AccountId account,
                                              std::string folder) {
    if (!folder.empty()) {
        MAILCORE_CO_AWAIT(auto found,
                          store::find_mailbox(txn, store::Access::owner(account), account, folder));
        if (found && found->selectable) co_return found->id;
        if (!found && found.error().kind != ErrorKind::NotFound &&
            found.error().kind != ErrorKind::Rejected)
            co_return std::unexpected(found.error());
    }
    MAILCORE_CO_TRY(const auto state, store::account_state(txn, account));
    co_return state.inbox;
}

struct Done {
    store::Filed filed;
    std::optional<queue::QueueId> report;
};

/// The email that a recipient gets: the message below the fields that are his alone.
store::NewEmail email_of(const queue::Message& message, std::string above,
                         const Analysis& analysis) {
    store::NewEmail email;
    email.structure_offset = above.size() + analysis.offset;
    email.pieces.push_back(store::Piece::of(std::move(above)));
    for (const auto& piece : message.pieces) {
        auto& last = email.pieces.back();
        if (piece.blob.value == 0 && last.blob.value == 0) {
            last.octets += piece.octets;
            last.length = last.octets.size();
        } else {
            email.pieces.push_back(piece);
        }
    }
    email.structure = analysis.structure;
    email.message_ids = analysis.message_ids;
    email.base_subject = analysis.base_subject;
    return email;
}

/// One transaction: the email is filed and its recipient has left the queue, or neither.
TxnTask<Result<Done>> file(WriteTransaction& txn, std::shared_ptr<const queue::Message> message,
                           queue::Recipient recipient, std::string above,
                           std::shared_ptr<const Analysis> analysis, PreparedReport report) {
    MAILCORE_CO_TRY(queue::remove_recipient(txn, message->id, recipient.index));
    MAILCORE_CO_TRY(const auto mailbox, find_folder(txn, recipient.account, recipient.folder));
    store::AccountEdit edit(txn, store::Access::owner(recipient.account), recipient.account);
    MAILCORE_CO_TRY(edit.begin());
    store::Filing filing;
    filing.mailbox = mailbox;
    filing.received = {message->arrived, 0};
    auto email = email_of(*message, std::move(above), *analysis);
    Done done;
    MAILCORE_CO_TRY(done.filed, store::file_email(edit, std::move(email), std::move(filing)));
    MAILCORE_CO_TRY(edit.save());
    MAILCORE_CO_TRY(done.report, enqueue(txn, std::move(report)));
    co_return done;
}

/// A queued message as filters of the deliver stage read it: without what we added on top, as its
/// structure describes it.
class PieceOctets final : public filter::MessageOctets {
  public:
    PieceOctets(store::Store& store, const queue::Message& message, std::uint64_t added)
        : store_(store), message_(message), added_(added) {}
    std::uint64_t size() const override { return message_.size - added_; }
    Task<Result<std::string>> read(std::uint64_t offset, std::size_t octets) override {
        return store::read_octets(store_, message_.pieces, added_ + offset, octets);
    }

  private:
    store::Store& store_;
    const queue::Message& message_; // outlives the judgement
    std::uint64_t added_;
};

/// The header of a queued message, with what we added on top, without its empty line.
Task<Result<std::string>> read_header(store::Store& store, const queue::Message& message,
                                      std::uint64_t octets) {
    constexpr std::uint64_t octets_max = 1024 * 1024;
    auto block = co_await store::read_octets(
        store, message.pieces, 0, static_cast<std::size_t>(std::min(octets, octets_max)));
    if (block && block->ends_with("\r\n\r\n")) block->resize(block->size() - 2);
    co_return block;
}

std::string return_path(const queue::Message& message) {
    // RFC 5321 §4.4: what MAIL FROM said, on top of everything.
    return "Return-Path: <" + message.sender + ">\r\n";
}

} // namespace

Analysis analyse(const mime::Structure& structure, std::uint64_t offset) {
    Analysis analysis;
    analysis.structure = structure.encoded();
    analysis.offset = offset;
    constexpr std::size_t message_ids_max = 12; // the store uses the nearest ancestors
    const auto add = [&](std::string_view id) {
        if (!id.empty() && analysis.message_ids.size() < message_ids_max &&
            std::ranges::find(analysis.message_ids, id) == analysis.message_ids.end())
            analysis.message_ids.emplace_back(id);
    };
    add(structure.message_id);
    for (auto id = structure.references.rbegin(); id != structure.references.rend(); ++id) add(*id);
    for (const auto id : structure.in_reply_to) add(id);
    analysis.base_subject = structure.base_subject;
    return analysis;
}

Task<Result<std::shared_ptr<const Analysis>>>
LocalDelivery::read_and_analyse(const queue::Message& message) {
    mime::Parser parser;
    // A first piece of octets is what we added on top: not described.
    const bool added = message.pieces.size() > 1 && message.pieces.front().blob.value == 0;
    const auto before = added ? message.pieces.front().length : std::uint64_t{0};
    const auto end = std::min(message.size, options_.parse_octets_max);
    store::PiecesReader pieces(store_, message.pieces);
    pieces.start(before, end - std::min(before, end));
    while (true) {
        MAILCORE_CO_TRY(const auto octets, pieces.next());
        if (octets.empty()) break;
        parser.feed(octets);
    }
    const auto structure = parser.finish();
    co_return std::make_shared<const Analysis>(analyse(structure, before));
}

bool LocalDelivery::files_unread(const queue::Recipient& recipient, const Analysis* analysis,
                                 const filter::Pipeline* pipeline) {
    return analysis && !recipient.notify.success &&
           !(pipeline && pipeline->wants(filter::Stage::Deliver));
}

Task<Outcome> LocalDelivery::deliver(std::shared_ptr<const queue::Message> message,
                                     queue::Recipient recipient,
                                     std::shared_ptr<const Analysis> analysis,
                                     std::shared_ptr<const filter::Pipeline> pipeline) {
    if (pipeline && pipeline->wants(filter::Stage::Deliver)) {
        if (!analysis) {
            auto read = co_await read_and_analyse(*message);
            if (!read) co_return Outcome::deferred("4.3.0", read.error().detail);
            analysis = std::move(*read);
        }
        const auto structure = mime::Structure::decode_in_place(analysis->structure);
        if (!structure) co_return Outcome::deferred("4.3.0", structure.error().detail);
        auto header = co_await read_header(store_, *message,
                                           analysis->offset + structure->message().body_begin);
        if (!header) co_return Outcome::deferred("4.3.0", header.error().detail);
        PieceOctets octets(store_, *message, analysis->offset);
        filter::Context context;
        context.header = std::move(*header);
        context.structure = &*structure;
        context.trace = message->trace;
        context.sender = message->sender;
        context.account = message->account;
        context.recipient = recipient.address;
        context.size = message->size;
        context.octets = &octets;
        const auto verdict = co_await pipeline->judge(filter::Stage::Deliver, context);
        if (context.folder) recipient.folder = *context.folder;
        switch (verdict.kind) {
        case filter::Verdict::Kind::Reject:
            co_return Outcome::failed(verdict.enhanced.empty() ? "5.7.1" : verdict.enhanced,
                                      verdict.text);
        case filter::Verdict::Kind::Defer:
            co_return Outcome::deferred(verdict.enhanced.empty() ? "4.7.1" : verdict.enhanced,
                                        verdict.text);
        case filter::Verdict::Kind::Quarantine: recipient.folder = "Junk"; break;
        case filter::Verdict::Kind::Discard: {
            const auto id = message->id;
            const auto index = recipient.index;
            MAILCORE_CO_AWAIT(auto removed, store_.write([id, index](WriteTransaction& txn) {
                return queue::remove_recipient(txn, id, index);
            }));
            if (!removed) co_return Outcome::deferred("4.3.0", removed.error().detail);
            co_return Outcome::delivered("discarded by " + verdict.filter);
        }
        default: break;
        }
    }
    if (!analysis) {
        auto read = co_await read_and_analyse(*message);
        if (!read)
            co_return Outcome::deferred("4.3.0", "message cannot be read: " + read.error().detail);
        analysis = std::move(*read);
    }

    auto above = return_path(*message);
    if (options_.delivered_to) above += "Delivered-To: " + recipient.address + "\r\n";
    PreparedReport report;
    if (recipient.notify.success) {
        std::vector<Reported> reported;
        reported.push_back({recipient, mime::RecipientReport::Action::Delivered, std::nullopt});
        reported.back().recipient.status = "2.0.0";
        auto prepared = co_await reporter_.prepare(*message, std::move(reported));
        if (!prepared) co_return Outcome::deferred("4.3.0", prepared.error().detail);
        report = std::move(*prepared);
    }
    MAILCORE_CO_AWAIT(auto filed,
                      store_.write([message, recipient, above = std::move(above), analysis,
                                    report = std::move(report)](WriteTransaction& txn) {
                          return file(txn, message, recipient, above, analysis, report);
                      }));
    if (filed) {
        MAILCORE_LOG(log_, Info, "delivery.filed",
                     {{"recipient", recipient.address},
                      {"account", recipient.account},
                      {"mailbox", filed->filed.mailbox},
                      {"uid", filed->filed.uid.value},
                      {"size", message->size}},
                     message->trace);
        auto outcome = Outcome::delivered("filed");
        outcome.report = filed->report;
        co_return outcome;
    }
    const auto& error = filed.error();
    switch (error.kind) {
    case ErrorKind::NotFound: {
        // The row is gone, or the account: only in the first case is there nothing left to do.
        const auto id = message->id;
        const auto index = recipient.index;
        MAILCORE_CO_AWAIT(auto row, store_.read([id, index](store::ReadTransaction& txn) {
            return queue::read_recipient(txn, id, index);
        }));
        if (!row && row.error().kind == ErrorKind::NotFound) co_return Outcome::gone();
        co_return Outcome::failed("5.1.1", "no such mailbox here");
    }
    case ErrorKind::LimitExceeded: {
        auto status = store_.status();
        if (!status.writable) co_return Outcome::deferred("4.3.1", "mail system is full");
        if (options_.over_quota_fails) co_return Outcome::failed("5.2.2", "mailbox is full");
        co_return Outcome::deferred("4.2.2", "mailbox is full");
    }
    case ErrorKind::Rejected: co_return Outcome::failed("5.3.0", error.detail);
    default: co_return Outcome::deferred("4.3.0", error.detail);
    }
}

} // namespace mailcore::delivery
