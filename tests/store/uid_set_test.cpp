#include "libmailcore/store/uid_set.h"

#include "libmailcore/base/random.h"
#include "tests/catch.h"

#include <set>

using namespace mailcore;
using namespace mailcore::store;

TEST_CASE("a set of UIDs is what a set of numbers is") {
    base::SeededRandom random(5);
    for (int round = 0; round < 200; ++round) {
        UidSet a, b;
        std::set<std::uint32_t> x, y;
        for (int n = 0; n < 12; ++n) {
            auto& set = random.below(2) == 0 ? a : b;
            auto& numbers = &set == &a ? x : y;
            const auto first = static_cast<std::uint32_t>(random.below(150) + 1);
            const auto last = first + static_cast<std::uint32_t>(random.below(20));
            if (random.below(4) == 0) {
                set.remove({Uid{first}, Uid{last}});
                for (auto u = first; u <= last; ++u) numbers.erase(u);
            } else {
                set.add({Uid{first}, Uid{last}});
                for (auto u = first; u <= last; ++u) numbers.insert(u);
            }
        }
        const auto from = static_cast<std::uint32_t>(random.below(160) + 1);
        const auto size = random.below(40);
        std::set<std::uint32_t> some;
        for (auto u = x.lower_bound(from); u != x.end() && some.size() < size; ++u) some.insert(*u);
        std::set<std::uint32_t> first;
        a.first_of(Uid{from}, size).for_each([&](Uid uid) { first.insert(uid.value); });
        CHECK(first == some);
        const auto both = a.intersection(b);
        const auto rest = a.without(b);
        const auto bits = a.bits(Uid{40});
        UidSet copy;
        copy.add_bits(Uid{40}, bits);
        CHECK(copy.intersection(a) == copy);
        CHECK(a.size() == x.size());
        for (std::uint32_t u = 1; u < 180; ++u) {
            CHECK(a.contains(Uid{u}) == x.contains(u));
            CHECK(both.contains(Uid{u}) == (x.contains(u) && y.contains(u)));
            CHECK(rest.contains(Uid{u}) == (x.contains(u) && !y.contains(u)));
            if (u >= 40 && u < 104) CHECK((bits >> (u - 40) & 1) == (x.contains(u) ? 1 : 0));
        }
        for (std::size_t n = 1; n < a.ranges().size(); ++n)
            CHECK(a.ranges()[n].first.value > a.ranges()[n - 1].last.value + 1);
    }
}

TEST_CASE("the last UID there can be is a UID like others") {
    const auto last = all_uids.last;
    UidSet set(last);
    set.add(Uid{last.value - 1});
    CHECK(set.size() == 2);
    CHECK(set.contains(last));
    set.add(all_uids);
    CHECK(set == UidSet::all());
    set.remove({last, last});
    CHECK_FALSE(set.contains(last));
    CHECK(UidSet::all().without(set) == UidSet(last));
    CHECK(UidSet::all().bits(Uid{last.value - 1}) == 3);
}
