// Quantiles are right to 1/64, whatever the values.
#include "libmailcore/base/random.h"
#include "tests/bench/mdload/histogram.h"
#include "tests/catch.h"

#include <algorithm>
#include <vector>

using namespace mailcore;
using mdload::Histogram;
using std::chrono::nanoseconds;

TEST_CASE("an empty histogram answers zero") {
    const Histogram histogram;
    CHECK(histogram.count() == 0);
    CHECK(histogram.quantile(0.5) == nanoseconds(0));
    CHECK(histogram.max() == nanoseconds(0));
}

TEST_CASE("one value is every quantile") {
    for (const std::int64_t value :
         {std::int64_t{0}, std::int64_t{1}, std::int64_t{63}, std::int64_t{64}, std::int64_t{127},
          std::int64_t{128}, std::int64_t{129}, std::int64_t{1'000'000'007}, std::int64_t{1} << 39,
          std::int64_t{1} << 50}) {
        INFO(value);
        Histogram histogram;
        histogram.add(nanoseconds(value));
        CHECK(histogram.quantile(0) == nanoseconds(value));
        CHECK(histogram.quantile(0.5) == nanoseconds(value));
        CHECK(histogram.quantile(1) == nanoseconds(value));
    }
}

TEST_CASE("a negative duration counts as none") {
    Histogram histogram;
    histogram.add(nanoseconds(-5));
    CHECK(histogram.count() == 1);
    CHECK(histogram.max() == nanoseconds(0));
}

TEST_CASE("quantiles are those of the sorted values to one part in 64, and never below") {
    base::SeededRandom random(7);
    for (const unsigned bits : {8u, 20u, 33u, 40u}) {
        Histogram histogram;
        std::vector<std::int64_t> values;
        for (int i = 0; i < 20'000; ++i) {
            values.push_back(static_cast<std::int64_t>(
                random.below(std::uint64_t{1} << (1 + random.below(bits)))));
            histogram.add(nanoseconds(values.back()));
        }
        std::ranges::sort(values);
        for (const double part : {0.001, 0.5, 0.9, 0.99, 0.999, 1.0}) {
            INFO(bits << " bits, " << part);
            const auto rank = static_cast<std::size_t>(part * static_cast<double>(values.size()));
            const auto exact = values[std::max<std::size_t>(rank, 1) - 1];
            const auto told = histogram.quantile(part).count();
            CHECK(told >= exact);
            CHECK(told <= exact + exact / 64 + 1);
        }
        CHECK(histogram.max().count() == values.back());
    }
}

TEST_CASE("a sum of histograms has the values of both") {
    Histogram slow, fast;
    for (int i = 0; i < 99; ++i) fast.add(nanoseconds(10));
    slow.add(nanoseconds(1'000'000));
    fast.add(slow);
    CHECK(fast.count() == 100);
    CHECK(fast.quantile(0.99) == nanoseconds(10));
    CHECK(fast.max() == nanoseconds(1'000'000));
}
