#include "libmailcore/store/flags.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/store/detail/message_blocks.h"
#include "libmailcore/store/detail/model_rows.h"

#include <algorithm>

namespace mailcore::store {

namespace {

/// What a STORE comes down to in one mailbox.
struct FlagChange {
    StoreHow how = StoreHow::Add;
    SystemFlags system;         ///< asked for, and allowed
    std::uint64_t keywords = 0; ///< the same
    SystemFlags may_system;     ///< that may be changed at all
    bool may_keywords = false;

    /// The bitmap of a flag after the change, for the messages of `who`.
    [[nodiscard]] std::uint64_t apply(std::uint64_t old, std::uint64_t who, bool asked,
                                      bool may) const {
        if (!may) return old;
        switch (how) {
        case StoreHow::Add: return asked ? old | who : old;
        case StoreHow::Remove: return asked ? old & ~who : old;
        case StoreHow::Replace: return asked ? old | who : old & ~who;
        }
        return old;
    }
};

/// Changes the flags of `who`; answers for which of them anything is different now.
std::uint64_t apply(const FlagChange& change, detail::FlagBlock& block, std::uint64_t who) {
    std::uint64_t different = 0;
    for (std::size_t n = 0; n < detail::FlagBlock::system_flags; ++n) {
        const bool asked = (change.system.bits() >> n & 1) != 0;
        const bool may = (change.may_system.bits() >> n & 1) != 0;
        const auto now = change.apply(block.system[n], who, asked, may);
        different |= now ^ block.system[n];
        block.system[n] = now;
    }
    auto slots = change.keywords;
    if (change.how == StoreHow::Replace)
        for (const auto& [slot, whose] : block.keywords) slots |= std::uint64_t{1} << slot;
    detail::for_each_bit(slots, [&](unsigned bit) {
        const auto slot = static_cast<std::uint8_t>(bit);
        const auto old = block.with_keyword(slot);
        const bool asked = (change.keywords >> slot & 1) != 0;
        const auto now = change.apply(old, who, asked, change.may_keywords);
        different |= now ^ old;
        if (now != old) block.set_keyword(slot, now);
    });
    return different;
}

/// Those of `who` that were changed after `since`.
std::uint64_t changed_after(const detail::FlagBlock& block, std::uint64_t who, ModSeq since) {
    std::uint64_t changed = 0;
    detail::for_each_bit(who, [&](unsigned bit) {
        if (block.modseqs[bit] > since.value) changed |= std::uint64_t{1} << bit;
    });
    return changed;
}

} // namespace

bool is_keyword(std::string_view text) {
    if (text.empty() || text.size() > keyword_octets_max) return false;
    // RFC 9051 §9: atom-char; "]" belongs to it only in flags of old, and is not stored.
    constexpr std::string_view specials = "(){%*\"\\]";
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return codec::is_visible(c) && specials.find(c) == std::string_view::npos;
    });
}

TxnTask<Result<FlagsBatch>> read_flags(ReadTransaction& txn, Access access, MailboxRef ref,
                                       UidSet uids, Uid from, std::size_t messages_max,
                                       OnDamage on_damage) {
    MAILCORE_CO_TRY(const auto mailbox, mailbox_status(txn, access, ref, Right::Read));
    FlagsBatch batch;
    batch.highest_modseq = mailbox.highest_modseq;
    MAILCORE_CO_TRY(batch.keywords, detail::read_keywords(txn, ref.owner, ref.mailbox));
    co_return co_await detail::read_blocks<detail::FlagBlock>(
        txn, ref.owner, Table::Flags, ref.mailbox, mailbox.uidnext, std::move(uids), from,
        messages_max, on_damage, std::move(batch));
}

TxnTask<Result<StoredFlags>> store_flags(AccountEdit& edit, MailboxId id, StoreFlags store) {
    MAILCORE_CO_TRY(auto* mailbox, edit.mailbox(id, Right::Read));
    const auto rights = edit.rights(id);
    FlagChange change;
    change.how = store.how;
    change.may_system = detail::changeable(rights);
    change.may_keywords = rights.has(Right::Write);
    change.system = store.flags.system & change.may_system;
    const bool nothing_asked = store.flags.system.empty() && store.flags.keywords.empty();
    const bool nothing_allowed =
        store.how == StoreHow::Replace
            ? change.may_system.empty() && !change.may_keywords
            : change.system.empty() && (store.flags.keywords.empty() || !change.may_keywords);
    if (nothing_allowed && (!nothing_asked || store.how == StoreHow::Replace))
        co_return fail(ErrorKind::Rejected, "no right to change these flags");
    if (change.may_keywords) {
        const auto unknown = store.how == StoreHow::Remove ? detail::NewKeywords::Ignored
                                                           : detail::NewKeywords::Added;
        MAILCORE_CO_TRY(change.keywords,
                        detail::keyword_slots(edit, id, std::move(store.flags.keywords), unknown));
    }

    StoredFlags stored;
    Uid from{1};
    for (;;) {
        const auto span = detail::next_span(store.uids, from, mailbox->uidnext);
        if (!span) break;
        MAILCORE_CO_TRY(const auto rows, detail::block_rows(edit.txn(), edit.owner(), Table::Flags,
                                                            id, *span, detail::block_rows_at_once));
        for (const auto& row : rows) {
            const auto number = detail::key_u32(row.key, 4);
            const auto first = detail::first_uid(number);
            auto who = store.uids.bits(first);
            if (who == 0) continue; // only lies between others
            auto decoded = detail::FlagBlock::decode(row.value);
            if (!decoded) co_return std::unexpected(decoded.error());
            auto& block = *decoded;
            who &= block.present;
            if (store.unchanged_since) {
                const auto modified = changed_after(block, who, *store.unchanged_since);
                stored.modified.add_bits(first, modified);
                who &= ~modified;
            }
            stored.matched.add_bits(first, who);
            const auto was = block.outline();
            const auto unseen = block.present & ~block.with(Flag::Seen);
            const auto deleted = block.with(Flag::Deleted);
            const auto different = apply(change, block, who);
            if (different == 0) continue;
            const auto modseq = edit.modseq().value;
            detail::for_each_bit(different, [&](unsigned bit) { block.modseqs[bit] = modseq; });
            stored.changed.add_bits(first, different);
            mailbox->unseen += static_cast<std::uint32_t>(
                std::popcount(block.present & ~block.with(Flag::Seen)) - std::popcount(unseen));
            mailbox->deleted += static_cast<std::uint32_t>(
                std::popcount(block.with(Flag::Deleted)) - std::popcount(deleted));
            MAILCORE_CO_TRY(detail::put_flag_block(edit, id, number, block, was));
        }
        const auto done = rows.size() < detail::block_rows_at_once
                              ? span->last
                              : detail::key_u32(rows.back().key, 4);
        if (done >= detail::block_of(all_uids.last)) break;
        from = detail::first_uid(done + 1);
    }
    if (!stored.changed.empty()) {
        edit.messages_changed(*mailbox);
        stored.modseq = edit.modseq();
    }
    co_return stored;
}

} // namespace mailcore::store
