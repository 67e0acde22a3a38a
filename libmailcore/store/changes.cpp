#include "libmailcore/store/changes.h"

#include "libmailcore/store/detail/message_blocks.h"
#include "libmailcore/store/detail/model_rows.h"

#include <algorithm>

namespace mailcore::store {

namespace {

/// Calls `visit(block number, summary)` for all blocks of a mailbox from `first` on.
template <class Visit>
TxnTask<Result<void>> summarise(ReadTransaction& txn, MailboxRef ref, std::uint32_t first,
                                Visit& visit) {
    constexpr std::size_t rows_max = 1'024;
    detail::BlockSpan span{first, detail::block_of(all_uids.last)};
    for (;;) {
        MAILCORE_CO_TRY(const auto rows, detail::block_rows(txn, ref.owner, Table::Flags,
                                                            ref.mailbox, span, rows_max));
        for (const auto& row : rows) {
            const auto summary = detail::FlagSummary::decode(row.value);
            if (!summary) co_return std::unexpected(summary.error());
            visit(detail::key_u32(row.key, 4), *summary);
        }
        if (rows.size() < rows_max) co_return Result<void>{};
        span.first = detail::key_u32(rows.back().key, 4) + 1;
    }
}

/// Blocks with something changed after `since`, ascending.
TxnTask<Result<std::vector<std::uint32_t>>> changed_blocks(ReadTransaction& txn, MailboxRef ref,
                                                           ModSeq since) {
    constexpr std::size_t rows_max = 1'024;
    std::vector<std::uint32_t> blocks;
    const auto all = Key(ref.owner, Table::Changed).id(ref.mailbox);
    const auto end = all.end();
    auto from = Key(all).u64(since.value + 1).str();
    for (;;) {
        MAILCORE_CO_TRY(const auto rows, txn.range(from, end, rows_max));
        for (const auto& row : rows) blocks.push_back(detail::key_u32(row.key, 4));
        if (rows.size() < rows_max) break;
        from = rows.back().key + '\0';
    }
    std::sort(blocks.begin(), blocks.end());
    co_return blocks;
}

TxnTask<Result<void>> read_vanished(ReadTransaction& txn, MailboxRef ref, ModSeq since,
                                    MailboxChanges& changes) {
    changes.exact = since >= changes.mailbox.vanished_floor;
    if (!changes.exact) {
        // All that could ever have been here, without what still is.
        if (changes.mailbox.uidnext.value > 1)
            changes.vanished.add(UidRange{Uid{1}, Uid{changes.mailbox.uidnext.value - 1}});
        UidSet present;
        const auto visit = [&](std::uint32_t block, const detail::FlagSummary& summary) {
            present.add_bits(detail::first_uid(block), summary.present);
        };
        MAILCORE_CO_TRY(summarise(txn, ref, 0, visit));
        changes.vanished = changes.vanished.without(present);
        co_return Result<void>{};
    }
    const auto all = Key(ref.owner, Table::Vanished).id(ref.mailbox);
    const auto end = all.end();
    auto from = Key(all).u64(since.value + 1).str();
    for (;;) {
        MAILCORE_CO_TRY(const auto rows, txn.range(from, end, 256));
        for (const auto& row : rows) {
            const auto decoded = detail::decode_uids(row.value, changes.vanished);
            if (!decoded) co_return std::unexpected(decoded.error());
        }
        if (rows.size() < 256) co_return Result<void>{};
        from = rows.back().key + '\0';
    }
}

} // namespace

TxnTask<Result<MailboxSnapshot>> open_mailbox(ReadTransaction& txn, Access access, MailboxRef ref) {
    MailboxSnapshot snapshot;
    MAILCORE_CO_TRY(snapshot.mailbox, mailbox_status(txn, access, ref, Right::Read));
    MAILCORE_CO_TRY(snapshot.rights, rights_of(txn, access, ref));
    MAILCORE_CO_TRY(snapshot.keywords, detail::read_keywords(txn, ref.owner, ref.mailbox));
    if (snapshot.mailbox.exists == 0) co_return snapshot;
    const auto recent_from = snapshot.mailbox.recent_from;
    const auto visit = [&](std::uint32_t block, const detail::FlagSummary& summary) {
        const auto first = detail::first_uid(block);
        snapshot.uids.add_bits(first, summary.present);
        const auto unseen = summary.present & ~summary.seen;
        if (unseen != 0 && !snapshot.first_unseen)
            snapshot.first_unseen =
                detail::uid_at(block, static_cast<unsigned>(std::countr_zero(unseen)));
        if (recent_from.value >= first.value + 64) return;
        auto recent = summary.present;
        if (recent_from > first) recent &= ~std::uint64_t{0} << detail::bit_of(recent_from);
        snapshot.recent += static_cast<std::uint32_t>(std::popcount(recent));
    };
    MAILCORE_CO_TRY(summarise(txn, ref, 0, visit));
    co_return snapshot;
}

TxnTask<Result<MailboxChanges>> changes_since(ReadTransaction& txn, Access access, MailboxRef ref,
                                              ModSeq since) {
    MailboxChanges changes;
    MAILCORE_CO_TRY(changes.mailbox, mailbox_status(txn, access, ref, Right::Read));
    MAILCORE_CO_TRY(changes.keywords, detail::read_keywords(txn, ref.owner, ref.mailbox));
    if (since >= changes.mailbox.highest_modseq) co_return changes;
    MAILCORE_CO_TRY(const auto blocks, changed_blocks(txn, ref, since));
    for (std::size_t at = 0; at < blocks.size();) {
        // A run of neighbours is read in one go.
        auto end = at + 1;
        while (end < blocks.size() && end - at < detail::block_rows_at_once &&
               blocks[end] == blocks[end - 1] + 1)
            ++end;
        const detail::BlockSpan span{blocks[at], blocks[end - 1]};
        MAILCORE_CO_TRY(const auto rows, detail::block_rows(txn, ref.owner, Table::Flags,
                                                            ref.mailbox, span, end - at));
        for (const auto& row : rows) {
            const auto number = detail::key_u32(row.key, 4);
            const auto block = detail::FlagBlock::decode(row.value);
            if (!block) co_return std::unexpected(block.error());
            detail::for_each_bit(block->present, [&](unsigned bit) {
                if (block->modseqs[bit] > since.value)
                    changes.changed.push_back(block->at(number, bit));
            });
        }
        at = end;
    }
    MAILCORE_CO_TRY(read_vanished(txn, ref, since, changes));
    co_return changes;
}

} // namespace mailcore::store
