// Quantiles of a histogram.
#include "tests/bench/mdload/histogram.h"

#include <algorithm>
#include <cmath>

namespace mailcore::mdload {

std::uint64_t Histogram::highest(std::size_t index) {
    if (index < linear) return index;
    const auto exponent = (index >> precision_bits) - 1;
    const auto mantissa = index - (exponent << precision_bits);
    return ((mantissa + 1) << exponent) - 1;
}

void Histogram::add(const Histogram& other) {
    for (std::size_t i = 0; i < buckets; ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
}

std::chrono::nanoseconds Histogram::quantile(double part) const {
    if (count_ == 0) return std::chrono::nanoseconds(0);
    const auto rank = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(std::ceil(part * static_cast<double>(count_))));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets; ++i) {
        seen += buckets_[i];
        if (seen >= rank)
            return std::chrono::nanoseconds(
                static_cast<std::int64_t>(i + 1 == buckets ? max_ : std::min(highest(i), max_)));
    }
    return max();
}

} // namespace mailcore::mdload
