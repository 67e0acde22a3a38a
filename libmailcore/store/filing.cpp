#include "libmailcore/store/filing.h"

#include "libmailcore/store/detail/message_blocks.h"
#include "libmailcore/store/detail/model_rows.h"
#include "libmailcore/store/detail/overview.h"

#include <algorithm>
#include <array>
#include <set>

namespace mailcore::store {

namespace {

Result<void> check_bounds(const Email& email) {
    if (email.pieces.size() > pieces_max) return fail(ErrorKind::Rejected, "pieces of an email");
    if (email.structure.size() > structure_octets_max)
        return fail(ErrorKind::Rejected, "structure of an email");
    std::size_t own = 0;
    for (const auto& piece : email.pieces) {
        if (piece.blob.value != 0) continue;
        MAILCORE_ASSERT(piece.length == piece.octets.size());
        own += piece.octets.size();
    }
    if (own > inline_octets_max) return fail(ErrorKind::Rejected, "octets added to an email");
    return {};
}

TxnTask<Result<Filed>> file(AccountEdit& edit, Email email, Filing filing) {
    email.size = 0;
    for (const auto& piece : email.pieces) email.size += piece.length;
    email.received = filing.received;
    const auto bounds = check_bounds(email);
    if (!bounds) co_return std::unexpected(bounds.error());
    if (filing.quota == QuotaCheck::Enforced && !edit.state().quota.has_room(email.size))
        co_return fail(ErrorKind::LimitExceeded, "quota");
    MAILCORE_CO_TRY(auto* mailbox, edit.mailbox(filing.mailbox, Right::Insert));
    const auto rights = edit.rights(filing.mailbox);
    std::uint64_t keywords = 0;
    if (rights.has(Right::Write)) {
        MAILCORE_CO_TRY(keywords, detail::keyword_slots(edit, filing.mailbox,
                                                        std::move(filing.flags.keywords),
                                                        detail::NewKeywords::Added));
    }

    auto& txn = edit.txn();
    email.id = EmailId{edit.next_id()};
    email.created = edit.modseq();
    MAILCORE_CO_TRY(email.thread, join_thread(edit, email.id, email.thread_keys));
    const auto key = Key(edit.owner(), Table::Email).id(email.id);
    std::set<BlobId> blobs;
    for (const auto& piece : email.pieces)
        if (piece.blob.value != 0) blobs.insert(piece.blob);
    for (const auto blob : blobs) {
        MAILCORE_CO_TRY(const auto named, txn.refer(blob, key.str()));
        if (!named) co_return fail(ErrorKind::NotFound, "body of an email");
    }
    std::uint16_t part = 0;
    for (auto& row : detail::encode(email)) txn.put(Key(key).u16(part++).str(), std::move(row));

    detail::MessageBlock::Entry entry;
    entry.email = email.id;
    entry.size = email.size;
    entry.received = email.received;
    detail::Appender appender(edit, *mailbox);
    const auto flags = filing.flags.system & detail::changeable(rights);
    MAILCORE_CO_TRY(const auto uid, appender.add(entry, flags, keywords));
    MAILCORE_CO_TRY(appender.flush());
    auto& usage = edit.change_state().quota.usage;
    usage.octets += email.size;
    ++usage.messages;

    Filed filed;
    filed.mailbox = mailbox->id;
    filed.uidvalidity = mailbox->uidvalidity;
    filed.uid = uid;
    filed.email = email.id;
    filed.thread = email.thread;
    filed.modseq = edit.modseq();
    co_return filed;
}

/// The messages of `uids`, with their flags, as they are.
TxnTask<Result<std::vector<detail::FiledMessage>>>
read_filed(AccountEdit& edit, const Mailbox& mailbox, const UidSet& uids) {
    const MailboxRef ref{edit.owner(), mailbox.id};
    std::vector<detail::FiledMessage> found;
    std::optional<Uid> from = Uid{1};
    while (from) {
        MAILCORE_CO_TRY(const auto batch,
                        read_messages(edit.txn(), edit.access(), ref, uids, *from));
        MAILCORE_CO_TRY(const auto flags, read_flags(edit.txn(), edit.access(), ref, uids, *from));
        if (batch.messages.size() != flags.messages.size())
            co_return detail::corrupt("blocks disagree in mailbox", mailbox.id.value);
        for (std::size_t n = 0; n < batch.messages.size(); ++n)
            found.emplace_back(batch.messages[n], flags.messages[n]);
        from = batch.next;
    }
    co_return found;
}

/// Takes the messages of `uids` out of a mailbox; their emails stay.
TxnTask<Result<std::vector<detail::FiledMessage>>> take_out(AccountEdit& edit, Mailbox& mailbox,
                                                            const UidSet& uids) {
    std::vector<detail::FiledMessage> taken;
    Uid from{1};
    for (;;) {
        const auto span = detail::next_span(uids, from, mailbox.uidnext);
        if (!span) break;
        MAILCORE_CO_TRY(const auto rows,
                        detail::block_rows(edit.txn(), edit.owner(), Table::Flags, mailbox.id,
                                           *span, detail::block_rows_at_once));
        for (const auto& row : rows) {
            const auto block = detail::key_u32(row.key, 4);
            const auto first = detail::first_uid(block);
            MAILCORE_CO_TRY(auto some,
                            detail::take_messages(edit, mailbox, block, uids.bits(first)));
            std::uint64_t gone = 0;
            for (const auto& one : some)
                gone |= std::uint64_t{1} << detail::bit_of(one.message.uid);
            edit.messages_vanished(mailbox.id, first, gone);
            std::move(some.begin(), some.end(), std::back_inserter(taken));
        }
        const auto done = rows.size() < detail::block_rows_at_once
                              ? span->last
                              : detail::key_u32(rows.back().key, 4);
        if (done >= detail::block_of(all_uids.last)) break;
        from = detail::first_uid(done + 1);
    }
    if (!taken.empty()) edit.messages_changed(mailbox);
    co_return taken;
}

/// Adds memberships for emails that exist. `names` are the keywords of where they come from.
TxnTask<Result<void>> add_all(AccountEdit& edit, Mailbox& to,
                              const std::vector<detail::FiledMessage>& messages,
                              const std::vector<std::string>& names, Copied& copied) {
    copied.uidvalidity = to.uidvalidity;
    const auto rights = edit.rights(to.id);
    const auto may = detail::changeable(rights);
    std::uint64_t wanted = 0;
    if (rights.has(Right::Write))
        for (const auto& one : messages) wanted |= one.flags.keywords;
    std::array<std::uint64_t, keywords_max> slots{};
    if (wanted != 0) {
        std::vector<std::string> used;
        for (std::size_t n = 0; n < names.size(); ++n)
            if ((wanted >> n & 1) != 0) used.push_back(names[n]);
        // All at once, so that none of them is taken for unused; then one by one, to know which is
        // which.
        MAILCORE_CO_TRY(detail::keyword_slots(edit, to.id, used, detail::NewKeywords::Added));
        for (std::size_t n = 0; n < names.size(); ++n) {
            if ((wanted >> n & 1) == 0) continue;
            const std::vector<std::string> one(1, names[n]);
            MAILCORE_CO_TRY(slots[n],
                            detail::keyword_slots(edit, to.id, one, detail::NewKeywords::Added));
        }
    }
    detail::Appender appender(edit, to);
    copied.uids.reserve(messages.size());
    for (const auto& one : messages) {
        std::uint64_t keywords = 0;
        detail::for_each_bit(one.flags.keywords & wanted,
                             [&](unsigned bit) { keywords |= slots[bit]; });
        detail::MessageBlock::Entry entry;
        entry.email = one.message.email;
        entry.size = one.message.size;
        entry.received = one.message.received;
        MAILCORE_CO_TRY(const auto uid, appender.add(entry, one.flags.system & may, keywords));
        copied.uids.emplace_back(one.message.uid, uid);
    }
    MAILCORE_CO_TRY(appender.flush());
    if (!messages.empty()) copied.modseq = edit.modseq();
    co_return Result<void>{};
}

} // namespace

void NewEmail::describe(const mime::Structure& parsed, std::uint64_t offset) {
    structure = parsed.encoded();
    structure_offset = offset;
    message_ids.clear();
    const auto add = [&](std::string_view id) {
        if (!id.empty()) message_ids.emplace_back(id);
    };
    add(parsed.message_id);
    for (const auto id : parsed.in_reply_to) add(id);
    for (auto id = parsed.references.rbegin(); id != parsed.references.rend(); ++id) add(*id);
    base_subject = parsed.base_subject;
}

TxnTask<Result<Filed>> file_email(AccountEdit& edit, NewEmail email, Filing filing) {
    Email filed;
    filed.pieces = std::move(email.pieces);
    filed.structure = std::move(email.structure);
    filed.structure_offset = email.structure_offset;
    filed.thread_keys = thread_keys(email.message_ids, email.base_subject);
    co_return co_await file(edit, std::move(filed), std::move(filing));
}

TxnTask<Result<Filed>> file_copy(AccountEdit& edit, Email source, Filing filing) {
    co_return co_await file(edit, std::move(source), std::move(filing));
}

TxnTask<Result<Copied>> copy_messages(AccountEdit& edit, MailboxId from, UidSet uids,
                                      MailboxId to) {
    MAILCORE_CO_TRY(const auto* source, edit.mailbox(from, Right::Read));
    MAILCORE_CO_TRY(auto* target, edit.mailbox(to, Right::Insert));
    MAILCORE_CO_TRY(const auto messages, read_filed(edit, *source, uids));
    MAILCORE_CO_TRY(const auto names, detail::read_keywords(edit.txn(), edit.owner(), from));
    Copied copied;
    MAILCORE_CO_TRY(add_all(edit, *target, messages, names, copied));
    co_return copied;
}

TxnTask<Result<Copied>> move_messages(AccountEdit& edit, MailboxId from, UidSet uids,
                                      MailboxId to) {
    // RFC 6851 §3.3: like COPY, then STORE \Deleted and EXPUNGE, so it needs the rights of all
    // three.
    const auto leaving = Rights(Right::Read) | Right::DeleteMessages | Right::Expunge;
    MAILCORE_CO_TRY(auto* source, edit.mailbox(from, leaving));
    MAILCORE_CO_TRY(auto* target, edit.mailbox(to, Right::Insert));
    MAILCORE_CO_TRY(const auto names, detail::read_keywords(edit.txn(), edit.owner(), from));
    MAILCORE_CO_TRY(const auto messages, take_out(edit, *source, uids));
    Copied copied;
    MAILCORE_CO_TRY(add_all(edit, *target, messages, names, copied));
    co_return copied;
}

TxnTask<Result<Expunged>> expunge(AccountEdit& edit, MailboxId id, UidSet uids, Expunge which,
                                  std::uint32_t messages_max) {
    MAILCORE_CO_TRY(auto* mailbox, edit.mailbox(id, Right::Expunge));
    Expunged expunged;
    UidSet chosen;
    Uid from{1};
    std::uint64_t count = 0;
    bool more = false;
    if (which == Expunge::Deleted) {
        if (mailbox->deleted == 0) co_return expunged;
        MAILCORE_CO_TRY(const auto overviews,
                        detail::read_overviews(edit.txn(), edit.owner(), id, mailbox->uidnext));
        uids = uids.intersection(detail::blocks_with_deleted(overviews));
    }
    // Which of them: whole blocks until there are enough.
    while (!more) {
        const auto span = detail::next_span(uids, from, mailbox->uidnext);
        if (!span) break;
        MAILCORE_CO_TRY(const auto rows, detail::block_rows(edit.txn(), edit.owner(), Table::Flags,
                                                            id, *span, detail::block_rows_at_once));
        auto done = span->last;
        for (const auto& row : rows) {
            const auto block = detail::FlagBlock::decode(row.value);
            if (!block) co_return std::unexpected(block.error());
            done = detail::key_u32(row.key, 4);
            const auto first = detail::first_uid(done);
            auto bits = uids.bits(first) & block->present;
            if (which == Expunge::Deleted) bits &= block->with(Flag::Deleted);
            chosen.add_bits(first, bits);
            count += static_cast<std::uint64_t>(std::popcount(bits));
            more = count >= messages_max;
            if (more) break;
        }
        if (!more && rows.size() < detail::block_rows_at_once) done = span->last;
        if (done >= detail::block_of(all_uids.last)) break;
        from = detail::first_uid(done + 1);
    }
    if (more && from < mailbox->uidnext) {
        const UidSet rest(UidRange{from, Uid{mailbox->uidnext.value - 1}});
        expunged.left = uids.intersection(rest);
    }
    if (chosen.empty()) co_return expunged;
    MAILCORE_CO_TRY(const auto taken, take_out(edit, *mailbox, chosen));
    std::vector<EmailId> emails;
    emails.reserve(taken.size());
    for (const auto& one : taken) emails.push_back(one.message.email);
    MAILCORE_CO_TRY(detail::destroy_orphans(edit, std::move(emails)));
    expunged.uids = std::move(chosen);
    expunged.modseq = edit.modseq();
    co_return expunged;
}

} // namespace mailcore::store
