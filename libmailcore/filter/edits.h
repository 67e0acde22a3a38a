// Changes that filters make to a message, and how they become octets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mailcore::filter {

/// A new field above all others, or below them (where trace fields do not belong).
struct AddHeader {
    enum class Where : std::uint8_t { Top, Bottom };
    std::string name;
    std::string value; ///< unfolded; folded and encoded when it is written
    Where where = Where::Top;
};
/// Removes the `occurrence`-th field of that name from the top, from 1; 0: all of them.
struct RemoveHeader {
    std::string name;
    std::uint32_t occurrence = 0;
};
/// Replaces the first field of that name where it stands; adds it at the bottom if there is none.
struct ReplaceHeader {
    std::string name;
    std::string value;
};
using HeaderEdit = std::variant<AddHeader, RemoveHeader, ReplaceHeader>;

inline constexpr std::size_t header_edits_max = 200; ///< of one message, all filters together
inline constexpr std::size_t header_value_octets_max = 16 * 1024;

/// True for one or more of 0x21 to 0x7E without a colon (RFC 5322 §2.2).
[[nodiscard]] bool is_header_name(std::string_view name);

/// A header block (fields with their CRLFs, without the empty line) with `edits` made in their
/// order. What is not edited stays octet for octet. Line ends and NUL in values become spaces, so
/// that a value can never begin a field of its own; lines are folded at white space near 78 octets
/// (RFC 5322 §2.1.1).
[[nodiscard]] std::string apply_edits(std::string_view header,
                                      const std::vector<HeaderEdit>& edits);

/// What stands before and behind a message's body so that it becomes the first part of a
/// multipart/mixed whose second part is `text` (UTF-8).
struct Wrapping {
    std::string header;  ///< takes the header's place, empty line and first delimiter included
    std::string trailer; ///< behind the body
};
/// Puts a text below a message without touching an octet of its body: charset, encoding and
/// signatures inside (multipart/signed) stay as they are, which inserting lines would not do.
/// `header`: fields with their CRLFs, without the empty line; its Content- fields go to the first
/// part. `boundary` does not occur in the body.
[[nodiscard]] Wrapping wrap_with_text(std::string_view header, std::string_view text,
                                      std::string_view boundary);

} // namespace mailcore::filter
