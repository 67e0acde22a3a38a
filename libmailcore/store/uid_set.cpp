#include "libmailcore/store/uid_set.h"

#include "libmailcore/base/assert.h"

#include <algorithm>
#include <bit>

namespace mailcore::store {

namespace {

bool ends_before(const UidRange& range, Uid uid) { return range.last < uid; }

/// The first range that reaches `uid` or lies behind it.
template <class Ranges>
auto reaching(Ranges& ranges, Uid uid) {
    return std::lower_bound(ranges.begin(), ranges.end(), uid, ends_before);
}

Uid after(Uid uid) { return Uid{uid.value + 1}; }
Uid before(Uid uid) { return Uid{uid.value - 1}; }

} // namespace

void UidSet::add(UidRange range) {
    MAILCORE_ASSERT(range.first.value != 0 && range.first <= range.last);
    if (ranges_.empty() || ranges_.back().last < before(range.first)) {
        ranges_.push_back(range);
        return;
    }
    // All that overlap or touch become one.
    const auto from = reaching(ranges_, range.first.value == 1 ? range.first : before(range.first));
    auto to = from;
    while (to != ranges_.end() && before(to->first) <= range.last) {
        range.first = std::min(range.first, to->first);
        range.last = std::max(range.last, to->last);
        ++to;
    }
    if (from == to) {
        ranges_.insert(from, range);
    } else {
        *from = range;
        ranges_.erase(from + 1, to);
    }
}

void UidSet::add(const UidSet& other) {
    for (const auto& range : other.ranges_) add(range);
}

void UidSet::remove(UidRange range) {
    auto at = reaching(ranges_, range.first);
    while (at != ranges_.end() && at->first <= range.last) {
        const auto old = *at;
        const bool head = old.first < range.first;
        const bool tail = old.last > range.last;
        if (head && tail) {
            at->last = before(range.first);
            ranges_.insert(at + 1, UidRange{after(range.last), old.last});
            return;
        }
        if (head) {
            at->last = before(range.first);
            ++at;
        } else if (tail) {
            at->first = after(range.last);
            return;
        } else {
            at = ranges_.erase(at);
        }
    }
}

bool UidSet::contains(Uid uid) const {
    const auto at = reaching(ranges_, uid);
    return at != ranges_.end() && at->first <= uid;
}

std::uint64_t UidSet::size() const {
    std::uint64_t size = 0;
    for (const auto& range : ranges_)
        size += std::uint64_t{range.last.value} - range.first.value + 1;
    return size;
}

UidSet UidSet::intersection(const UidSet& other) const {
    UidSet both;
    auto a = ranges_.begin();
    auto b = other.ranges_.begin();
    while (a != ranges_.end() && b != other.ranges_.end()) {
        const auto first = std::max(a->first, b->first);
        const auto last = std::min(a->last, b->last);
        if (first <= last) both.ranges_.push_back({first, last});
        if (a->last < b->last)
            ++a;
        else
            ++b;
    }
    return both;
}

UidSet UidSet::without(const UidSet& other) const {
    UidSet rest;
    auto b = other.ranges_.begin();
    for (auto range : ranges_) {
        while (b != other.ranges_.end() && b->last < range.first) ++b;
        for (auto hole = b; hole != other.ranges_.end() && hole->first <= range.last; ++hole) {
            if (hole->first > range.first)
                rest.ranges_.push_back({range.first, before(hole->first)});
            if (hole->last >= range.last) {
                range.first = Uid{0};
                break;
            }
            range.first = after(hole->last);
        }
        if (range.first.value != 0) rest.ranges_.push_back(range);
    }
    return rest;
}

UidSet UidSet::first_of(Uid from, std::uint64_t size_max) const {
    UidSet some;
    for (auto at = reaching(ranges_, from); at != ranges_.end() && size_max > 0; ++at) {
        UidRange range{std::max(at->first, from), at->last};
        const auto size = std::uint64_t{range.last.value} - range.first.value + 1;
        if (size > size_max)
            range.last = Uid{static_cast<std::uint32_t>(range.first.value + size_max - 1)};
        size_max -= std::min(size, size_max);
        some.ranges_.push_back(range);
    }
    return some;
}

std::uint64_t UidSet::bits(Uid first) const {
    const std::uint64_t from = first.value;
    std::uint64_t bits = 0;
    for (auto at = reaching(ranges_, first); at != ranges_.end() && at->first.value < from + 64;
         ++at) {
        const auto low = std::max<std::uint64_t>(at->first.value, from) - from;
        const auto high = std::min<std::uint64_t>(at->last.value, from + 63) - from;
        bits |= (~std::uint64_t{0} >> (63 - (high - low))) << low;
    }
    return bits;
}

void UidSet::add_bits(Uid first, std::uint64_t bits) {
    while (bits != 0) {
        const auto low = static_cast<std::uint32_t>(std::countr_zero(bits));
        const auto run = static_cast<std::uint32_t>(std::countr_one(bits >> low));
        add(UidRange{Uid{first.value + low}, Uid{first.value + low + run - 1}});
        if (low + run >= 64) return;
        bits &= ~std::uint64_t{0} << (low + run);
    }
}

} // namespace mailcore::store
