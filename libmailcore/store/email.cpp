#include "libmailcore/store/email.h"

#include "libmailcore/store/detail/message_blocks.h"
#include "libmailcore/store/detail/model_rows.h"

#include <algorithm>

namespace mailcore::store {

namespace {

/// More than an email within its bounds can have.
constexpr std::size_t email_parts_max =
    (structure_octets_max + inline_octets_max + 4'096) / detail::row_octets + 1;

} // namespace

TxnTask<Result<Email>> read_email(ReadTransaction& txn, AccountId owner, EmailId id) {
    const auto all = Key(owner, Table::Email).id(id);
    const auto end = all.end();
    MAILCORE_CO_TRY(const auto rows, txn.range(all.str(), end, email_parts_max));
    if (rows.empty()) co_return fail(ErrorKind::NotFound, "email");
    if (rows.size() == 1) co_return detail::decode_email(id, rows.front().value);
    std::string octets;
    for (const auto& row : rows) octets += row.value;
    co_return detail::decode_email(id, octets);
}

TxnTask<Result<std::vector<Membership>>> memberships(ReadTransaction& txn, AccountId owner,
                                                     EmailId id, std::size_t memberships_max) {
    const auto all = Key(owner, Table::Membership).id(id);
    const auto end = all.end();
    MAILCORE_CO_TRY(const auto rows, txn.range(all.str(), end, memberships_max));
    std::vector<Membership> places;
    for (const auto& row : rows)
        places.emplace_back(MailboxId{detail::key_u64(row.key, 12)},
                            Uid{detail::key_u32(row.key, 4)});
    co_return places;
}

TxnTask<Result<MessageBatch>> read_messages(ReadTransaction& txn, Access access, MailboxRef ref,
                                            UidSet uids, Uid from, std::size_t messages_max) {
    MAILCORE_CO_TRY(const auto mailbox, mailbox_status(txn, access, ref, Right::Read));
    MessageBatch batch;
    for (;;) {
        const auto span = detail::next_span(uids, from, mailbox.uidnext);
        if (!span) break;
        if (batch.messages.size() >= messages_max) {
            batch.next = from;
            break;
        }
        const auto rows_max =
            std::min(detail::block_rows_at_once, (messages_max - batch.messages.size()) / 64 + 1);
        MAILCORE_CO_TRY(const auto rows, detail::block_rows(txn, ref.owner, Table::Messages,
                                                            ref.mailbox, *span, rows_max));
        for (const auto& row : rows) {
            const auto block = detail::key_u32(row.key, 4);
            const auto decoded = detail::MessageBlock::decode(row.value);
            if (!decoded) co_return std::unexpected(decoded.error());
            const auto first = detail::first_uid(block);
            auto bits = uids.bits(first) & decoded->present;
            if (first < from) bits &= ~std::uint64_t{0} << detail::bit_of(from);
            detail::for_each_bit(
                bits, [&](unsigned bit) { batch.messages.push_back(decoded->at(block, bit)); });
        }
        const auto done = rows.size() < rows_max ? span->last : detail::key_u32(rows.back().key, 4);
        if (done >= detail::block_of(all_uids.last)) break;
        from = detail::first_uid(done + 1);
    }
    co_return batch;
}

TxnTask<Result<EmailBatch>> read_emails(ReadTransaction& txn, Access access, MailboxRef ref,
                                        UidSet uids, Uid from, std::size_t emails_max,
                                        std::size_t octets_max) {
    MAILCORE_CO_TRY(const auto listed, read_messages(txn, access, ref, std::move(uids), from,
                                                     std::max<std::size_t>(emails_max, 1)));
    EmailBatch batch;
    std::size_t octets = 0;
    for (const auto& message : listed.messages) {
        if (!batch.emails.empty() && (batch.emails.size() >= emails_max || octets >= octets_max)) {
            batch.next = message.uid;
            co_return batch;
        }
        MAILCORE_CO_TRY(auto email, read_email(txn, ref.owner, message.email));
        octets += email.structure.size() + sizeof(Email);
        batch.emails.emplace_back(message.uid, std::move(email));
    }
    batch.next = listed.next;
    co_return batch;
}

Task<Result<std::string>> read_octets(Store& store, const std::vector<Piece>& pieces,
                                      std::uint64_t offset, std::size_t octets) {
    std::string out;
    std::uint64_t begin = 0; // of the piece
    octets = std::min<std::size_t>(octets, 1024 * 1024);
    for (const auto& piece : pieces) {
        const auto end = begin + piece.length;
        while (offset >= begin && offset < end && out.size() < octets) {
            const auto in_piece = offset - begin;
            const auto wanted = static_cast<std::size_t>(
                std::min<std::uint64_t>(octets - out.size(), piece.length - in_piece));
            if (piece.blob.value == 0) {
                out.append(piece.octets, static_cast<std::size_t>(in_piece), wanted);
                offset += wanted;
                continue;
            }
            MAILCORE_CO_TRY(const auto read,
                            store.read_blob(piece.blob, piece.offset + in_piece, wanted));
            if (read.empty())
                co_return fail(ErrorKind::Corrupt, "a body is shorter than its row says");
            out += read;
            offset += read.size();
        }
        begin = end;
    }
    co_return out;
}

} // namespace mailcore::store
