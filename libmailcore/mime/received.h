// Received fields: where a message has been (RFC 5321 §4.4), for traces and against loops.
#pragma once

#include "libmailcore/mime/date.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::mime {

/// What a Received field says. Empty: not said. Views' worth of text is copied; comments stay
/// beside the clause that they follow.
struct Received {
    std::string from;         ///< what the client called itself
    std::string from_comment; ///< what its server saw: name and address, as that server writes them
    std::string by;
    std::string via;
    std::string with;
    std::string id;            ///< without angle brackets
    std::string for_recipient; ///< without angle brackets
    std::optional<DateTime> date;
};

/// Reads a Received field's value, folded or not. Never fails: what is not understood is left
/// empty.
[[nodiscard]] Received parse_received(std::string_view value);

/// Number of Received fields of a header block, for loop detection (RFC 5321 §6.3).
[[nodiscard]] std::size_t count_received(std::string_view header);

} // namespace mailcore::mime
