// Which release this is.
#pragma once

#include <string_view>

namespace mailcore {

/// "0.1.0": major, minor, patch. Before 1.0 a new minor version may change the interface.
[[nodiscard]] std::string_view version();

} // namespace mailcore
