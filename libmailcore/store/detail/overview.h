// What many blocks of a mailbox hold, in one short row: so that opening a mailbox, or finding what
// is marked in it, costs what there is to say and not what there is.
#pragma once

#include "libmailcore/store/detail/message_blocks.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::store::detail {

/// 64 blocks, a bit a block. Its row is written when a bit changes, which most new messages do not.
struct Overview {
    static constexpr std::uint32_t blocks = 64;

    std::uint64_t some = 0;    ///< has messages
    std::uint64_t full = 0;    ///< none of its UIDs is missing
    std::uint64_t unseen = 0;  ///< has a message without \Seen
    std::uint64_t deleted = 0; ///< has one with \Deleted

    void set(unsigned bit, const BlockOutline& outline);

    [[nodiscard]] std::string encode() const;
    [[nodiscard]] static Result<Overview> decode(std::string_view row);
    friend bool operator==(const Overview&, const Overview&) = default;
};

[[nodiscard]] Key overview_key(AccountId owner, MailboxId mailbox, std::uint32_t number);

/// All of a mailbox, from the first on. One whose row is damaged or not there, as in stores of
/// before, is made from its blocks.
TxnTask<Result<std::vector<Overview>>> read_overviews(ReadTransaction& txn, AccountId owner,
                                                      MailboxId mailbox, Uid uidnext);
/// `block` is like this now, and its own row is written.
TxnTask<Result<void>> note_block(AccountEdit& edit, MailboxId mailbox, std::uint32_t block,
                                 const BlockOutline& outline);

/// UIDs of the blocks that have a message with \Deleted.
[[nodiscard]] UidSet blocks_with_deleted(const std::vector<Overview>& overviews);

} // namespace mailcore::store::detail
