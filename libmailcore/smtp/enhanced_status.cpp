#include "libmailcore/smtp/enhanced_status.h"

#include "libmailcore/codec/number.h"

namespace mailcore::smtp {

std::string to_string(const EnhancedStatus& status) {
    std::string text;
    codec::append_number(text, status.status_class);
    text += '.';
    codec::append_number(text, status.subject);
    text += '.';
    codec::append_number(text, status.detail);
    return text;
}

std::optional<EnhancedStatus> parse_enhanced_status(std::string_view text) {
    const auto part = [&](std::size_t digits_max) {
        auto digits = text.substr(0, digits_max);
        if (digits.starts_with('0')) digits = digits.substr(0, 1); // RFC 3463 §2: no leading zeros
        const auto before = digits.size();
        const auto number = codec::take_number<std::uint16_t>(digits);
        if (number) text.remove_prefix(before - digits.size());
        return number;
    };
    const auto dot = [&] {
        if (!text.starts_with('.')) return false;
        text.remove_prefix(1);
        return true;
    };
    EnhancedStatus status;
    const auto status_class = part(1);
    if (!status_class || (*status_class != 2 && *status_class != 4 && *status_class != 5) || !dot())
        return std::nullopt;
    const auto subject = part(3);
    if (!subject || !dot()) return std::nullopt;
    const auto detail = part(3);
    if (!detail || !text.empty()) return std::nullopt;
    return EnhancedStatus{*status_class, *subject, *detail};
}

} // namespace mailcore::smtp
