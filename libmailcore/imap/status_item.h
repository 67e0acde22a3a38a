// What STATUS, and LIST with RETURN (STATUS ...), tells about a mailbox without selecting it.
// Source: RFC 9051 §6.3.11; RFC 3501 §6.3.10 (RECENT); RFC 7162 §3.1.7; RFC 8474 §4.2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::imap {

// DELETED-STORAGE has its place here.
enum class StatusItem : std::uint8_t {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    Size,
    HighestModSeq,
    MailboxId,
    AppendLimit, ///< RFC 7889 §2
};

[[nodiscard]] std::string_view to_string(StatusItem item);
/// Without case. Nothing if there is no such item.
[[nodiscard]] std::optional<StatusItem> parse_status_item(std::string_view name);

} // namespace mailcore::imap
