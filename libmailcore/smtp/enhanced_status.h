// Enhanced mail system status codes (RFC 3463, registry of RFC 5248; RFC 2034 puts them into
// replies).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::smtp {

/// class "." subject "." detail, as in "5.1.1". Class is 2, 4 or 5; subject and detail are at most
/// 999.
struct EnhancedStatus {
    std::uint16_t status_class = 0;
    std::uint16_t subject = 0;
    std::uint16_t detail = 0;

    friend bool operator==(const EnhancedStatus&, const EnhancedStatus&) = default;
};

[[nodiscard]] std::string to_string(const EnhancedStatus& status);

/// The whole of `text` is a status code. Source: RFC 3463 §2.
[[nodiscard]] std::optional<EnhancedStatus> parse_enhanced_status(std::string_view text);

} // namespace mailcore::smtp
