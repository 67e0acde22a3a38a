// Lua's patterns (Lua 5.4 manual §6.4.1), matched within a number of steps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mailcore::filter::detail {

/// Matches a pattern at one place of a subject after the other. Backtracking can take any time, and
/// Lua's own matcher cannot be interrupted: this one counts its steps and gives up. Trivially
/// destructible, since Lua leaves functions by longjmp.
class PatternMatcher {
  public:
    enum class Outcome : std::uint8_t { Matched, Unmatched, Malformed, OutOfSteps };
    static constexpr std::size_t captures_max = 32;

    /// Views outlive it. `pattern` without its anchor "^".
    PatternMatcher(std::string_view subject, std::string_view pattern, std::uint64_t steps_max)
        : subject_(subject), pattern_(pattern), steps_left_(steps_max) {}

    [[nodiscard]] Outcome match_at(std::size_t begin);

    /// After Matched: where it ends, and what the captures hold.
    [[nodiscard]] std::size_t end() const { return end_; }
    [[nodiscard]] std::size_t captures() const { return captures_; }
    struct Capture {
        std::size_t begin = 0;
        std::size_t octets = 0;
        bool position = false; ///< "()": the place itself
        bool open = false;
    };
    [[nodiscard]] const Capture& capture(std::size_t index) const { return all_[index]; }
    /// After Malformed: what is wrong with the pattern.
    [[nodiscard]] const char* problem() const { return problem_; }
    [[nodiscard]] std::uint64_t steps_left() const { return steps_left_; }

  private:
    static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);
    std::size_t run(std::size_t at, std::size_t item);
    std::size_t open_capture(std::size_t at, std::size_t item);
    std::size_t close_capture(std::size_t at, std::size_t item);
    std::size_t balanced(std::size_t at, std::size_t item);
    std::size_t frontier(std::size_t at, std::size_t item);
    std::size_t same_again(std::size_t at, std::size_t item);
    std::size_t repeated(std::size_t at, std::size_t item, std::size_t behind, bool greedy,
                         std::size_t least);
    std::size_t item_end(std::size_t item);
    bool item_takes(std::size_t at, std::size_t item, std::size_t behind) const;
    bool set_has(unsigned char c, std::size_t item, std::size_t last) const;
    std::size_t malformed(const char* problem);

    std::string_view subject_; // the caller's
    std::string_view pattern_; // the caller's
    std::uint64_t steps_left_;
    std::size_t end_ = 0;
    std::size_t captures_ = 0;
    std::array<Capture, captures_max> all_{};
    const char* problem_ = nullptr;
    bool out_of_steps_ = false;
    unsigned depth_ = 0;
};

} // namespace mailcore::filter::detail
