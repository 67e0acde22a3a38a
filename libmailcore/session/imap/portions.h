// A set of messages, read a portion at a time, and those of them that could not be read.
#pragma once

#include "libmailcore/base/log.h"
#include "libmailcore/store/damage.h"
#include "libmailcore/store/ids.h"

#include <cstddef>
#include <optional>
#include <utility>

namespace mailcore::session {

/// Where reading many messages is.
class Portions {
  public:
    /// `uids` in ascending order, about `at_once` of them at a time: a set of many gaps is long.
    Portions(store::UidSet uids, std::size_t at_once)
        : uids_(std::move(uids)), at_once_(at_once), now_(uids_.first_of(store::Uid{1}, at_once)) {}

    /// To be read now; empty: all was.
    [[nodiscard]] const store::UidSet& now() const { return now_; }
    [[nodiscard]] store::Uid first() const { return now_.ranges().front().first; }
    /// It was read, up to `next` if it could not be read whole.
    void read(std::optional<store::Uid> next) {
        const auto last = now_.ranges().back().last;
        if (next)
            now_ = uids_.first_of(*next, at_once_);
        else if (last < store::all_uids.last)
            now_ = uids_.first_of(store::Uid{last.value + 1}, at_once_);
        else
            now_ = {};
    }

  private:
    store::UidSet uids_;
    std::size_t at_once_;
    store::UidSet now_;
};

/// What a command passed over: messages that are damaged, or were expunged meanwhile.
class Unreadable {
  public:
    void add(store::Uid uid, const Error& error) { add(store::UidSet(uid), error); }
    void add(const store::Damaged& damaged) {
        if (!damaged.uids.empty()) add(damaged.uids, Error{ErrorKind::Corrupt, damaged.why});
    }

    [[nodiscard]] bool empty() const { return uids_.empty(); }
    /// Of the first, if there is one; if one may read well another time, that one's.
    [[nodiscard]] const Error& error() const { return again_ ? *again_ : *first_; }
    /// One may read well another time, so what it would have said is not known.
    [[nodiscard]] bool worth_another_try() const { return again_.has_value(); }
    /// Once a command, however many they are; nothing if there are none.
    void tell(const Log& log, store::MailboxId mailbox) const {
        if (empty()) return;
        MAILCORE_LOG(log, Warning, "imap.messages_unreadable",
                     {{"mailbox", mailbox},
                      {"uid", uids_.ranges().front().first.value},
                      {"messages", uids_.size()},
                      {"error", error().detail}});
    }

  private:
    void add(const store::UidSet& uids, const Error& error) {
        if (uids_.empty()) first_ = error;
        uids_.add(uids);
        if (error.kind != ErrorKind::Corrupt && error.kind != ErrorKind::NotFound) again_ = error;
    }

    store::UidSet uids_;
    std::optional<Error> first_, again_;
};

} // namespace mailcore::session
