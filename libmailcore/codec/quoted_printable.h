// Quoted-printable for bodies (RFC 2045 §6.7) and the Q encoding of header fields (RFC 2047 §4.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mailcore::codec {

/// Encodes a body in lines of at most 76 characters.
///
/// Text: CRLF and bare LF are line ends and become CRLF; a bare CR is encoded. Binary: all of them
/// are encoded. Dots and "From " at a line's start are encoded as well (RFC 2049 §3), so that no
/// relay changes what was signed.
class QuotedPrintableEncoder {
  public:
    enum class Content : std::uint8_t { Text, Binary };
    explicit QuotedPrintableEncoder(Content content = Content::Text) : content_(content) {}

    void encode(std::string_view octets, std::string& into);
    /// Appends what was kept back; ready for the next body.
    void finish(std::string& into);

  private:
    void literal(char c, std::string& into);
    void encoded(char c, std::string& into);
    void release(std::string& into);
    Content content_;
    std::size_t column_ = 0;
    char space_ = 0; // a space or tab that might end the line
    bool cr_ = false;
};

/// Decodes a body cut anywhere. White space at the ends of lines goes (RFC 2045 §6.7 rule 3), soft
/// line breaks may end in a bare LF, and what is no encoding stays as it is.
class QuotedPrintableDecoder {
  public:
    void decode(std::string_view text, std::string& into);
    void finish(std::string& into);
    /// Whether an "=" was seen that begins neither two digits nor a soft line break.
    [[nodiscard]] bool damaged() const { return damaged_; }

  private:
    void step(char c, std::string& into);
    void damage(std::string& into);
    enum class State : std::uint8_t { Plain, Equals, Digit, SoftSpace, SoftCr };
    State state_ = State::Plain;
    char digit_ = 0;
    std::string spaces_; // at most `spaces_max` of them may end a line
    bool cr_ = false;
    bool damaged_ = false;
};

/// "_" is a space, "=XX" an octet; what is neither stays.
void q_decode(std::string_view text, std::string& into);
/// Encodes for any place in which an encoded word may stand, phrases included (RFC 2047 §5 (3)).
void q_encode(std::string_view octets, std::string& into);
/// Characters that `q_encode` makes of one octet: 1 or 3.
[[nodiscard]] std::size_t q_width(char c);

} // namespace mailcore::codec
