// xtext: octets inside of an ESMTP parameter's value (RFC 3461 §4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mailcore::smtp {

/// Octets outside of "!" to "~", and "+" and "=", become "+" and two upper-case hexadecimal digits.
[[nodiscard]] std::string xtext_encode(std::string_view octets);

/// Nothing if `text` is no xtext. Lower-case digits are refused, as the grammar has none.
[[nodiscard]] std::optional<std::string> xtext_decode(std::string_view text);

} // namespace mailcore::smtp
