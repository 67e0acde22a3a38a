#include "libmailcore/store/changes.h"

#include "libmailcore/store/detail/message_blocks.h"
#include "libmailcore/store/detail/model_rows.h"
#include "libmailcore/store/detail/overview.h"

#include <algorithm>
#include <array>
#include <bit>

namespace mailcore::store {

namespace {

/// Who is there, and who of them is the first unread. Reads the rows of those blocks only of which
/// some UIDs are there and others missing.
struct Present {
    UidSet uids;
    std::optional<Uid> first_unseen;
};
TxnTask<Result<Present>> read_present(ReadTransaction& txn, MailboxRef ref, Uid uidnext) {
    constexpr auto blocks = detail::Overview::blocks;
    Present present;
    MAILCORE_CO_TRY(const auto overviews,
                    detail::read_overviews(txn, ref.owner, ref.mailbox, uidnext));
    for (std::size_t number = 0; number < overviews.size(); ++number) {
        const auto& overview = overviews[number];
        const auto first = static_cast<std::uint32_t>(number) * blocks;
        // To be looked into: those in part there, and the first that has something unread.
        auto wanted = overview.some & ~overview.full;
        if (!present.first_unseen) wanted |= overview.unseen & (~overview.unseen + 1);
        std::array<detail::FlagSummary, blocks> summaries{};
        if (wanted != 0) {
            detail::BlockSpan span;
            span.first = first + static_cast<unsigned>(std::countr_zero(wanted));
            span.last = first + (blocks - 1) - static_cast<unsigned>(std::countl_zero(wanted));
            MAILCORE_CO_TRY(const auto rows, detail::block_rows(txn, ref.owner, Table::Flags,
                                                                ref.mailbox, span, blocks));
            for (const auto& row : rows) {
                const auto bit = detail::key_u32(row.key, 4) % blocks;
                if ((wanted >> bit & 1) == 0) continue;
                const auto summary = detail::FlagSummary::decode(row.value);
                if (!summary) co_return std::unexpected(summary.error());
                summaries[bit] = *summary;
            }
        }
        detail::for_each_bit(overview.some, [&](unsigned bit) {
            const auto& summary = summaries[bit];
            const bool full = (overview.full >> bit & 1) != 0;
            present.uids.add_bits(detail::first_uid(first + bit),
                                  full ? ~std::uint64_t{0} : summary.present);
            const auto unseen = summary.present & ~summary.seen;
            if (unseen != 0 && !present.first_unseen)
                present.first_unseen =
                    detail::uid_at(first + bit, static_cast<unsigned>(std::countr_zero(unseen)));
        });
    }
    co_return present;
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
        MAILCORE_CO_TRY(const auto present, read_present(txn, ref, changes.mailbox.uidnext));
        changes.vanished = changes.vanished.without(present.uids);
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
    MAILCORE_CO_TRY(auto present, read_present(txn, ref, snapshot.mailbox.uidnext));
    snapshot.uids = std::move(present.uids);
    snapshot.first_unseen = present.first_unseen;
    for (const auto& range : snapshot.uids.ranges()) {
        const auto first = std::max(range.first, snapshot.mailbox.recent_from);
        if (first <= range.last) snapshot.recent += range.last.value - first.value + 1;
    }
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
