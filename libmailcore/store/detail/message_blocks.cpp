#include "libmailcore/store/detail/message_blocks.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/bytes.h"
#include "libmailcore/store/detail/model_rows.h"
#include "libmailcore/store/detail/overview.h"

#include <algorithm>
#include <set>

namespace mailcore::store::detail {

namespace {

using codec::Reader;
using codec::Writer;

constexpr std::uint64_t block_version = 1;

} // namespace

std::uint64_t FlagBlock::with_keyword(std::uint8_t slot) const {
    for (const auto& [own, who] : keywords)
        if (own == slot) return who;
    return 0;
}

void FlagBlock::set_keyword(std::uint8_t slot, std::uint64_t who) {
    auto at = std::lower_bound(
        keywords.begin(), keywords.end(), slot,
        [](const auto& entry, std::uint8_t wanted) { return entry.first < wanted; });
    const bool there = at != keywords.end() && at->first == slot;
    if (who == 0) {
        if (there) keywords.erase(at);
    } else if (there) {
        at->second = who;
    } else {
        keywords.insert(at, {slot, who});
    }
}

MessageFlags FlagBlock::at(std::uint32_t block, unsigned bit) const {
    MessageFlags flags;
    flags.uid = uid_at(block, bit);
    std::uint8_t bits = 0;
    for (std::size_t n = 0; n < system_flags; ++n)
        bits |= static_cast<std::uint8_t>((system[n] >> bit & 1) << n);
    flags.system = SystemFlags::from_bits(bits);
    for (const auto& [slot, who] : keywords) flags.keywords |= (who >> bit & 1) << slot;
    flags.modseq = ModSeq{modseqs[bit]};
    return flags;
}

void FlagBlock::put(unsigned bit, SystemFlags flags, std::uint64_t keyword_bits, ModSeq modseq) {
    const auto mask = std::uint64_t{1} << bit;
    present |= mask;
    for (std::size_t n = 0; n < system_flags; ++n)
        system[n] = (flags.bits() >> n & 1) != 0 ? system[n] | mask : system[n] & ~mask;
    for_each_bit(keyword_bits, [&](unsigned slot) {
        const auto own = static_cast<std::uint8_t>(slot);
        set_keyword(own, with_keyword(own) | mask);
    });
    modseqs[bit] = modseq.value;
}

void FlagBlock::remove(std::uint64_t bits) {
    present &= ~bits;
    for (auto& who : system) who &= ~bits;
    for (auto& [slot, who] : keywords) who &= ~bits;
    std::erase_if(keywords, [](const auto& entry) { return entry.second == 0; });
    for_each_bit(bits, [&](unsigned bit) { modseqs[bit] = 0; });
}

ModSeq FlagBlock::highest() const {
    std::uint64_t highest = 0;
    for_each_bit(present, [&](unsigned bit) { highest = std::max(highest, modseqs[bit]); });
    return ModSeq{highest};
}

BlockOutline FlagBlock::outline() const {
    BlockOutline outline;
    outline.highest = highest();
    outline.some = present != 0;
    outline.full = present == ~std::uint64_t{0};
    outline.unseen = (present & ~with(Flag::Seen)) != 0;
    outline.deleted = (present & with(Flag::Deleted)) != 0;
    return outline;
}

// version; present; which system flags nobody, all or some have; bitmaps of those that some have;
// keywords; mod-sequences as differences, with a run length where neighbours are equal.
std::string FlagBlock::encode() const {
    std::string row;
    row.reserve(192);
    Writer writer(row);
    std::uint8_t some = 0;
    std::uint8_t all = 0;
    for (std::size_t n = 0; n < system_flags; ++n) {
        if (system[n] == present)
            all |= static_cast<std::uint8_t>(1U << n);
        else if (system[n] != 0)
            some |= static_cast<std::uint8_t>(1U << n);
    }
    writer.varint(block_version).u64le(present).u8(all).u8(some);
    for (std::size_t n = 0; n < system_flags; ++n)
        if ((some >> n & 1) != 0) writer.u64le(system[n]);
    writer.u8(static_cast<std::uint8_t>(keywords.size()));
    for (const auto& [slot, who] : keywords) writer.u8(slot).u64le(who);
    std::uint64_t last = 0;
    for (auto rest = present; rest != 0;) {
        const auto value = modseqs[static_cast<std::size_t>(std::countr_zero(rest))];
        std::uint64_t run = 0;
        while (rest != 0 && modseqs[static_cast<std::size_t>(std::countr_zero(rest))] == value) {
            ++run;
            rest &= rest - 1;
        }
        const auto step = static_cast<std::int64_t>(value - last) * 2;
        writer.svarint(run > 1 ? step + 1 : step);
        if (run > 1) writer.varint(run);
        last = value;
    }
    return row;
}

Result<FlagBlock> FlagBlock::decode(std::string_view row) {
    Reader reader(row);
    FlagBlock block;
    if (reader.varint() != block_version)
        return fail(ErrorKind::Corrupt, "flags of unknown version");
    block.present = reader.u64le();
    const auto all = reader.u8();
    const auto some = reader.u8();
    for (std::size_t n = 0; n < system_flags; ++n) {
        if ((all >> n & 1) != 0)
            block.system[n] = block.present;
        else if ((some >> n & 1) != 0)
            block.system[n] = reader.u64le();
    }
    const auto keywords = reader.u8();
    for (unsigned n = 0; n < keywords && reader.ok(); ++n) {
        const auto slot = reader.u8();
        const auto who = reader.u64le();
        if (slot >= keywords_max) reader.fail();
        block.keywords.emplace_back(slot, who);
    }
    std::uint64_t last = 0;
    for (auto rest = block.present; rest != 0 && reader.ok();) {
        const auto step = reader.svarint();
        last += static_cast<std::uint64_t>(step >> 1);
        for (auto run = (step & 1) != 0 ? reader.varint() : 1; run > 0; --run) {
            if (rest == 0) reader.fail();
            if (!reader.ok()) break;
            block.modseqs[static_cast<std::size_t>(std::countr_zero(rest))] = last;
            rest &= rest - 1;
        }
    }
    if (!reader.at_end()) return fail(ErrorKind::Corrupt, "row of flags");
    return block;
}

Result<FlagSummary> FlagSummary::decode(std::string_view row) {
    Reader reader(row);
    FlagSummary summary;
    if (reader.varint() != block_version)
        return fail(ErrorKind::Corrupt, "flags of unknown version");
    summary.present = reader.u64le();
    const auto all = reader.u8();
    const auto some = reader.u8();
    if ((all & 1) != 0)
        summary.seen = summary.present;
    else if ((some & 1) != 0)
        summary.seen = reader.u64le(); // \Seen is the first of them
    if (!reader.ok()) return fail(ErrorKind::Corrupt, "row of flags");
    return summary;
}

Message MessageBlock::at(std::uint32_t block, unsigned bit) const {
    const auto& entry = entries[bit];
    Message message;
    message.uid = uid_at(block, bit);
    message.email = entry.email;
    message.size = entry.size;
    message.received = entry.received;
    return message;
}

void MessageBlock::put(unsigned bit, const Entry& entry) {
    present |= std::uint64_t{1} << bit;
    entries[bit] = entry;
}

// version; present; for each message email, size, time and zone, all but the size as differences.
std::string MessageBlock::encode() const {
    std::string row;
    row.reserve(640);
    Writer writer(row);
    writer.varint(block_version).u64le(present);
    std::uint64_t email = 0;
    std::int64_t at = 0;
    int zone = 0;
    for_each_bit(present, [&](unsigned bit) {
        const auto& entry = entries[bit];
        const auto seconds = base::unix_seconds(entry.received.at);
        writer.svarint(static_cast<std::int64_t>(entry.email.value - email))
            .varint(entry.size)
            .svarint(seconds - at)
            .svarint(entry.received.zone_minutes - zone);
        email = entry.email.value;
        at = seconds;
        zone = entry.received.zone_minutes;
    });
    return row;
}

Result<MessageBlock> MessageBlock::decode(std::string_view row) {
    Reader reader(row);
    MessageBlock block;
    if (reader.varint() != block_version)
        return fail(ErrorKind::Corrupt, "messages of unknown version");
    block.present = reader.u64le();
    std::uint64_t email = 0, at = 0, zone = 0; // a damaged row may take them anywhere
    for (auto rest = block.present; rest != 0 && reader.ok(); rest &= rest - 1) {
        auto& entry = block.entries[static_cast<std::size_t>(std::countr_zero(rest))];
        email += static_cast<std::uint64_t>(reader.svarint());
        entry.email = EmailId{email};
        entry.size = reader.varint();
        at += static_cast<std::uint64_t>(reader.svarint());
        entry.received.at = base::wall_time(static_cast<std::int64_t>(at));
        zone += static_cast<std::uint64_t>(reader.svarint());
        entry.received.zone_minutes = static_cast<std::int16_t>(zone);
    }
    if (!reader.at_end()) return fail(ErrorKind::Corrupt, "row of messages");
    return block;
}

std::optional<BlockSpan> next_span(const UidSet& uids, Uid from, Uid uidnext) {
    if (from >= uidnext) return std::nullopt;
    const auto& ranges = uids.ranges();
    auto at = std::lower_bound(ranges.begin(), ranges.end(), from,
                               [](const UidRange& range, Uid uid) { return range.last < uid; });
    if (at == ranges.end() || at->first >= uidnext) return std::nullopt;
    const Uid end{uidnext.value - 1};
    BlockSpan span;
    span.first = block_of(std::max(at->first, from));
    span.last = block_of(std::min(at->last, end));
    // Neighbouring blocks are cheaper to pass over than to look up.
    constexpr std::uint32_t gap_max = 4;
    for (++at;
         at != ranges.end() && at->first < uidnext && block_of(at->first) <= span.last + gap_max;
         ++at)
        span.last = block_of(std::min(at->last, end));
    return span;
}

Key block_key(AccountId owner, Table table, MailboxId mailbox, std::uint32_t block) {
    Key key(owner, table);
    key.id(mailbox).u32(block);
    return key;
}

TxnTask<Result<std::vector<Row>>> block_rows(ReadTransaction& txn, AccountId owner, Table table,
                                             MailboxId mailbox, BlockSpan span,
                                             std::size_t rows_max) {
    const auto from = block_key(owner, table, mailbox, span.first).str();
    const auto to = block_key(owner, table, mailbox, span.last).end();
    co_return co_await txn.range(from, to, rows_max);
}

TxnTask<Result<FlagBlock>> read_flag_block(ReadTransaction& txn, AccountId owner, MailboxId mailbox,
                                           std::uint32_t block) {
    const auto key = block_key(owner, Table::Flags, mailbox, block).str();
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    if (!row) co_return FlagBlock{};
    co_return FlagBlock::decode(*row);
}

TxnTask<Result<MessageBlock>> read_message_block(ReadTransaction& txn, AccountId owner,
                                                 MailboxId mailbox, std::uint32_t block) {
    const auto key = block_key(owner, Table::Messages, mailbox, block).str();
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    if (!row) co_return MessageBlock{};
    co_return MessageBlock::decode(*row);
}

TxnTask<Result<void>> put_flag_block(AccountEdit& edit, MailboxId mailbox, std::uint32_t block,
                                     const FlagBlock& now, BlockOutline was) {
    auto& txn = edit.txn();
    const auto index = [&](ModSeq highest) {
        return Key(edit.owner(), Table::Changed).id(mailbox).u64(highest.value).u32(block).str();
    };
    auto key = block_key(edit.owner(), Table::Flags, mailbox, block).str();
    const auto outline = now.outline();
    if (was.highest != outline.highest) {
        if (was.some) txn.erase(index(was.highest));
        if (outline.some) txn.put(index(outline.highest), encode_mark());
    }
    if (!outline.some)
        txn.erase(std::move(key));
    else
        txn.put(std::move(key), now.encode());
    was.highest = outline.highest;
    if (was != outline) co_return co_await note_block(edit, mailbox, block, outline);
    co_return Result<void>{};
}

void put_message_block(AccountEdit& edit, MailboxId mailbox, std::uint32_t block,
                       const MessageBlock& now) {
    auto key = block_key(edit.owner(), Table::Messages, mailbox, block).str();
    if (now.present == 0)
        edit.txn().erase(std::move(key));
    else
        edit.txn().put(std::move(key), now.encode());
}

TxnTask<Result<std::vector<std::string>>> read_keywords(ReadTransaction& txn, AccountId owner,
                                                        MailboxId mailbox) {
    const auto key = Key(owner, Table::Keywords).id(mailbox).str();
    MAILCORE_CO_TRY(const auto row, txn.get(key));
    if (!row) co_return std::vector<std::string>{};
    auto names = decode_texts(*row);
    if (names && names->size() > keywords_max)
        co_return corrupt("keywords of mailbox", mailbox.value);
    co_return names;
}

namespace {

/// Frees the slots of keywords that no message has. Looks at the whole mailbox: only when all are
/// taken.
TxnTask<Result<bool>> free_unused(AccountEdit& edit, MailboxId mailbox,
                                  std::vector<std::string>& names) {
    std::uint64_t used = 0;
    BlockSpan span;
    span.last = block_of(all_uids.last);
    for (;;) {
        MAILCORE_CO_TRY(const auto rows,
                        block_rows(edit.txn(), edit.owner(), Table::Flags, mailbox, span, 512));
        for (const auto& row : rows) {
            const auto block = FlagBlock::decode(row.value);
            if (!block) co_return std::unexpected(block.error());
            for (const auto& [slot, who] : block->keywords) used |= std::uint64_t{1} << slot;
        }
        if (rows.size() < 512) break;
        span.first = key_u32(rows.back().key, 4) + 1;
    }
    for (std::size_t slot = 0; slot < names.size(); ++slot)
        if ((used >> slot & 1) == 0) names[slot].clear();
    co_return ~used != 0;
}

} // namespace

TxnTask<Result<std::uint64_t>> keyword_slots(AccountEdit& edit, MailboxId mailbox,
                                             std::vector<std::string> wanted, NewKeywords unknown) {
    if (wanted.empty()) co_return std::uint64_t{0};
    MAILCORE_CO_TRY(auto names, read_keywords(edit.txn(), edit.owner(), mailbox));
    std::uint64_t slots = 0;
    bool looked = false;
    bool added = false;
    for (const auto& keyword : wanted) {
        if (!is_keyword(keyword)) co_return fail(ErrorKind::Rejected, "no keyword");
        const auto is_it = [&](const std::string& name) {
            return codec::equal_ignoring_case(name, keyword);
        };
        auto at = std::find_if(names.begin(), names.end(), is_it);
        if (at == names.end()) {
            if (unknown == NewKeywords::Ignored) continue;
            // What was asked for in this call already must not be taken for unused.
            const auto is_free = [&](const std::string& name) {
                return name.empty() && (slots >> (&name - names.data()) & 1) == 0;
            };
            at = std::find_if(names.begin(), names.end(), is_free);
            if (at == names.end() && names.size() == keywords_max && !looked) {
                auto kept = names;
                looked = true;
                MAILCORE_CO_TRY(free_unused(edit, mailbox, names));
                for (std::size_t slot = 0; slot < names.size(); ++slot)
                    if ((slots >> slot & 1) != 0) names[slot] = std::move(kept[slot]);
                at = std::find_if(names.begin(), names.end(), is_free);
            }
            if (at == names.end() && names.size() < keywords_max)
                at = names.insert(names.end(), "");
            if (at == names.end())
                co_return fail(ErrorKind::LimitExceeded, "keywords of a mailbox");
            *at = keyword;
            added = true;
        }
        slots |= std::uint64_t{1} << (at - names.begin());
    }
    if (added)
        edit.txn().put(Key(edit.owner(), Table::Keywords).id(mailbox).str(), encode_texts(names));
    co_return slots;
}

SystemFlags changeable(Rights rights) {
    SystemFlags flags;
    if (rights.has(Right::KeepSeen)) flags = flags | Flag::Seen;
    if (rights.has(Right::DeleteMessages)) flags = flags | Flag::Deleted;
    if (rights.has(Right::Write)) flags = flags | Flag::Answered | Flag::Flagged | Flag::Draft;
    return flags;
}

TxnTask<Result<Uid>> Appender::add(MessageBlock::Entry entry, SystemFlags flags,
                                   std::uint64_t keywords) {
    const auto uid = mailbox_.uidnext;
    if (uid == all_uids.last)
        co_return fail(ErrorKind::LimitExceeded, "the mailbox has no UID left");
    const auto block = block_of(uid);
    if (open_ && block != block_) {
        MAILCORE_CO_TRY(flush());
    }
    if (!open_) {
        block_ = block;
        MAILCORE_CO_TRY(flags_, read_flag_block(edit_.txn(), edit_.owner(), mailbox_.id, block));
        MAILCORE_CO_TRY(messages_,
                        read_message_block(edit_.txn(), edit_.owner(), mailbox_.id, block));
        was_ = flags_.outline();
        open_ = true;
    }
    const auto bit = bit_of(uid);
    flags_.put(bit, flags, keywords, edit_.modseq());
    messages_.put(bit, entry);
    edit_.txn().put(
        Key(edit_.owner(), Table::Membership).id(entry.email).id(mailbox_.id).u32(uid.value).str(),
        encode_mark());
    mailbox_.uidnext = Uid{uid.value + 1};
    ++mailbox_.exists;
    if (!flags.has(Flag::Seen)) ++mailbox_.unseen;
    if (flags.has(Flag::Deleted)) ++mailbox_.deleted;
    mailbox_.octets += entry.size;
    co_return uid;
}

TxnTask<Result<void>> Appender::flush() {
    if (!open_) co_return Result<void>{};
    MAILCORE_CO_TRY(put_flag_block(edit_, mailbox_.id, block_, flags_, was_));
    put_message_block(edit_, mailbox_.id, block_, messages_);
    edit_.messages_changed(mailbox_);
    open_ = false;
    co_return Result<void>{};
}

TxnTask<Result<std::vector<FiledMessage>>> take_messages(AccountEdit& edit, Mailbox& mailbox,
                                                         std::uint32_t block, std::uint64_t bits) {
    MAILCORE_CO_TRY(auto flags, read_flag_block(edit.txn(), edit.owner(), mailbox.id, block));
    std::vector<FiledMessage> taken;
    bits &= flags.present;
    if (bits == 0) co_return taken;
    MAILCORE_CO_TRY(auto messages, read_message_block(edit.txn(), edit.owner(), mailbox.id, block));
    if ((bits & ~messages.present) != 0)
        co_return corrupt("blocks disagree in mailbox", mailbox.id.value);
    const auto was = flags.outline();
    for_each_bit(bits, [&](unsigned bit) {
        FiledMessage one;
        one.message = messages.at(block, bit);
        one.flags = flags.at(block, bit);
        edit.txn().erase(Key(edit.owner(), Table::Membership)
                             .id(one.message.email)
                             .id(mailbox.id)
                             .u32(one.message.uid.value)
                             .str());
        --mailbox.exists;
        if (!one.flags.system.has(Flag::Seen)) --mailbox.unseen;
        if (one.flags.system.has(Flag::Deleted)) --mailbox.deleted;
        mailbox.octets -= one.message.size;
        taken.push_back(std::move(one));
    });
    flags.remove(bits);
    messages.remove(bits);
    MAILCORE_CO_TRY(put_flag_block(edit, mailbox.id, block, flags, was));
    put_message_block(edit, mailbox.id, block, messages);
    co_return taken;
}

TxnTask<Result<void>> destroy_orphans(AccountEdit& edit, std::vector<EmailId> emails) {
    std::sort(emails.begin(), emails.end());
    emails.erase(std::unique(emails.begin(), emails.end()), emails.end());
    auto& txn = edit.txn();
    for (const auto id : emails) {
        MAILCORE_CO_TRY(const auto places, memberships(txn, edit.owner(), id, 1));
        if (!places.empty()) continue;
        MAILCORE_CO_TRY(const auto email, read_email(txn, edit.owner(), id));
        const auto all = Key(edit.owner(), Table::Email).id(id);
        std::set<BlobId> blobs;
        for (const auto& piece : email.pieces)
            if (piece.blob.value != 0) blobs.insert(piece.blob);
        for (const auto blob : blobs) {
            MAILCORE_CO_TRY(txn.release(blob, all.str()));
        }
        leave_thread(edit, id, email.thread, email.thread_keys);
        const auto parts = encode(email).size();
        for (std::size_t part = 0; part < parts; ++part)
            txn.erase(Key(all).u16(static_cast<std::uint16_t>(part)).str());
        auto& usage = edit.change_state().quota.usage;
        usage.octets -= std::min(usage.octets, email.size);
        usage.messages -= std::min<std::uint64_t>(usage.messages, 1);
        edit.email_destroyed(id);
    }
    co_return Result<void>{};
}

} // namespace mailcore::store::detail
