// Where each row stands: the spaces of the store and the tables of an account.
//
// A key begins with one octet that names its space; numbers in it are big endian, so that rows lie
// in the order of their numbers. Octet 0 is the engine's own (bodies, references, counters). Every
// value begins with the version of its format, a varint.
#pragma once

#include "libmailcore/store/ids.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::store {

/// First octet of a key.
enum class Space : char {
    Account = 'a',   ///< then the account's id, a `Table` and what that table is ordered by
    Directory = 'd', ///< domains' names, accounts, addresses, credentials: `accounts/`
    Domain = 'n',    ///< then the domain's id: what a domain owns
    Queue = 'q',     ///< mail under way: `queue/`
    System = 's',    ///< this installation: format versions, keys, settings
};

/// Tables of an account; the octet behind its id. Upper case: what is filed by email; lower case:
/// by mailbox, or of the account as a whole. Letters are never reused.
enum class Table : char {
    Account = 'a',      ///< one row: counters, usage, limits
    Mailbox = 'm',      ///< mailbox -> its properties and counts
    MailboxName = 'n',  ///< parent, name -> mailbox
    Subscription = 's', ///< path of a mailbox that does not exist
    Keywords = 'k',     ///< mailbox -> names of its keywords
    Acl = 'l',          ///< mailbox -> who may do what
    Messages = 'u',     ///< mailbox, block of 64 UIDs -> emails, sizes, dates
    Flags = 'f',        ///< mailbox, block of 64 UIDs -> flags, mod-sequences
    Overview = 'o',     ///< mailbox, number of 64 blocks -> which of them have what
    Changed = 'c',      ///< mailbox, highest mod-sequence of a block, block
    Vanished = 'v',     ///< mailbox, mod-sequence, part -> expunged UIDs
    Doomed = 'z',       ///< mailbox that is deleted and whose messages are still being removed
    Destroyed = 'd',    ///< collection, mod-sequence, part -> ids
    Email = 'E',        ///< email, part -> what is known of it
    Membership = 'O',   ///< email, mailbox, uid: where it is
    ThreadMember = 'T', ///< thread, email
    ThreadKeys = 'R',   ///< digest of a message identifier and a subject, email -> thread
};

/// Builds a key piece by piece: `Key(account, Table::Flags).id(mailbox).u32(block)`.
class Key {
  public:
    explicit Key(Space space) { octets_ += static_cast<char>(space); }
    Key(AccountId account, Table table) : Key(Space::Account) {
        u64(account.value);
        octets_ += static_cast<char>(table);
    }
    /// All rows of an account.
    explicit Key(AccountId account) : Key(Space::Account) { u64(account.value); }
    explicit Key(DomainId domain) : Key(Space::Domain) { u64(domain.value); }

    Key& u8(std::uint8_t value) {
        octets_ += static_cast<char>(value);
        return *this;
    }
    Key& u16(std::uint16_t value) { return number(value, 2); }
    Key& u32(std::uint32_t value) { return number(value, 4); }
    Key& u64(std::uint64_t value) { return number(value, 8); }
    template <class Tag>
    Key& id(base::Strong<Tag> value) {
        return u64(value.value);
    }
    /// Ends the key, or is followed only by what cannot be taken for a part of it.
    Key& text(std::string_view octets) {
        octets_ += octets;
        return *this;
    }

    [[nodiscard]] const std::string& str() const& { return octets_; }
    [[nodiscard]] std::string str() && { return std::move(octets_); }
    /// The first key behind all keys that begin with this one.
    [[nodiscard]] std::string end() const;

  private:
    Key& number(std::uint64_t value, int octets) {
        for (int shift = (octets - 1) * 8; shift >= 0; shift -= 8)
            octets_ += static_cast<char>(value >> shift);
        return *this;
    }
    std::string octets_;
};

/// The first key behind all keys that begin with `prefix`; empty (the end of all) if there is none.
[[nodiscard]] std::string prefix_end(std::string_view prefix);

} // namespace mailcore::store
