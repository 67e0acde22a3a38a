// The part of a message that a FETCH names between brackets, and the octets of it that it wants.
// Source: RFC 9051 §6.4.5.1, §9 (section, section-binary, partial).
#pragma once

#include "libmailcore/mime/section.h"

#include <cstdint>
#include <string>

namespace mailcore::imap {

/// "<0.2048>": from `offset`, 0-based, at most `octets` (above 0) octets.
struct Partial {
    std::uint64_t offset = 0;
    std::uint64_t octets = 0;
    friend bool operator==(const Partial&, const Partial&) = default;
};

/// "[2.HEADER.FIELDS (From To)]", with the field names as asked for: as atoms where they can be,
/// else quoted.
void append_section(const mime::Section& section, std::string& into);

} // namespace mailcore::imap
