// Who may do what with a mailbox (RFC 4314's rights).
#pragma once

#include "libmailcore/store/transaction.h"

#include <cstdint>
#include <vector>

namespace mailcore::store {

/// RFC 4314 §2.1; in its letters: l r s w i p k x t e a.
enum class Right : std::uint16_t {
    Lookup = 1 << 0,         ///< see that it exists
    Read = 1 << 1,           ///< open it, read messages
    KeepSeen = 1 << 2,       ///< change \Seen
    Write = 1 << 3,          ///< change flags other than \Seen and \Deleted
    Insert = 1 << 4,         ///< add messages
    Post = 1 << 5,           ///< send mail to its address
    CreateMailbox = 1 << 6,  ///< below it
    DeleteMailbox = 1 << 7,  ///< this one; also needed to rename it
    DeleteMessages = 1 << 8, ///< change \Deleted
    Expunge = 1 << 9,
    Administer = 1 << 10, ///< change who may do what
};

/// A set of rights. A value.
class Rights {
  public:
    constexpr Rights() = default;
    constexpr Rights(Right right) : bits_(static_cast<std::uint16_t>(right)) {}
    [[nodiscard]] static constexpr Rights all() { return from_bits(0x7FF); }
    /// What is needed to look and nothing more.
    [[nodiscard]] static constexpr Rights reading() { return Rights(Right::Lookup) | Right::Read; }
    [[nodiscard]] static constexpr Rights from_bits(std::uint16_t bits) {
        Rights rights;
        rights.bits_ = bits & 0x7FF;
        return rights;
    }
    [[nodiscard]] constexpr std::uint16_t bits() const { return bits_; }
    [[nodiscard]] constexpr bool has(Rights wanted) const {
        return (bits_ & wanted.bits_) == wanted.bits_;
    }
    [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
    friend constexpr Rights operator|(Rights a, Rights b) { return from_bits(a.bits_ | b.bits_); }
    friend constexpr Rights operator&(Rights a, Rights b) { return from_bits(a.bits_ & b.bits_); }
    friend constexpr bool operator==(Rights, Rights) = default;

  private:
    std::uint16_t bits_ = 0;
};

/// For whom something is done, and the most that this caller may do at all (a login may be
/// read-only). Each call on a mailbox takes it; what the mailbox itself allows is checked inside
/// the transaction.
struct Access {
    AccountId actor;
    Rights rights = Rights::all();

    [[nodiscard]] static Access owner(AccountId account) { return Access{account, Rights::all()}; }
    friend bool operator==(const Access&, const Access&) = default;
};

/// A mailbox, wherever it is: shared ones belong to another account than the actor's.
struct MailboxRef {
    AccountId owner;
    MailboxId mailbox;
    friend auto operator<=>(const MailboxRef&, const MailboxRef&) = default;
};

struct AclEntry {
    AccountId account;
    Rights rights;
    friend bool operator==(const AclEntry&, const AclEntry&) = default;
};
inline constexpr std::size_t acl_entries_max = 256;

/// What `access` may do with `ref`: everything as its owner, else what its list says, and never
/// more than `access.rights`. Empty if the mailbox does not exist.
TxnTask<Result<Rights>> rights_of(ReadTransaction& txn, Access access, MailboxRef ref);
/// The list, without the owner, who has all rights always.
TxnTask<Result<std::vector<AclEntry>>> acl(ReadTransaction& txn, MailboxRef ref);

} // namespace mailcore::store
