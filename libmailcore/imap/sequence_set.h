// Sets of message numbers or UIDs: as a client writes them, and resolved against a mailbox.
// Source: RFC 9051 §4.1.1, §9 (sequence-set, uid-set); RFC 3501 §9.
#pragma once

#include "libmailcore/base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::imap {

/// An ascending set of numbers above zero, kept as disjoint, not adjoining ranges: message numbers,
/// UIDs. A value. Its size is that of its ranges, not of its numbers.
class NumberSet {
  public:
    struct Range {
        std::uint32_t first = 0, last = 0;
        friend bool operator==(const Range&, const Range&) = default;
    };

    NumberSet() = default;
    /// Ranges in any order, overlapping or not.
    explicit NumberSet(std::vector<Range> ranges);

    /// Adds a number; fastest when it is above all that are there.
    void add(std::uint32_t number) { add(Range{number, number}); }
    /// Adds `first` to `last`, both included, in either order; neither may be 0.
    void add(Range range);

    [[nodiscard]] bool contains(std::uint32_t number) const;
    [[nodiscard]] bool empty() const { return ranges_.empty(); }
    /// How many numbers; up to 2^32 - 1.
    [[nodiscard]] std::uint64_t size() const;
    /// 0 if empty.
    [[nodiscard]] std::uint32_t min() const { return ranges_.empty() ? 0 : ranges_.front().first; }
    [[nodiscard]] std::uint32_t max() const { return ranges_.empty() ? 0 : ranges_.back().last; }
    [[nodiscard]] const std::vector<Range>& ranges() const { return ranges_; }

    /// Each number, ascending. `function(std::uint32_t)`. Bound a set a client wrote by the mailbox
    /// first.
    template <class Function>
    void for_each(Function function) const {
        for (const auto& range : ranges_)
            for (std::uint64_t number = range.first; number <= range.last; ++number)
                function(static_cast<std::uint32_t>(number));
    }

    /// "1:3,5"; empty for the empty set, which the protocol cannot write.
    [[nodiscard]] std::string to_string() const;
    void append_to(std::string& into) const;

    friend bool operator==(const NumberSet&, const NumberSet&) = default;

  private:
    std::vector<Range> ranges_;
};

/// What a client wrote: ranges that may name the largest number in use ("*"), or the result of the
/// last SEARCH that saved ("$", RFC 9051 §6.4.4.1). Means nothing until it is resolved.
class SequenceSet {
  public:
    /// In place of a number: "*".
    static constexpr std::uint32_t largest = 0;

    /// At most `elements_max` elements between commas. `text` is the whole set and nothing else.
    static Result<SequenceSet, ParseError> parse(std::string_view text, std::size_t elements_max);

    /// "$": ask the session's own search result variable; `resolve` must not be called.
    [[nodiscard]] bool is_saved_result() const { return saved_result_; }
    /// Whether "*" occurs in it, which a known-uids set must not have (RFC 7162 §7).
    [[nodiscard]] bool names_largest() const;
    /// As written, either end may be `largest`, in either order.
    [[nodiscard]] const std::vector<NumberSet::Range>& elements() const { return elements_; }

    /// The set with "*" as `largest_in_use`, which may be 0 for an empty mailbox: then an element
    /// that is
    /// "*" alone is dropped and one that is a range with it reaches from its other end to itself.
    [[nodiscard]] NumberSet resolve(std::uint32_t largest_in_use) const;
    /// Message numbers of a mailbox of `exists` messages; nothing if one of them is beyond it,
    /// which is answered BAD (RFC 9051 §9 seq-number).
    [[nodiscard]] std::optional<NumberSet> message_numbers(std::uint32_t exists) const;

    friend bool operator==(const SequenceSet&, const SequenceSet&) = default;

  private:
    std::vector<NumberSet::Range> elements_;
    bool saved_result_ = false;
};

} // namespace mailcore::imap
