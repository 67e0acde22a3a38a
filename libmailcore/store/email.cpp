#include "libmailcore/store/email.h"

#include "libmailcore/store/detail/message_blocks.h"
#include "libmailcore/store/detail/model_rows.h"

#include <algorithm>
#include <fmt/format.h>

namespace mailcore::store {

namespace {

/// More than an email within its bounds can have.
constexpr std::size_t email_parts_max =
    (structure_octets_max + inline_octets_max + 4'096) / detail::row_octets + 1;

/// Reads emails by ascending id, those that lie near each other in one go: the messages of a
/// mailbox mostly have ids one after the other.
class EmailWalk {
  public:
    EmailWalk(ReadTransaction& txn, AccountId owner, const std::vector<Message>& wanted)
        : txn_(txn), owner_(owner), wanted_(wanted) {}

    /// The email of the `at`th wanted message; `at` only grows.
    TxnTask<Result<Email>> read(std::size_t at) {
        const auto id = wanted_[at].email;
        if (at >= run_end_) {
            run_end_ = end_of_run(at);
            MAILCORE_CO_TRY(fill(Key(owner_, Table::Email).id(id).str()));
        }
        std::optional<std::string> octets;
        while (true) {
            if (next_ == rows_.size()) {
                if (!more_) break;
                MAILCORE_CO_TRY(fill(rows_.back().key + '\0'));
                continue;
            }
            const auto found = EmailId{detail::key_u64(rows_[next_].key, 10)};
            if (found > id) break;
            if (found == id) {
                if (!octets)
                    octets = std::move(rows_[next_].value);
                else
                    *octets += rows_[next_].value;
            }
            ++next_;
        }
        // In the view that lists it, it cannot have been expunged.
        if (!octets)
            co_return fail(ErrorKind::Corrupt, fmt::format("email {} has no row", id.value));
        co_return detail::decode_email(id, std::move(*octets));
    }

  private:
    static constexpr std::uint64_t gap_max = 4; // ids of other mailboxes, read and passed over
    static constexpr std::size_t rows_at_once = 64;

    [[nodiscard]] std::size_t end_of_run(std::size_t at) const {
        auto end = at + 1;
        while (end < wanted_.size() && wanted_[end].email > wanted_[end - 1].email &&
               wanted_[end].email.value - wanted_[end - 1].email.value <= gap_max)
            ++end;
        return end;
    }
    TxnTask<Result<void>> fill(std::string from) {
        const auto end = Key(owner_, Table::Email).id(wanted_[run_end_ - 1].email).end();
        MAILCORE_CO_TRY(rows_, txn_.range(from, end, rows_at_once));
        next_ = 0;
        more_ = rows_.size() == rows_at_once;
        co_return Result<void>{};
    }

    ReadTransaction& txn_; // of the one call of read_emails
    AccountId owner_;
    const std::vector<Message>& wanted_; // the caller's
    std::size_t run_end_ = 0;            // of the messages that the rows are read for
    std::vector<Row> rows_;
    std::size_t next_ = 0; // of rows_
    bool more_ = false;    // there may be more behind rows_
};

} // namespace

TxnTask<Result<Email>> read_email(ReadTransaction& txn, AccountId owner, EmailId id) {
    const auto all = Key(owner, Table::Email).id(id);
    const auto end = all.end();
    MAILCORE_CO_TRY(auto rows, txn.range(all.str(), end, email_parts_max));
    if (rows.empty()) co_return fail(ErrorKind::NotFound, "email");
    auto octets = std::move(rows.front().value);
    for (auto row = rows.begin() + 1; row != rows.end(); ++row) octets += row->value;
    co_return detail::decode_email(id, std::move(octets));
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
                                            UidSet uids, Uid from, std::size_t messages_max,
                                            OnDamage on_damage) {
    MAILCORE_CO_TRY(const auto mailbox, mailbox_status(txn, access, ref, Right::Read));
    MessageBatch batch;
    co_return co_await detail::read_blocks<detail::MessageBlock>(
        txn, ref.owner, Table::Messages, ref.mailbox, mailbox.uidnext, std::move(uids), from,
        messages_max, on_damage, std::move(batch));
}

TxnTask<Result<EmailBatch>> read_emails(ReadTransaction& txn, Access access, MailboxRef ref,
                                        UidSet uids, Uid from, std::size_t emails_max,
                                        OnDamage on_damage, std::size_t octets_max) {
    MAILCORE_CO_TRY(auto listed, read_messages(txn, access, ref, std::move(uids), from,
                                               std::max<std::size_t>(emails_max, 1), on_damage));
    EmailBatch batch;
    batch.damaged = std::move(listed.damaged);
    batch.emails.reserve(std::min(listed.messages.size(), emails_max));
    std::size_t octets = 0;
    EmailWalk walk(txn, ref.owner, listed.messages);
    for (std::size_t at = 0; at < listed.messages.size(); ++at) {
        const auto& message = listed.messages[at];
        if (!batch.emails.empty() && (batch.emails.size() >= emails_max || octets >= octets_max)) {
            batch.next = message.uid;
            batch.damaged.uids.remove({message.uid, all_uids.last}); // told when they are read
            co_return batch;
        }
        auto email = co_await walk.read(at);
        if (!email && email.error().kind == ErrorKind::Corrupt && on_damage == OnDamage::PassOver) {
            batch.damaged.add(UidSet(message.uid), email.error());
            continue;
        }
        if (!email) co_return std::unexpected(std::move(email).error());
        octets += email->structure.size() + sizeof(Email);
        batch.emails.emplace_back(message.uid, std::move(*email));
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
            MAILCORE_CO_TRY(auto read,
                            store.read_blob(piece.blob, piece.offset + in_piece, wanted));
            if (read.empty())
                co_return fail(ErrorKind::Corrupt, "a body is shorter than its row says");
            offset += read.size();
            append_octets(out, std::move(read));
        }
        begin = end;
    }
    co_return out;
}

namespace {

/// How many octets from `offset` on are best read at once: to the end of the part of a body that
/// they end in.
std::uint64_t step_from(const std::vector<Piece>& pieces, std::uint64_t offset) {
    std::uint64_t begin = 0, step = 0;
    for (const auto& piece : pieces) {
        const auto end = begin + piece.length;
        if (offset + step < end) {
            const auto in_piece = offset + step - begin;
            const auto left = piece.length - in_piece;
            if (piece.blob.value != 0) {
                const auto part = blob_step_octets - (piece.offset + in_piece) % blob_step_octets;
                return step + std::min<std::uint64_t>(left, part);
            }
            step += left;
        }
        begin = end;
    }
    return step;
}

} // namespace

void PiecesReader::start(std::uint64_t offset, std::uint64_t octets) {
    at_ = offset;
    end_ = offset + octets;
    ahead_.clear();
    taken_ = 0;
}

Task<Result<std::string>> PiecesReader::next(std::size_t octets_max) {
    if (taken_ == ahead_.size()) {
        const auto step = std::min(step_from(pieces_, at_), end_ - at_);
        MAILCORE_CO_TRY(ahead_, read_octets(store_, pieces_, at_, static_cast<std::size_t>(step)));
        if (ahead_.empty() && at_ < end_ && end_ != UINT64_MAX)
            co_return fail(ErrorKind::Corrupt, "the octets end before they should");
        at_ += ahead_.size();
        taken_ = 0;
    }
    if (taken_ == 0 && ahead_.size() <= octets_max) co_return std::exchange(ahead_, {});
    auto piece = ahead_.substr(taken_, octets_max);
    taken_ += piece.size();
    if (taken_ == ahead_.size()) {
        std::string().swap(ahead_); // at rest nothing is held
        taken_ = 0;
    }
    co_return piece;
}

} // namespace mailcore::store
