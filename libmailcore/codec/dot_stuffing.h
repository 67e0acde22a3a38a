// Multi-line texts that end with a line holding a single dot (RFC 5321 §4.5.2, RFC 1939 §3).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mailcore::codec {

/// Doubles the dot at the start of a line and writes the end. A line starts after CRLF only.
class DotStuffer {
  public:
    /// Appends `octets` to `out`, stuffed.
    void append(std::string_view octets, std::string& out);
    /// Appends the CRLF that a last line may lack, then ".CRLF"; ready for the next text.
    void finish(std::string& out);

  private:
    enum class State : std::uint8_t { LineStart, Within, Cr };
    State state_ = State::LineStart;
};

} // namespace mailcore::codec
