// Which octets of a message IMAP's BODY[section] means (RFC 9051 §6.4.5, §7.5.2).
#pragma once

#include "libmailcore/mime/structure.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::mime {

/// What stands between the brackets: part numbers, then which text of that part.
struct Section {
    enum class Text : std::uint8_t {
        All,             ///< the message, or a part's body
        Header,          ///< of the message or of a message/rfc822 part's inner message
        HeaderFields,    ///< the same, only `fields`
        HeaderFieldsNot, ///< the same without `fields`
        Body,            ///< TEXT: of the message or of a message/rfc822 part's inner message
        Mime,            ///< the header of a part
    };
    std::vector<std::uint32_t> part; ///< "2.1"; empty: the message
    Text text = Text::All;
    std::vector<std::string> fields; ///< names, any case
};

/// Octets of the message.
struct Range {
    std::uint64_t offset = 0;
    std::uint64_t octets = 0;
    friend bool operator==(const Range&, const Range&) = default;
};

/// The part that part numbers name; no_part if there is none. "1" of a message that is not
/// multipart is the message's own body (RFC 9051 §6.4.5).
[[nodiscard]] PartIndex find_part(const Structure& structure,
                                  std::span<const std::uint32_t> numbers);

/// The octets of a section; for HeaderFields and HeaderFieldsNot those of the whole header, to be
/// read and given to `select_fields`. Nothing if the message has no such section (IMAP answers
/// NIL).
[[nodiscard]] std::optional<Range> locate(const Structure& structure, const Section& section);

/// Which octets of `header` (with its empty line, as `locate` found it) a HEADER.FIELDS section
/// has: ranges that are relative to it, in order and joined where they touch, the empty line last.
/// If the header has no empty line, the caller must add one: `separator_missing`.
struct SelectedFields {
    std::vector<Range> ranges;
    bool separator_missing = false;
};
[[nodiscard]] SelectedFields select_fields(std::string_view header, const Section& section);

/// The part numbers by which IMAP names a part: "1", "2.1"; "" for the message itself.
[[nodiscard]] std::string part_numbers(const Structure& structure, PartIndex part);

} // namespace mailcore::mime
