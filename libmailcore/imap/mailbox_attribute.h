// The attributes of a mailbox in LIST, special uses among them.
// Source: RFC 9051 §7.3.1; RFC 6154 §2.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mailcore::imap {

enum class MailboxAttribute : std::uint8_t {
    NonExistent,
    NoInferiors,
    NoSelect,
    HasChildren,
    HasNoChildren,
    Marked,
    Unmarked,
    Subscribed,
    Remote,
    All, ///< from here on: special uses
    Archive,
    Drafts,
    Flagged,
    Junk,
    Sent,
    Trash,
};

[[nodiscard]] constexpr bool is_special_use(MailboxAttribute attribute) {
    return attribute >= MailboxAttribute::All;
}
/// With its backslash: "\HasChildren".
[[nodiscard]] std::string_view to_string(MailboxAttribute attribute);
/// A special use, without case, with its backslash. Nothing if it is none that we know.
[[nodiscard]] std::optional<MailboxAttribute> parse_special_use(std::string_view name);

} // namespace mailcore::imap
