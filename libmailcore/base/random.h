// Where random octets come from, so that a simulation can repeat them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace mailcore::base {

/// A source of random octets. `SystemRandom` may be used from any thread, `SeededRandom` from one.
class Random {
  public:
    virtual ~Random() = default;
    virtual void fill(std::span<unsigned char> octets) = 0;

    [[nodiscard]] std::uint64_t next();
    /// Evenly from 0 to `bound` - 1; `bound` is at least 1.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound);
    /// `octets` random octets as twice as many lower-case hexadecimal digits.
    [[nodiscard]] std::string hex(std::size_t octets);
};

/// The kernel's generator, fit for keys and nonces.
class SystemRandom final : public Random {
  public:
    void fill(std::span<unsigned char> octets) override;
};

/// Repeatable from its seed and fit for nothing secret: tests and simulation only.
class SeededRandom final : public Random {
  public:
    explicit SeededRandom(std::uint64_t seed);
    void fill(std::span<unsigned char> octets) override;

  private:
    std::uint64_t step();
    std::array<std::uint64_t, 4> state_;
};

} // namespace mailcore::base

namespace mailcore {
using base::Random;
} // namespace mailcore
