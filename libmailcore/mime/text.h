// What people read of a part: transfer encoding and charset undone, HTML as text.
#pragma once

#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/charset.h"
#include "libmailcore/codec/quoted_printable.h"
#include "libmailcore/mime/html.h"
#include "libmailcore/mime/structure.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace mailcore::mime {

/// Undoes a transfer encoding, cut anywhere. Bit7, Bit8, Binary and Other pass through.
class BodyDecoder {
  public:
    explicit BodyDecoder(Encoding encoding);
    void decode(std::string_view octets, std::string& into);
    void finish(std::string& into);
    /// The encoding was not kept to; see the decoders in codec.
    [[nodiscard]] bool damaged() const;

  private:
    std::variant<std::monostate, codec::Base64Decoder, codec::QuotedPrintableDecoder> decoder_;
};

/// A text part as UTF-8, cut anywhere: transfer encoding, then charset, then, for text/html if
/// asked for, what a browser would show. Memory: a few octets besides the output.
class PartTextDecoder {
  public:
    enum class Html : std::uint8_t { AsText, AsIs };
    PartTextDecoder(Encoding encoding, std::string_view charset, bool is_html, Html html);
    /// For a part: its encoding, charset and type.
    PartTextDecoder(const Part& part, Html html);

    void decode(std::string_view octets, std::string& into);
    void finish(std::string& into);

  private:
    BodyDecoder body_;
    codec::CharsetDecoder charset_;
    std::optional<HtmlText> html_;
    std::string decoded_; // between the stages, empty between calls
    std::string text_;
};

/// The whole text of a part, given the octets of its body (`part_body`).
[[nodiscard]] std::string part_text(const Part& part, std::string_view body,
                                    PartTextDecoder::Html html = PartTextDecoder::Html::AsIs);
/// The body of a part with its transfer encoding undone.
[[nodiscard]] std::string part_content(const Part& part, std::string_view body);
/// The octets of a part's body in the whole message.
[[nodiscard]] std::string_view part_body(const Part& part, std::string_view message);

} // namespace mailcore::mime
