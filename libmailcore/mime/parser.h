// One pass over a message, cut anywhere, gives its Structure.
#pragma once

#include "libmailcore/mime/structure.h"

#include <cstddef>
#include <memory>
#include <string_view>

namespace mailcore::mime {

/// Limits of what one message may cost. What lies beyond is not described; it is never lost.
struct ParserOptions {
    /// Levels of multipart and message/rfc822 that are opened. The message itself is level 1.
    std::uint32_t depth_max = 100;
    /// Parts, the message itself included.
    std::uint32_t parts_max = 2'000;
    /// Octets of one header that are looked at for fields.
    std::uint64_t header_octets_max = 4 * 1024 * 1024;
    /// Fields of one header that are looked at.
    std::uint32_t header_fields_max = 10'000;
    /// Octets of one field that are read.
    std::size_t field_octets_max = 256 * 1024;
    /// Octets of texts (envelopes, parameters, descriptions, thread keys) kept for the whole
    /// message.
    std::size_t text_octets_max = 1024 * 1024;
    /// Addresses kept for the whole message.
    std::size_t addresses_max = 10'000;
    /// Characters of the preview (RFC 8970 §3.1: at most 256).
    std::size_t preview_characters_max = 256;
};

/// Parses any octets as a message: never fails, and the result does not depend on how they were
/// cut.
///
/// Memory: the structure (bounded by the options) and at most one header field or delimiter line.
/// Time: linear. Lines end in CRLF or LF. One parser, one message, one thread at a time. Source:
/// RFC 5322, RFC 2045, RFC 2046, RFC 2183, RFC 2231, RFC 6532.
class Parser {
  public:
    explicit Parser(const ParserOptions& options = {});
    ~Parser();
    Parser(Parser&&) noexcept;
    Parser& operator=(Parser&&) noexcept;

    void feed(std::string_view octets);
    /// The message ends here. The parser is spent.
    [[nodiscard]] Structure finish();

    /// Octets examined so far, each as often as it was looked at: what tests of linear time
    /// compare.
    [[nodiscard]] std::uint64_t work() const;

  private:
    struct Machine;
    std::unique_ptr<Machine> machine_;
};

/// A message that is in memory as a whole.
[[nodiscard]] Structure parse(std::string_view message, const ParserOptions& options = {});

} // namespace mailcore::mime
