// The first words of a message, as they come by in parsing (RFC 8970 §3.1).
#pragma once

#include "libmailcore/mime/text.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::mime {

/// Takes the text of the first part that has any: begin a part, add its body, end it, until `done`.
class PreviewBuilder {
  public:
    explicit PreviewBuilder(std::size_t characters_max) : left_(characters_max) {}

    /// A part worth reading begins: what an earlier part gave was nothing.
    void begin(PartTextDecoder decoder);
    /// Whether a part is being read and more of it is wanted.
    [[nodiscard]] bool wants() const { return decoder_.has_value(); }
    void add(std::string_view body);
    void end();
    /// Forgets what was read of the part under way, as if it had not been there.
    void drop();

    /// Something was found, and no other part is looked at.
    [[nodiscard]] bool done() const { return !decoder_ && !text_.empty(); }
    /// UTF-8 on one line without blanks at its ends; valid until the next call.
    [[nodiscard]] std::string_view text() const { return text_; }

  private:
    void collect();

    std::optional<PartTextDecoder> decoder_;
    std::string decoded_;
    std::string text_;
    std::size_t left_; // characters
    std::size_t body_octets_ = 0;
    bool blank_ = false;
};

} // namespace mailcore::mime
