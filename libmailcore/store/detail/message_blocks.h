// 64 UIDs a row: flags with mod-sequences in one table, emails with sizes and dates in another.
#pragma once

#include "libmailcore/store/account.h"
#include "libmailcore/store/detail/model_rows.h"
#include "libmailcore/store/email.h"
#include "libmailcore/store/flags.h"
#include "libmailcore/store/keys.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailcore::store::detail {

/// Block 0 holds the UIDs 1 to 64.
[[nodiscard]] constexpr std::uint32_t block_of(Uid uid) { return (uid.value - 1) / 64; }
[[nodiscard]] constexpr unsigned bit_of(Uid uid) { return (uid.value - 1) % 64; }
[[nodiscard]] constexpr Uid first_uid(std::uint32_t block) { return Uid{block * 64 + 1}; }
[[nodiscard]] constexpr Uid uid_at(std::uint32_t block, unsigned bit) {
    return Uid{block * 64 + 1 + bit};
}

/// Calls `function(bit number)` for each bit that is set, lowest first.
template <class Function>
constexpr void for_each_bit(std::uint64_t bits, Function function) {
    for (; bits != 0; bits &= bits - 1) function(static_cast<unsigned>(std::countr_zero(bits)));
}

/// What other rows know of a block of flags.
struct BlockOutline {
    ModSeq highest;       ///< of its messages; the change index has it
    bool some = false;    ///< the rest stands in the overview
    bool full = false;    ///< all 64 UIDs
    bool unseen = false;  ///< a message without \Seen
    bool deleted = false; ///< one with \Deleted
    friend bool operator==(const BlockOutline&, const BlockOutline&) = default;
};

struct FlagBlock {
    static constexpr std::size_t system_flags = 5;

    std::uint64_t present = 0;
    std::array<std::uint64_t, system_flags> system{}; ///< by the number of the bit in SystemFlags
    std::vector<std::pair<std::uint8_t, std::uint64_t>> keywords; ///< slot, who has it; by slot
    std::array<std::uint64_t, 64> modseqs{};                      ///< of those present

    [[nodiscard]] std::uint64_t with(Flag flag) const {
        return system[static_cast<std::size_t>(std::countr_zero(static_cast<std::uint8_t>(flag)))];
    }
    [[nodiscard]] std::uint64_t with_keyword(std::uint8_t slot) const;
    void set_keyword(std::uint8_t slot, std::uint64_t who);
    [[nodiscard]] MessageFlags at(std::uint32_t block, unsigned bit) const;
    void put(unsigned bit, SystemFlags flags, std::uint64_t keyword_bits, ModSeq modseq);
    void remove(std::uint64_t bits);
    [[nodiscard]] ModSeq highest() const;
    [[nodiscard]] BlockOutline outline() const;

    [[nodiscard]] std::string encode() const;
    [[nodiscard]] static Result<FlagBlock> decode(std::string_view row);
    friend bool operator==(const FlagBlock&, const FlagBlock&) = default;
};

/// Only who is there and who is unread, without reading the rest of the row.
struct FlagSummary {
    std::uint64_t present = 0;
    std::uint64_t seen = 0;
    [[nodiscard]] static Result<FlagSummary> decode(std::string_view row);
};

struct MessageBlock {
    struct Entry {
        EmailId email;
        std::uint64_t size = 0;
        Received received;
        friend bool operator==(const Entry&, const Entry&) = default;
    };
    std::uint64_t present = 0;
    std::array<Entry, 64> entries{}; ///< of those present

    [[nodiscard]] Message at(std::uint32_t block, unsigned bit) const;
    void put(unsigned bit, const Entry& entry);
    void remove(std::uint64_t bits) { present &= ~bits; }

    [[nodiscard]] std::string encode() const;
    [[nodiscard]] static Result<MessageBlock> decode(std::string_view row);
};

/// A stretch of neighbouring blocks that hold wanted UIDs.
struct BlockSpan {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
};
/// The first stretch of blocks with UIDs of `uids` from `from` on, not beyond `uidnext`; nothing:
/// none.
[[nodiscard]] std::optional<BlockSpan> next_span(const UidSet& uids, Uid from, Uid uidnext);

/// Rows of blocks that are read in one go.
inline constexpr std::size_t block_rows_at_once = 256;

/// Key of a block in `table`; `end` is the key behind it.
[[nodiscard]] Key block_key(AccountId owner, Table table, MailboxId mailbox, std::uint32_t block);
/// Rows of a table between two blocks, both included, at most `rows_max`.
TxnTask<Result<std::vector<Row>>> block_rows(ReadTransaction& txn, AccountId owner, Table table,
                                             MailboxId mailbox, BlockSpan span,
                                             std::size_t rows_max);

