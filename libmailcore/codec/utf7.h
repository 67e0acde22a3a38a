// Mailbox names in IMAP4rev1: modified UTF-7 (RFC 3501 §5.1.3).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mailcore::codec {

/// The UTF-8 name. Nothing if `text` is not modified UTF-7 in its one valid form: an octet outside
/// of printable US-ASCII, a shift that holds printable characters or nothing, bits left over, "&"
/// without
/// "-", a null shift "-&", half a surrogate pair.
[[nodiscard]] std::optional<std::string> mailbox_name_from_utf7(std::string_view text);
/// The name in modified UTF-7; nothing if `text` is not UTF-8.
[[nodiscard]] std::optional<std::string> mailbox_name_to_utf7(std::string_view text);

} // namespace mailcore::codec
