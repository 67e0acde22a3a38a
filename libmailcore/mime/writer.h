// Writes messages that conform: folded fields, encoded words, parts, transfer encodings (RFC 5322,
// RFC 2045).
#pragma once

#include "libmailcore/base/random.h"
#include "libmailcore/mime/address.h"
#include "libmailcore/mime/content_type.h"
#include "libmailcore/mime/date.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::mime {

/// Appends fields to a header block. Values may hold anything: line ends in them become spaces, so
/// nobody can add fields through a subject. Lines have at most 78 characters where there is a blank
/// to fold at (RFC 5322 §2.1.1); no line exceeds 998 octets.
class HeaderWriter {
  public:
    /// `utf8`: Utf8::Allowed writes UTF-8 as it is (RFC 6532), else encoded words.
    explicit HeaderWriter(std::string& into, Utf8 utf8 = Utf8::Forbidden)
        : into_(into), utf8_(utf8) {}

    /// Text for people: Subject, Comments, Content-Description.
    HeaderWriter& text(std::string_view name, std::string_view value);
    HeaderWriter& addresses(std::string_view name, const std::vector<Address>& list);
    HeaderWriter& date(std::string_view name, const DateTime& value);
    /// A structured value, already in its grammar; folded at blanks outside of quoted strings.
    HeaderWriter& structured(std::string_view name, std::string_view value);
    HeaderWriter& content_type(const ContentType& type);
    HeaderWriter& content_disposition(const ContentDisposition& disposition);
    /// The empty line.
    void end() { into_ += "\r\n"; }

  private:
    std::string& into_; // the caller's
    Utf8 utf8_;
};

/// One line "Name: value" folded at blanks, with CRLF. `value` has no line ends (they become
/// blanks).
[[nodiscard]] std::string folded_field(std::string_view name, std::string_view value);

/// A part to be written.
struct OutgoingPart {
    ContentType type;
    std::optional<ContentDisposition> disposition;
    std::string description; ///< UTF-8; empty: none
    std::string id;          ///< with brackets; empty: none
    /// Of a leaf: its content, before any transfer encoding. Text has CRLF or LF and is UTF-8 or as
    /// its charset parameter says.
    std::string content;
    /// Of a multipart.
    std::vector<OutgoingPart> parts;
    /// The transfer encoding to use; nothing: the least that the content needs.
    std::optional<Encoding> encoding;
};

/// What the way to the recipient can carry.
enum class Transport : std::uint8_t { Bit7, Bit8 };

/// Appends the part's own fields, the empty line and the body. Boundaries come from `random`.
/// message/rfc822 is never encoded (RFC 2046 §5.2.1): 8-bit content makes it, and what holds it,
/// 8bit whatever the transport.
void write_part(const OutgoingPart& part, Transport transport, Random& random, std::string& into);

/// The encoding that `content` needs on that transport: 7bit or 8bit if lines are at most 998
/// octets and there is no NUL or bare CR or LF; else quoted-printable or base64, whichever is
/// shorter.
[[nodiscard]] Encoding choose_encoding(std::string_view content, bool text, Transport transport);

/// A boundary that begins no line of any text written without it in mind.
[[nodiscard]] std::string make_boundary(Random& random);

} // namespace mailcore::mime
