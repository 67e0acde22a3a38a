// What parsing a message gives: its parts with their places and facts, computed once and stored.
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/mime/arena.h"
#include "libmailcore/mime/content_type.h"
#include "libmailcore/mime/date.h"
#include "libmailcore/mime/envelope.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::mime {

/// Index of a part in `Structure::parts`. 0 is the message itself.
using PartIndex = std::uint32_t;
inline constexpr PartIndex no_part = std::numeric_limits<PartIndex>::max();

/// One entity of a message. Offsets are octets from the start of the message; views and spans are
/// into the Structure.
struct Part {
    enum class Kind : std::uint8_t {
        /// A body. Also a multipart or message/rfc822 that could not be opened (no boundary, none
        /// of
        /// its delimiters found, too deep): IMAP must not describe it as what it says it is.
        Leaf,
        Multipart, ///< has children
        Message,   ///< message/rfc822 or message/global: exactly one child, the message inside
    };
    Kind kind = Kind::Leaf;
    Encoding encoding = Encoding::Bit7;
    PartIndex parent = no_part;
    PartIndex first_child = no_part;
    PartIndex next_sibling = no_part;

    std::uint64_t header_begin = 0;
    std::uint64_t body_begin = 0; ///< behind the empty line
    std::uint64_t end = 0;        ///< without the line end that belongs to the delimiter behind it
    std::uint64_t body_lines = 0; ///< a last line without line end counts
    std::uint32_t separator_octets =
        0;                  ///< of the empty line before body_begin: 2, 1, or 0 if missing
    bool body_8bit = false; ///< an octet above 0x7F in the body

    std::string_view
        type; ///< lower case; of a missing or unreadable field the default of RFC 2045 §5.2
    std::string_view subtype;
    std::span<const ParameterView> parameters;
    std::optional<std::string_view>
        encoding_text;                  ///< Content-Transfer-Encoding as written; absent: none
    std::optional<std::string_view> id; ///< Content-ID as written, with its brackets
    std::optional<std::string_view> description; ///< unfolded, encoded words as written
    std::optional<std::string_view> md5;
    std::optional<std::string_view> location;
    std::optional<std::string_view> disposition; ///< lower case
    std::span<const ParameterView> disposition_parameters;
    std::span<const std::string_view> languages;

    /// Of the message itself and of the child of each Kind::Message; else null.
    const Envelope* envelope = nullptr;

    [[nodiscard]] std::uint64_t header_octets() const { return body_begin - header_begin; }
    [[nodiscard]] std::uint64_t body_octets() const { return end - body_begin; }
    [[nodiscard]] bool is(std::string_view a_type, std::string_view a_subtype) const {
        return type == a_type && subtype == a_subtype;
    }
    /// The charset parameter, "" if there is none.
    [[nodiscard]] std::string_view charset() const {
        return plain_parameter(parameters, "charset").value_or("");
    }
    /// The file name of the disposition, else the name of the type, in UTF-8.
    [[nodiscard]] std::optional<std::string> file_name() const;
};

/// Limits that were reached, so that something is missing here (never in the message).
enum class Truncation : std::uint8_t {
    Depth = 1,  ///< a part below the depth limit stayed closed
    Parts = 2,  ///< delimiters behind the last part allowed were not looked at
    Header = 4, ///< fields behind a header's limit, or octets behind a field's, were not read
    Texts = 8,  ///< texts, parameters or addresses that did not fit were left out
};

/// The parsed facts of one message. Immutable once made; moving keeps its views valid.
class Structure {
  public:
    Structure() = default;
    Structure(Structure&&) noexcept = default;
    Structure& operator=(Structure&&) noexcept = default;
    Structure(const Structure&) = delete;
    Structure& operator=(const Structure&) = delete;

    std::vector<Part> parts; ///< in the order of the message, the message itself first; never empty

    std::uint64_t octets = 0;      ///< of the whole message
    std::uint64_t lines = 0;       ///< of the whole message
    std::uint32_t received = 0;    ///< Received fields
    std::uint64_t line_octets = 0; ///< of the longest line, without its end
    bool header_8bit = false;      ///< an octet above 0x7F in any header
    bool nul = false;              ///< a NUL anywhere
    bool bare_lf = false;          ///< a line that ends in LF alone
    bool bare_cr = false;          ///< a CR that is not followed by LF
    std::uint8_t truncated = 0;    ///< of Truncation

    std::string_view preview;     ///< UTF-8, at most 256 characters, one line (RFC 8970 §3.1)
    std::optional<DateTime> sent; ///< the Date field

    /// Thread keys (RFC 5256 §3). Ids are without brackets.
    std::string_view message_id; ///< "" if there is none
    std::span<const std::string_view> in_reply_to;
    std::span<const std::string_view> references;
    std::string_view base_subject; ///< UTF-8 (RFC 5256 §2.1)
    bool reply_or_forward = false; ///< the subject says so

    [[nodiscard]] const Part& message() const { return parts.front(); }
    /// The envelope of the message itself.
    [[nodiscard]] const Envelope& envelope() const { return *parts.front().envelope; }
    /// Whether some leaf is what people call an attachment: a disposition says so, or it is neither
    /// text nor part of a multipart/related nor a signature.
    [[nodiscard]] bool has_attachment() const;

    /// Versioned and compact; what the store keeps. Equal structures encode equally.
    [[nodiscard]] std::string encoded() const;
    /// Reads it back, copying the texts. Corrupt if it was not made by `encoded`.
    [[nodiscard]] static Result<Structure> decode(std::string_view octets);
    /// The same without copying: `octets` must outlive the structure.
    [[nodiscard]] static Result<Structure> decode_in_place(std::string_view octets);
    /// The same in the place of what `into` was, whose memory is used again: for many, one after
    /// the other. After an error `into` is of no use but for this.
    [[nodiscard]] static Result<void> decode_in_place(std::string_view octets, Structure& into);

    /// What the views show; for those who build a structure.
    Arena storage;
};

} // namespace mailcore::mime
