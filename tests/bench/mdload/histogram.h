// Counts durations in buckets whose width grows with the value, as HdrHistogram does.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

namespace mailcore::mdload {

/// Durations from 1 ns to about 9 minutes, each known to 1/64 of itself; what is longer counts as
/// the longest. Fixed size, whatever comes.
class Histogram {
  public:
    void add(std::chrono::nanoseconds duration) {
        const auto value = duration.count() > 0 ? static_cast<std::uint64_t>(duration.count()) : 0;
        ++buckets_[index(value)];
        ++count_;
        if (value > max_) max_ = value;
    }
    void add(const Histogram& other);

    /// The least duration that `part` (0 to 1) of all do not exceed: the upper end of its bucket,
    /// and never more than the greatest that was added. 0 if there is none.
    [[nodiscard]] std::chrono::nanoseconds quantile(double part) const;
    [[nodiscard]] std::chrono::nanoseconds max() const {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(max_));
    }
    [[nodiscard]] std::uint64_t count() const { return count_; }

  private:
    static constexpr unsigned precision_bits = 6, exponents = 34;
    static constexpr std::uint64_t linear = std::uint64_t{1} << (precision_bits + 1);

    static std::size_t index(std::uint64_t value) {
        if (value < linear) return static_cast<std::size_t>(value);
        const auto exponent = static_cast<unsigned>(std::bit_width(value)) - precision_bits - 1;
        if (exponent >= exponents) return buckets - 1;
        return (std::size_t{exponent} << precision_bits) +
               static_cast<std::size_t>(value >> exponent);
    }
    static std::uint64_t highest(std::size_t index);

    static constexpr std::size_t buckets = (std::size_t{exponents} + 1) << precision_bits;
    std::array<std::uint64_t, buckets> buckets_{};
    std::uint64_t count_ = 0, max_ = 0;
};

} // namespace mailcore::mdload
