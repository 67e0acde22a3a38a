#include "libmailcore/session/mailbox_view.h"

#include "libmailcore/base/assert.h"

#include <algorithm>

namespace mailcore::session {

namespace {

using imap::SystemFlag;
using store::Flag;
using store::Uid;
using store::UidRange;
using store::UidSet;

constexpr std::pair<Flag, SystemFlag> flag_names[] = {
    {Flag::Seen, SystemFlag::Seen},       {Flag::Answered, SystemFlag::Answered},
    {Flag::Flagged, SystemFlag::Flagged}, {Flag::Deleted, SystemFlag::Deleted},
    {Flag::Draft, SystemFlag::Draft},
};

} // namespace

// Numbers

Numbering::Numbering(UidSet uids) { set(std::move(uids)); }

void Numbering::set(UidSet uids) {
    uids_ = std::move(uids);
    first_.clear();
    std::uint32_t next = 1;
    for (const auto& range : uids_.ranges()) {
        first_.push_back(next);
        next += range.last.value - range.first.value + 1;
    }
    size_ = next - 1;
}

std::uint32_t Numbering::number_of(Uid uid) const {
    const auto& ranges = uids_.ranges();
    const auto at = std::ranges::lower_bound(ranges, uid, {}, &UidRange::last);
    if (at == ranges.end() || at->first > uid) return 0;
    return first_[static_cast<std::size_t>(at - ranges.begin())] + (uid.value - at->first.value);
}

Uid Numbering::uid_at(std::uint32_t number) const {
    MAILCORE_ASSERT(number >= 1 && number <= size_);
    const auto at =
        static_cast<std::size_t>(std::ranges::upper_bound(first_, number) - first_.begin()) - 1;
    return Uid{uids_.ranges()[at].first.value + (number - first_[at])};
}

Uid Numbering::last() const { return uids_.empty() ? Uid{0} : uids_.ranges().back().last; }

UidSet Numbering::uids_at(const imap::NumberSet& numbers) const {
    UidSet uids;
    for (const auto& range : numbers.ranges()) {
        if (range.first > size_) break;
        const auto last = std::min(range.last, size_);
        // All of this set between the two ends.
        uids.add(uids_.intersection(UidSet(UidRange{uid_at(range.first), uid_at(last)})));
    }
    return uids;
}

std::vector<std::uint32_t> Numbering::expunged(const UidSet& gone) const {
    std::vector<std::uint32_t> numbers;
    std::uint32_t before = 0;
    gone.for_each([&](Uid uid) { numbers.push_back(number_of(uid) - before++); });
    return numbers;
}

// The view

MailboxView::MailboxView(store::MailboxRef ref, const store::MailboxSnapshot& snapshot,
                         Recents recents)
    : ref_(ref), uidvalidity_(snapshot.mailbox.uidvalidity),
      modseq_(snapshot.mailbox.highest_modseq), told_(modseq_), numbers_(snapshot.uids),
      recent_from_(recents == Recents::Shown ? snapshot.mailbox.recent_from : store::all_uids.last),
      keywords_(snapshot.keywords) {}

std::uint32_t MailboxView::recent() const {
    return static_cast<std::uint32_t>(
        numbers_.uids()
            .intersection(UidSet(UidRange{std::max(recent_from_, Uid{1}), store::all_uids.last}))
            .size());
}

bool MailboxView::take_keywords(std::vector<std::string> keywords) {
    // A name in a place that was free, or that another had: keywords are told by name, so order is
    // nothing.
    const bool changed = std::ranges::any_of(keywords, [&](const std::string& keyword) {
        return !keyword.empty() && std::ranges::find(keywords_, keyword) == keywords_.end();
    });
    keywords_ = std::move(keywords);
    return changed;
}

MailboxView::News MailboxView::take(store::MailboxChanges changes, Expunges expunges) {
    News news;
    news.keywords_changed = take_keywords(std::move(changes.keywords));

    const auto before = modseq_;
    const auto last_known = numbers_.last();
    auto gone = changes.vanished.intersection(numbers_.uids());
    if (!gone.empty() && late_.empty()) told_ = before;
    late_.add(gone);
    if (expunges == Expunges::Now && !late_.empty()) {
        news.expunged = numbers_.expunged(late_);
        numbers_.set(numbers_.uids().without(late_));
        news.expunged_uids = std::exchange(late_, {});
    }

    UidSet fresh;
    for (auto& message : changes.changed) {
        if (message.uid > last_known) {
            fresh.add(message.uid);
        } else if (std::ranges::find(own_, message.modseq) == own_.end() &&
                   numbers_.number_of(message.uid) != 0) {
            news.flags.push_back(message);
        }
    }
    if (!fresh.empty()) {
        auto uids = numbers_.uids();
        uids.add(fresh);
        numbers_.set(std::move(uids));
        news.exists_changed = true;
        has_new_ = true;
    }
    modseq_ = std::max(modseq_, changes.mailbox.highest_modseq);
    own_.clear();
    return news;
}

imap::FlagSet MailboxView::flags(const store::MessageFlags& flags,
                                 const std::vector<std::string>& keywords) const {
    auto set = to_flag_set(flags.system);
    if (is_recent(flags.uid)) set.set(SystemFlag::Recent);
    for (std::size_t bit = 0; bit < keywords.size() && bit < 64; ++bit)
        if ((flags.keywords >> bit & 1) != 0) set.add_keyword(keywords[bit]);
    return set;
}

// Between the two

imap::NumberSet to_numbers(const UidSet& uids) {
    std::vector<imap::NumberSet::Range> ranges;
    ranges.reserve(uids.ranges().size());
    for (const auto& range : uids.ranges()) ranges.push_back({range.first.value, range.last.value});
    return imap::NumberSet(std::move(ranges));
}

UidSet to_uids(const imap::NumberSet& numbers) {
    UidSet uids;
    for (const auto& range : numbers.ranges())
        uids.add(UidRange{Uid{range.first}, Uid{range.last}});
    return uids;
}

store::NamedFlags to_named(const imap::FlagSet& flags) {
    store::NamedFlags named;
    for (const auto& [here, there] : flag_names)
        if (flags.has(there)) named.system = named.system | here;
    named.keywords = flags.keywords();
    return named;
}

imap::FlagSet to_flag_set(store::SystemFlags system) {
    imap::FlagSet flags;
    for (const auto& [here, there] : flag_names)
        if (system.has(here)) flags.set(there);
    return flags;
}

} // namespace mailcore::session