/// Adds to `batch.messages` what blocks of `table` say of `uids` from `from` on, until it has about
/// `messages_max` (whole blocks of 64); `batch.next` then says where to go on. Flags and messages
/// of the same UIDs stop at the same one.
template <class Block, class Batch>
TxnTask<Result<Batch>> read_blocks(ReadTransaction& txn, AccountId owner, Table table,
                                   MailboxId mailbox, Uid uidnext, UidSet uids, Uid from,
                                   std::size_t messages_max, OnDamage on_damage, Batch batch) {
    for (;;) {
        const auto span = next_span(uids, from, uidnext);
        if (!span) break;
        if (batch.messages.size() >= messages_max) {
            batch.next = from;
            break;
        }
        const auto rows_max =
            std::min(block_rows_at_once, (messages_max - batch.messages.size() + 63) / 64);
        MAILCORE_CO_TRY(const auto rows, block_rows(txn, owner, table, mailbox, *span, rows_max));
        for (const auto& row : rows) {
            const auto block = key_u32(row.key, 4);
            auto bits = uids.bits(first_uid(block));
            if (first_uid(block) < from) bits &= ~std::uint64_t{0} << bit_of(from);
            if (bits == 0) continue; // only lies between others
            const auto decoded = Block::decode(row.value);
            if (!decoded) {
                if (on_damage == OnDamage::Fail) co_return std::unexpected(decoded.error());
                UidSet unknown;
                unknown.add_bits(first_uid(block), bits);
                batch.damaged.add(unknown, decoded.error());
                continue;
            }
            bits &= decoded->present;
            for_each_bit(bits,
                         [&](unsigned bit) { batch.messages.push_back(decoded->at(block, bit)); });
        }
        const auto done = rows.size() < rows_max ? span->last : key_u32(rows.back().key, 4);
        if (done >= block_of(all_uids.last)) break;
        from = first_uid(done + 1);
    }
    co_return batch;
}

/// An empty block if there is no such row.
TxnTask<Result<FlagBlock>> read_flag_block(ReadTransaction& txn, AccountId owner, MailboxId mailbox,
                                           std::uint32_t block);
TxnTask<Result<MessageBlock>> read_message_block(ReadTransaction& txn, AccountId owner,
                                                 MailboxId mailbox, std::uint32_t block);
/// Puts or, when it is empty, erases a block, moves its entry in the change index and notes in the
/// overview what is different from what it `was` before.
TxnTask<Result<void>> put_flag_block(AccountEdit& edit, MailboxId mailbox, std::uint32_t block,
                                     const FlagBlock& now, BlockOutline was);
void put_message_block(AccountEdit& edit, MailboxId mailbox, std::uint32_t block,
                       const MessageBlock& now);

/// Names of a mailbox's keywords by slot; an empty one is free.
TxnTask<Result<std::vector<std::string>>> read_keywords(ReadTransaction& txn, AccountId owner,
                                                        MailboxId mailbox);
enum class NewKeywords : std::uint8_t { Ignored, Added };
/// The slots of these keywords. LimitExceeded: all slots are taken. Rejected: no keyword.
TxnTask<Result<std::uint64_t>> keyword_slots(AccountEdit& edit, MailboxId mailbox,
                                             std::vector<std::string> names, NewKeywords unknown);

/// What of these flags somebody with `rights` may change.
[[nodiscard]] SystemFlags changeable(Rights rights);

/// A message with all that belongs to its membership.
struct FiledMessage {
    Message message;
    MessageFlags flags;
};
/// Adds messages at the end of a mailbox, a block at a time.
class Appender {
  public:
    Appender(AccountEdit& edit, Mailbox& mailbox) : edit_(edit), mailbox_(mailbox) {}
    Appender(const Appender&) = delete;
    /// The UID it got. LimitExceeded: the mailbox has none left. `flush` after the last.
    TxnTask<Result<Uid>> add(MessageBlock::Entry entry, SystemFlags flags, std::uint64_t keywords);
    TxnTask<Result<void>> flush();

  private:
    AccountEdit& edit_;
    Mailbox& mailbox_;
    bool open_ = false;
    std::uint32_t block_ = 0;
    FlagBlock flags_;
    MessageBlock messages_;
    BlockOutline was_;
};

/// Takes messages out of one block: flags, counts, membership rows, vanished log. The emails stay.
/// Answers what was there.
TxnTask<Result<std::vector<FiledMessage>>> take_messages(AccountEdit& edit, Mailbox& mailbox,
                                                         std::uint32_t block, std::uint64_t bits);
/// Removes emails that are in no mailbox any more, with their threads' rows and references to
/// bodies.
TxnTask<Result<void>> destroy_orphans(AccountEdit& edit, std::vector<EmailId> emails);

} // namespace mailcore::store::detail
