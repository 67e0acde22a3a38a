#include "libmailcore/imap/sequence_set.h"

#include "libmailcore/base/random.h"
#include "tests/catch.h"

#include <algorithm>
#include <set>

using namespace mailcore;
using imap::NumberSet;
using imap::SequenceSet;

TEST_CASE("sequence sets are read strictly and resolved against the mailbox") {
    struct Case {
        const char* name;
        std::string_view text;
        std::uint32_t largest;
        std::string_view resolved; // "!": refused
    };
    static constexpr Case cases[] = {
        {"one", "7", 10, "7"},
        {"range", "2:4", 10, "2:4"},
        {"range backwards", "4:2", 10, "2:4"},
        {"the example of RFC 9051 §9", "2,4:7,9,12:*", 15, "2,4:7,9,12:15"},
        {"overlaps coalesce", "*:4,5:7", 10, "4:10"},
        {"adjoining ranges join", "1:2,3,4:5", 10, "1:5"},
        {"star alone", "*", 10, "10"},
        {"star range above the last", "3291:*", 10, "10:3291"},
        {"star backwards with the largest number", "*:4294967295", 10, "10:4294967295"},
        {"star to star", "*:*", 3, "3"},
        {"star of an empty mailbox", "*", 0, ""},
        {"range with star of an empty mailbox", "5:*", 0, "5"},
        {"largest number", "4294967295", 10, "4294967295"},
        {"whole range", "1:4294967295", 10, "1:4294967295"},
        {"largest number plus one", "4294967296", 10, "!"},
        {"2^64", "18446744073709551616", 10, "!"},
        {"zero", "0", 10, "!"},
        {"zero in a range", "0:5", 10, "!"},
        {"leading zero", "01", 10, "!"},
        {"empty", "", 10, "!"},
        {"empty element", "1,,2", 10, "!"},
        {"comma at the end", "1,", 10, "!"},
        {"range of three", "1:2:3", 10, "!"},
        {"open range", "1:", 10, "!"},
        {"negative", "-1", 10, "!"},
        {"space", "1 2", 10, "!"},
        {"dollar with more", "$,1", 10, "!"},
        {"saved result", "$", 10, "$"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto set = SequenceSet::parse(c.text, 100);
        if (!set) {
            CHECK(c.resolved == "!");
        } else if (set->is_saved_result()) {
            CHECK(c.resolved == "$");
        } else {
            CHECK(set->resolve(c.largest).to_string() == c.resolved);
        }
    }
}

TEST_CASE("a message number beyond the mailbox is none, and neither is any in an empty one") {
    const auto numbers = [](std::string_view text, std::uint32_t exists) {
        const auto set = SequenceSet::parse(text, 10)->message_numbers(exists);
        return set ? set->to_string() : "none";
    };
    CHECK(numbers("1:3", 3) == "1:3");
    CHECK(numbers("1:4", 3) == "none");
    CHECK(numbers("*", 3) == "3");
    CHECK(numbers("2:*", 3) == "2:3");
    CHECK(numbers("*", 0) == "none");
    CHECK(numbers("1:*", 0) == "none");
    CHECK(numbers("1", 0) == "none");
}

TEST_CASE("a sequence set has at most as many elements as it may have") {
    CHECK(SequenceSet::parse("1,3", 2));
    CHECK(SequenceSet::parse("1,3,5", 3));
    const auto refused = SequenceSet::parse("1,3,5", 2);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().offset == 4);
}

TEST_CASE("a number set is what a set of numbers is") {
    base::SeededRandom random(7);
    for (int round = 0; round < 300; ++round) {
        NumberSet set;
        std::set<std::uint32_t> model;
        for (int i = 0; i < 40; ++i) {
            auto first = static_cast<std::uint32_t>(1 + random.below(60));
            auto last = first + static_cast<std::uint32_t>(random.below(4));
            for (auto n = first; n <= last; ++n) model.insert(n);
            if (random.below(2) == 0) std::swap(first, last);
            set.add({first, last});
        }
        REQUIRE(set.size() == model.size());
        REQUIRE(set.min() == *model.begin());
        REQUIRE(set.max() == *model.rbegin());
        std::set<std::uint32_t> seen;
        set.for_each([&](std::uint32_t n) { seen.insert(n); });
        REQUIRE(seen == model);
        for (std::uint32_t n = 1; n < 70; ++n) REQUIRE(set.contains(n) == model.contains(n));
        const auto again = SequenceSet::parse(set.to_string(), 100)->resolve(0);
        REQUIRE(again == set);
    }
}

TEST_CASE("ranges that end at the largest number of all neither overflow nor loop") {
    NumberSet set;
    set.add({4294967290U, 4294967295U});
    set.add(4294967295U);
    set.add(4294967289U);
    CHECK(set.to_string() == "4294967289:4294967295");
    CHECK(set.size() == 7);
    std::uint64_t count = 0;
    set.for_each([&](std::uint32_t) { ++count; });
    CHECK(count == 7);
    CHECK(NumberSet({{1, 4294967295U}}).size() == 4294967295U);
}
