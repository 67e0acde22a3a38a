// The header block of a message or part: its fields, where they lie, and unfolding (RFC 5322 §2.2,
// §4.5).
#pragma once

#include "libmailcore/codec/ascii.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::mime {

/// One field of a header block; views into the block.
struct HeaderField {
    std::string_view name;  ///< as written, without the white space before the colon
    std::string_view value; ///< all behind the colon, folded as it was, without the last line end
    std::size_t offset = 0; ///< of the field in the block
    std::size_t octets = 0; ///< of the whole field with its last line end

    [[nodiscard]] bool is(std::string_view other) const {
        return codec::equal_ignoring_case(name, other);
    }
};

/// Goes through the fields of a header block, front to back, in one pass and without allocation.
///
/// The block ends at the first empty line, at the end of the octets, or before a first line that is
/// no field (then there is no header). Lines end in CRLF or LF. A later line that is neither a
/// field nor a continuation is skipped, and so is the "From " line of an mbox file in front. This
/// is the one grammar of header blocks; `Parser` reads them the same way.
class HeaderScanner {
  public:
    explicit HeaderScanner(std::string_view block) : block_(block) {}

    [[nodiscard]] std::optional<HeaderField> next();
    /// After `next` returned nothing: octets of the header with the empty line; where the body
    /// begins.
    [[nodiscard]] std::size_t header_octets() const { return at_; }
    /// After `next` returned nothing: octets of the empty line, 0 if there is none.
    [[nodiscard]] std::size_t separator_octets() const { return separator_; }

  private:
    std::string_view block_; // the caller's
    std::size_t at_ = 0;
    std::size_t separator_ = 0;
    bool any_field_ = false;
    bool ended_ = false;
};

/// The first field of that name; case does not matter.
[[nodiscard]] std::optional<HeaderField> find_field(std::string_view block, std::string_view name);
/// Where the body of a message begins.
[[nodiscard]] std::size_t header_octets(std::string_view message);

/// A field's value on one line: line ends are removed, white space at both ends too (RFC 5322
/// §2.2.3). Everything else, NUL and bare CR included, stays as it is.
[[nodiscard]] std::string unfolded(std::string_view value);
void append_unfolded(std::string_view value, std::string& into);

/// Whether `text` may be a field's name: 1 to 998 octets of 33 to 126 without the colon (RFC 5322
/// §3.6.8).
[[nodiscard]] bool is_field_name(std::string_view text);

/// The name that a header line begins with: octets before the colon, without the white space before
/// it (the obsolete form, RFC 5322 §4.5). Empty if the line is no field.
[[nodiscard]] std::string_view field_name_of(std::string_view line);
/// Whether the first line of a block is the separator of an mbox file: "From " or ">From ", without
/// colon.
[[nodiscard]] bool is_mbox_separator(std::string_view line);

} // namespace mailcore::mime
