// Identifiers that do not convert into each other.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace mailcore::base {

/// A number that means one thing. `using Uid = Strong<struct UidTag, std::uint32_t>;`
/// Zero-initialised; ordered; hashable; never implicitly a number.
template <class Tag, class Number = std::uint64_t>
struct Strong {
    using number_type = Number;
    Number value{};

    constexpr Strong() = default;
    constexpr explicit Strong(Number number) : value(number) {}
    friend constexpr auto operator<=>(const Strong&, const Strong&) = default;
};

} // namespace mailcore::base

namespace mailcore {
using base::Strong;
} // namespace mailcore

template <class Tag, class Number>
struct std::hash<mailcore::base::Strong<Tag, Number>> {
    std::size_t operator()(const mailcore::base::Strong<Tag, Number>& id) const noexcept {
        return std::hash<Number>{}(id.value);
    }
};
