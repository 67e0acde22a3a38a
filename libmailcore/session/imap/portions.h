// A set of messages, read a portion at a time, past those whose rows are damaged.
#pragma once

#include "libmailcore/store/uid_set.h"

#include <cstddef>
#include <optional>
#include <utility>

namespace mailcore::session {

/// Where reading many messages is. One damaged row spoils what is read together with it: a portion
/// that cannot be read is halved until the damaged message stands alone, which is passed over.
class Portions {
  public:
    /// `uids` in ascending order, about `at_once` of them at a time: a set of many gaps is long.
    Portions(store::UidSet uids, std::size_t at_once)
        : uids_(std::move(uids)), at_once_(at_once), now_(uids_.first_of(store::Uid{1}, at_once)) {}

    /// To be read now; empty: all was.
    [[nodiscard]] const store::UidSet& now() const { return now_; }
    [[nodiscard]] store::Uid first() const { return now_.ranges().front().first; }
    /// It was read, up to `next` if it could not be read whole.
    void read(std::optional<store::Uid> next) { next ? go_on(*next) : behind(last()); }
    /// It cannot be read. The message that is passed over for that; nothing: less is tried.
    std::optional<store::Uid> damaged() {
        const auto at = first();
        if (now_.size() > 1) {
            now_ = now_.first_of(at, now_.size() / 2);
            return std::nullopt;
        }
        behind(at);
        return at;
    }

  private:
    [[nodiscard]] store::Uid last() const { return now_.ranges().back().last; }
    void go_on(store::Uid from) { now_ = uids_.first_of(from, at_once_); }
    void behind(store::Uid uid) {
        if (uid < store::all_uids.last)
            go_on(store::Uid{uid.value + 1});
        else
            now_ = {};
    }

    store::UidSet uids_;
    std::size_t at_once_;
    store::UidSet now_;
};

} // namespace mailcore::session
