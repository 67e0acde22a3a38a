// Flags of messages: read and stored in blocks of 64 (RFC 9051 §2.3.2, RFC 7162).
#pragma once

#include "libmailcore/store/access.h"
#include "libmailcore/store/damage.h"
#include "libmailcore/store/uid_set.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::store {

class AccountEdit;

enum class Flag : std::uint8_t {
    Seen = 1 << 0,
    Answered = 1 << 1,
    Flagged = 1 << 2,
    Deleted = 1 << 3,
    Draft = 1 << 4,
};

/// System flags of one message. A value.
class SystemFlags {
  public:
    constexpr SystemFlags() = default;
    constexpr SystemFlags(Flag flag) : bits_(static_cast<std::uint8_t>(flag)) {}
    [[nodiscard]] static constexpr SystemFlags from_bits(std::uint8_t bits) {
        SystemFlags flags;
        flags.bits_ = bits & 0x1F;
        return flags;
    }
    [[nodiscard]] constexpr std::uint8_t bits() const { return bits_; }
    [[nodiscard]] constexpr bool has(Flag flag) const {
        return (bits_ & static_cast<std::uint8_t>(flag)) != 0;
    }
    [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
    friend constexpr SystemFlags operator|(SystemFlags a, SystemFlags b) {
        return from_bits(a.bits_ | b.bits_);
    }
    friend constexpr SystemFlags operator&(SystemFlags a, SystemFlags b) {
        return from_bits(a.bits_ & b.bits_);
    }
    friend constexpr bool operator==(SystemFlags, SystemFlags) = default;

  private:
    std::uint8_t bits_ = 0;
};

/// Keywords a mailbox may know at a time. One that no message has makes room for a new one.
inline constexpr std::size_t keywords_max = 64;
inline constexpr std::size_t keyword_octets_max = 128;

/// Flags by name, as a client gives them. Keywords are atoms (without backslash), compared without
/// regard to ASCII case; the spelling that came first in the mailbox is kept.
struct NamedFlags {
    SystemFlags system;
    std::vector<std::string> keywords;
    friend bool operator==(const NamedFlags&, const NamedFlags&) = default;
};
/// Whether a keyword may be stored: an atom of RFC 9051 §9 ("flag-keyword") of bounded length.
[[nodiscard]] bool is_keyword(std::string_view text);

/// One message's flags: 24 octets, so that a hundred thousand are no burden.
struct MessageFlags {
    Uid uid;
    SystemFlags system;
    std::uint64_t keywords = 0; ///< bit n: the n-th of the keywords that came with it
    ModSeq modseq;
    friend bool operator==(const MessageFlags&, const MessageFlags&) = default;
};

struct FlagsBatch {
    std::vector<MessageFlags> messages; ///< ascending by UID
    std::vector<std::string> keywords;  ///< names of the bits; an empty one is not in use
    ModSeq highest_modseq;              ///< of the mailbox, when this was read
    std::optional<Uid> next;            ///< where to go on; nothing: all was read
    Damaged damaged;                    ///< with OnDamage::PassOver
};
/// Flags of the messages of `uids` from `from` on, at most about `messages_max` (whole blocks of
/// 64). NotFound, Rejected: the mailbox. UIDs without a message are left out; in a block that is
/// damaged nobody knows which those are.
TxnTask<Result<FlagsBatch>> read_flags(ReadTransaction& txn, Access access, MailboxRef ref,
                                       UidSet uids, Uid from = Uid{1},
                                       std::size_t messages_max = 8'192,
                                       OnDamage on_damage = OnDamage::Fail);

enum class StoreHow : std::uint8_t { Add, Remove, Replace };
struct StoreFlags {
    UidSet uids; ///< of them those that exist
    StoreHow how = StoreHow::Add;
    NamedFlags flags;
    /// Messages changed after this one are left alone (UNCHANGEDSINCE, RFC 7162 §3.1.3).
    std::optional<ModSeq> unchanged_since;
};
struct StoredFlags {
    UidSet matched;  ///< exist and have what was asked for now, whether or not that was a change
    UidSet changed;  ///< of them those that were different, and have a new mod-sequence
    UidSet modified; ///< left alone because of `unchanged_since` (the MODIFIED response code)
    ModSeq modseq;   ///< of `changed`
};
/// Stores flags of any number of messages in one change: 64 messages a row, so that 1:* of 100,000
/// is a matter of milliseconds. Needs KeepSeen for \Seen, DeleteMessages for \Deleted, Write for
/// all others; without any needed right Rejected, and nothing is stored. Replace leaves those alone
/// that the actor may not change (RFC 4314 §4). Rejected: no keyword. LimitExceeded: more keywords
/// than `keywords_max`.
TxnTask<Result<StoredFlags>> store_flags(AccountEdit& edit, MailboxId mailbox, StoreFlags store);

} // namespace mailcore::store
