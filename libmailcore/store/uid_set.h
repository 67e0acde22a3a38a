// A set of UIDs as ranges.
#pragma once

#include "libmailcore/store/ids.h"

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <vector>

namespace mailcore::store {

/// Both ends are in it; `first` <= `last`.
struct UidRange {
    Uid first;
    Uid last;
    friend bool operator==(const UidRange&, const UidRange&) = default;
};

inline constexpr UidRange all_uids{Uid{1}, Uid{std::numeric_limits<std::uint32_t>::max()}};

/// UIDs in ascending order, kept as ranges that neither overlap nor touch. Its size is that of its
/// gaps, not of its members: the set 1:* is one range. A value.
class UidSet {
  public:
    UidSet() = default;
    explicit UidSet(Uid uid) { add(uid); }
    explicit UidSet(UidRange range) { add(range); }
    UidSet(std::initializer_list<UidRange> ranges) {
        for (const auto& range : ranges) add(range);
    }
    [[nodiscard]] static UidSet all() { return UidSet(all_uids); }

    /// In ascending order each call is fast; out of order it moves the ranges behind.
    void add(Uid uid) { add(UidRange{uid, uid}); }
    void add(UidRange range);
    void add(const UidSet& other);
    void remove(UidRange range);

    [[nodiscard]] bool contains(Uid uid) const;
    [[nodiscard]] bool empty() const { return ranges_.empty(); }
    /// Number of UIDs.
    [[nodiscard]] std::uint64_t size() const;
    [[nodiscard]] const std::vector<UidRange>& ranges() const { return ranges_; }
    [[nodiscard]] UidSet intersection(const UidSet& other) const;
    /// What is in this one and not in `other`.
    [[nodiscard]] UidSet without(const UidSet& other) const;
    /// The first `size_max` UIDs from `from` on: what is done of a set at a time.
    [[nodiscard]] UidSet first_of(Uid from, std::uint64_t size_max) const;
    /// Bit n: whether `first` + n is in it.
    [[nodiscard]] std::uint64_t bits(Uid first) const;
    /// Adds `first` + n for each bit n.
    void add_bits(Uid first, std::uint64_t bits);

    /// The UIDs one by one, in order: for sets that are known to be small.
    template <class Function>
    void for_each(Function function) const {
        for (const auto& range : ranges_)
            for (std::uint64_t uid = range.first.value; uid <= range.last.value; ++uid)
                function(Uid{static_cast<std::uint32_t>(uid)});
    }

    friend bool operator==(const UidSet&, const UidSet&) = default;

  private:
    std::vector<UidRange> ranges_;
};

} // namespace mailcore::store
