// Makes a message of 7 bits of one of 8, for a way that carries no more (RFC 6152 §3).
#pragma once

#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/quoted_printable.h"
#include "libmailcore/mime/structure.h"
#include "libmailcore/mime/text.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mailcore::mime {

/// Why a message cannot be made one of 7 bits.
enum class SevenBitObstacle : std::uint8_t {
    Signed,     ///< the 8-bit part is signed and must stay as it is (RFC 1847 §2.1)
    Header,     ///< a header has octets above 0x7F; that takes SMTPUTF8 (RFC 6532)
    Unreadable, ///< a part whose content cannot be told apart: its transfer encoding is not known,
                ///< it is multipart or message and could not be opened, or a parser's limit was met
};

/// Rewrites a message in one pass, cut anywhere: bodies with 8-bit octets (and those labelled
/// "binary") become quoted-printable, if they are text, or base64, and all labels say so. Bodies,
/// delimiters and fields that need no change stay as they are, octet for octet; what is below a
/// multipart/signed is never touched. In the preamble and epilogue of a multipart, which nobody
/// reads (RFC 2046 §5.1.1), an 8-bit octet becomes "*". A message without MIME fields gets them,
/// its charset being "unknown-8bit" (RFC 1428 §3).
///
/// Memory: a few words a part, and one header of at most 256 KiB. Source: RFC 6152 §3, RFC 2045 §6.
class SevenBitWriter {
  public:
    /// `structure` is that of the message which will be written, parsed whole.
    [[nodiscard]] static std::expected<SevenBitWriter, SevenBitObstacle>
    create(const Structure& structure);

    /// Takes the next octets of the message, appends what they become. The obstacle is told at the
    /// first header that has it; then the writer is spent.
    [[nodiscard]] std::optional<SevenBitObstacle> write(std::string_view octets, std::string& into);
    /// Behind the last octet.
    void finish(std::string& into);

  private:
    /// What happens to the octets up to `end`, from where the stretch before ended.
    struct Stretch {
        enum class Kind : std::uint8_t { Copy, Header, Encode, Mask };
        std::uint64_t end = 0;
        Kind kind = Kind::Copy;
        /// Header: what the label is to say; absent: it stays. Encode: what the body becomes.
        std::optional<Encoding> encoding;
        Encoding encoded_as = Encoding::Bit7; ///< Encode: what it is undone from
        bool is_message = false;              ///< Header: of a message, not of a part of one
        bool is_text = false; ///< Header: without a type it is text; Encode: lines are lines
        std::uint8_t separator_octets = 0; ///< Header: of the empty line that ends it
    };
    struct Plan;

    SevenBitWriter() = default;
    void begin(const Stretch& stretch);
    std::optional<SevenBitObstacle> take(const Stretch& stretch, std::string_view octets,
                                         std::string& into);
    void end(const Stretch& stretch, std::string& into);
    void write_header(const Stretch& stretch, std::string& into) const;
    void encode(std::string_view content, std::string& into);

    std::vector<Stretch> stretches_; // in order, without gaps; at most four a part
    std::size_t current_ = 0;
    std::uint64_t at_ = 0; // in the message
    std::string header_;   // of a Header stretch that changes
    BodyDecoder decoder_{Encoding::Bit7};
    std::variant<codec::QuotedPrintableEncoder, codec::Base64Encoder> encoder_;
    std::string content_; // between decoder and encoder; empty between calls
};

} // namespace mailcore::mime
