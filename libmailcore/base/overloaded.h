// The visitor for std::visit.
#pragma once

namespace mailcore::base {

/// `std::visit(overloaded{[](const A&) {...}, [](const B&) {...}}, variant)`
template <class... Cases>
struct overloaded : Cases... {
    using Cases::operator()...;
};
template <class... Cases>
overloaded(Cases...) -> overloaded<Cases...>;

} // namespace mailcore::base

namespace mailcore {
using base::overloaded;
} // namespace mailcore
