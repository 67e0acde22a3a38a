// Emails: octets in pieces, and what was computed of them once, at delivery.
#pragma once

#include "libmailcore/store/access.h"
#include "libmailcore/store/damage.h"
#include "libmailcore/store/store.h"
#include "libmailcore/store/thread.h"
#include "libmailcore/store/uid_set.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mailcore::store {

/// When a message was received, with the zone that INTERNALDATE was given in (RFC 9051 §2.3.3).
struct Received {
    WallTime at;                   ///< whole seconds are kept
    std::int16_t zone_minutes = 0; ///< east of UTC
    friend bool operator==(const Received&, const Received&) = default;
};

/// A part of an email's octets: its own, or a stretch of a body that others may share.
struct Piece {
    BlobId blob;              ///< 0: `octets`
    std::string octets;       ///< header fields added at delivery
    std::uint64_t offset = 0; ///< in the blob
    std::uint64_t length = 0; ///< of the blob's stretch, or of `octets`

    [[nodiscard]] static Piece of(std::string octets) {
        Piece piece;
        piece.length = octets.size();
        piece.octets = std::move(octets);
        return piece;
    }
    [[nodiscard]] static Piece of(BlobId blob, std::uint64_t offset, std::uint64_t length) {
        Piece piece;
        piece.blob = blob;
        piece.offset = offset;
        piece.length = length;
        return piece;
    }
    friend bool operator==(const Piece&, const Piece&) = default;
};
inline constexpr std::size_t pieces_max = 16;
inline constexpr std::size_t inline_octets_max = 64 * 1024; ///< of all pieces together
/// Encoded. What mime::ParserOptions bounds (a megabyte of texts, ten thousand addresses) fits.
inline constexpr std::size_t structure_octets_max = 4 * 1024 * 1024;

/// One email of an account (RFC 8474's EMAILID; JMAP's Email). Never changes; flags belong to where
/// it is.
struct Email {
    EmailId id;
    ThreadId thread;
    ModSeq created;
    Received received;
    std::uint64_t size = 0; ///< of all pieces: RFC822.SIZE, exactly the octets that are sent
    std::vector<Piece> pieces;
    /// mime::Structure in its binary form (envelope, body structure, preview), of the octets that
    /// begin `structure_offset` octets into the email: what stands before them was added at
    /// delivery.
    std::string structure;
    std::uint64_t structure_offset = 0;
    std::vector<ThreadKey> thread_keys; ///< what puts others into its thread
    friend bool operator==(const Email&, const Email&) = default;
};

/// NotFound: it is gone, which a session must expect of any email it has listed before.
TxnTask<Result<Email>> read_email(ReadTransaction& txn, AccountId owner, EmailId id);

/// Where an email is.
struct Membership {
    MailboxId mailbox;
    Uid uid;
    friend auto operator<=>(const Membership&, const Membership&) = default;
};
/// All places of an email, at most `memberships_max`.
TxnTask<Result<std::vector<Membership>>>
memberships(ReadTransaction& txn, AccountId owner, EmailId id, std::size_t memberships_max = 1'000);

/// What is known of a message without its email's row: enough for RFC822.SIZE, INTERNALDATE,
/// EMAILID.
struct Message {
    Uid uid;
    EmailId email;
    std::uint64_t size = 0;
    Received received;
    friend bool operator==(const Message&, const Message&) = default;
};
struct MessageBatch {
    std::vector<Message> messages; ///< ascending by UID
    std::optional<Uid> next;       ///< where to go on; nothing: all was read
    Damaged damaged;               ///< with OnDamage::PassOver
};
/// The messages of `uids` from `from` on, at most about `messages_max` (whole blocks of 64).
TxnTask<Result<MessageBatch>> read_messages(ReadTransaction& txn, Access access, MailboxRef ref,
                                            UidSet uids, Uid from = Uid{1},
                                            std::size_t messages_max = 8'192,
                                            OnDamage on_damage = OnDamage::Fail);

struct MessageEmail {
    Uid uid;
    Email email;
};
struct EmailBatch {
    std::vector<MessageEmail> emails; ///< ascending by UID
    std::optional<Uid> next;
    Damaged damaged; ///< with OnDamage::PassOver
};
/// The same with the emails themselves: ENVELOPE, BODYSTRUCTURE, THREADID, SEARCH. Ends after
/// `emails_max` or about `octets_max` of rows, whichever comes first, and after at least one.
/// Corrupt: the row of one of them is damaged or gone, unless that is to be passed over.
TxnTask<Result<EmailBatch>> read_emails(ReadTransaction& txn, Access access, MailboxRef ref,
                                        UidSet uids, Uid from = Uid{1},
                                        std::size_t emails_max = 256,
                                        OnDamage on_damage = OnDamage::Fail,
                                        std::size_t octets_max = 512 * 1024);

/// Puts what was read behind what is there; the first of it costs no copy.
inline void append_octets(std::string& out, std::string read) {
    if (out.empty())
        out = std::move(read);
    else
        out += read;
}

/// `octets` octets from `offset` on, across the pieces, which outlive the call; fewer only at their
/// end. At most 1 MiB a call. NotFound: the email was expunged meanwhile and its body is gone.
Task<Result<std::string>> read_octets(Store& store, const std::vector<Piece>& pieces,
                                      std::uint64_t offset, std::size_t octets);

/// Bodies are kept in parts of this size, each read and checked as a whole: who reads one from end
/// to end reads these.
inline constexpr std::size_t blob_step_octets = std::size_t{256} << 10;

/// Reads octets in pieces from one end to the other, so that no part of a body is read and checked
/// twice: as many at a time as lie together, up to `blob_step_octets` and a little, which it keeps
/// while they are taken. From the first to the last, unless `start` says otherwise. One scheduler's
/// thread.
class PiecesReader {
  public:
    /// `store` and `pieces` outlive it, as they do each read.
    PiecesReader(Store& store, const std::vector<Piece>& pieces) : store_(store), pieces_(pieces) {}
    /// Of the octets from `offset` on, `octets`, from the beginning.
    void start(std::uint64_t offset, std::uint64_t octets);
    /// 1 to `octets_max` octets more; none: that was all. Errors of `read_octets`; Corrupt: the
    /// pieces end before what `start` said.
    Task<Result<std::string>> next(std::size_t octets_max = SIZE_MAX);

  private:
    Store& store_;
    const std::vector<Piece>& pieces_;
    std::uint64_t at_ = 0;
    std::uint64_t end_ = UINT64_MAX; // not said: with the pieces
    std::string ahead_;              // read
    std::size_t taken_ = 0;
};

} // namespace mailcore::store
