// What one IMAP session has been told of a mailbox, and what it is to be told next.
#pragma once

#include "libmailcore/imap/flag.h"
#include "libmailcore/imap/sequence_set.h"
#include "libmailcore/store/changes.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::session {

/// UIDs as message numbers: a set with the number at which each of its ranges begins.
class Numbering {
  public:
    Numbering() = default;
    explicit Numbering(store::UidSet uids);

    [[nodiscard]] std::uint32_t size() const { return size_; }
    /// 0: not in it. Logarithmic in the number of gaps.
    [[nodiscard]] std::uint32_t number_of(store::Uid uid) const;
    /// `number` is 1 to `size()`.
    [[nodiscard]] store::Uid uid_at(std::uint32_t number) const;
    /// Uid{0} if empty.
    [[nodiscard]] store::Uid last() const;
    [[nodiscard]] store::UidSet uids_at(const imap::NumberSet& numbers) const;
    [[nodiscard]] const store::UidSet& uids() const { return uids_; }
    /// What message numbers EXPUNGE names, one after the other, when `gone`, all of them in it, go.
    [[nodiscard]] std::vector<std::uint32_t> expunged(const store::UidSet& gone) const;
    void set(store::UidSet uids);

  private:
    store::UidSet uids_;
    std::vector<std::uint32_t> first_; // number of the first UID of each range
    std::uint32_t size_ = 0;
};

/// The mailbox as its client knows it. Message numbers never change but by what `take` says, in its
/// order. Values only: knows neither store nor engine.
class MailboxView {
  public:
    MailboxView() = default;
    /// IMAP4rev2 has no \Recent (RFC 9051 appendix E, 12).
    enum class Recents : std::uint8_t { Shown, Hidden };
    MailboxView(store::MailboxRef ref, const store::MailboxSnapshot& snapshot,
                Recents recents = Recents::Shown);

    /// May be said now, in this order: the keywords, the expunged, the flags, the new ones.
    struct News {
        bool keywords_changed = false;
        std::vector<std::uint32_t> expunged; ///< as response::Expunged wants them
        store::UidSet expunged_uids;
        std::vector<store::MessageFlags> flags; ///< changed of messages that the client knows
        bool exists_changed = false;
        [[nodiscard]] bool empty() const {
            return !keywords_changed && expunged.empty() && flags.empty() && !exists_changed;
        }
    };
    enum class Expunges : std::uint8_t { Later, Now };
    /// What `changes_since(modseq())` found. Expunges that may not be told yet are kept.
    [[nodiscard]] News take(store::MailboxChanges changes, Expunges expunges);

    [[nodiscard]] store::MailboxRef ref() const { return ref_; }
    /// All changes up to here have been taken.
    [[nodiscard]] store::ModSeq modseq() const { return modseq_; }
    [[nodiscard]] store::UidValidity uidvalidity() const { return uidvalidity_; }
    /// The client's HIGHESTMODSEQ must not go beyond this: expunges after it were not told yet
    /// (RFC 7162 §3.2).
    [[nodiscard]] store::ModSeq told_modseq() const { return late_.empty() ? modseq_ : told_; }
    [[nodiscard]] bool has_late_expunges() const { return !late_.empty(); }

    [[nodiscard]] const Numbering& numbers() const { return numbers_; }
    [[nodiscard]] std::uint32_t exists() const { return numbers_.size(); }
    [[nodiscard]] std::uint32_t recent() const;
    [[nodiscard]] bool is_recent(store::Uid uid) const { return uid >= recent_from_; }
    /// Messages came that no other session was told of as \Recent by the store.
    [[nodiscard]] bool has_new() const { return has_new_; }
    /// Changed by this session's own command at `modseq`, and told in its answers: `take` leaves
    /// them out.
    void told(store::ModSeq modseq) { own_.push_back(modseq); }

    [[nodiscard]] const std::vector<std::string>& keywords() const { return keywords_; }
    /// What they are now. True: there is one that the client has not been told of.
    [[nodiscard]] bool take_keywords(std::vector<std::string> keywords);
    /// `keywords` are the names that came with `flags`.
    [[nodiscard]] imap::FlagSet flags(const store::MessageFlags& flags,
                                      const std::vector<std::string>& keywords) const;

  private:
    store::MailboxRef ref_;
    store::UidValidity uidvalidity_;
    store::ModSeq modseq_;
    store::ModSeq told_; // when the first of `late_` was not yet gone
    Numbering numbers_;
    store::UidSet late_; // gone, and the client still counts them
    store::Uid recent_from_;
    std::vector<std::string> keywords_;
    std::vector<store::ModSeq> own_;
    bool has_new_ = false;
};

[[nodiscard]] imap::NumberSet to_numbers(const store::UidSet& uids);
[[nodiscard]] store::UidSet to_uids(const imap::NumberSet& numbers);
/// Between the store's names of flags and IMAP's.
[[nodiscard]] store::NamedFlags to_named(const imap::FlagSet& flags);
[[nodiscard]] imap::FlagSet to_flag_set(store::SystemFlags system);

} // namespace mailcore::session
