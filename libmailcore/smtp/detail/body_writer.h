// The body of a message on its way out: line ends made right, dots stuffed.
#pragma once

#include "libmailcore/codec/dot_stuffing.h"
#include "libmailcore/smtp/dialect.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace mailcore::smtp::detail {

/// Turns the owner's octets, cut anywhere, into what may be sent.
class BodyWriter {
  public:
    enum class Framing : std::uint8_t { Dots, Chunks, BinaryChunks };
    void begin(Framing framing, BareLineEnds bare) {
        framing_ = framing;
        bare_ = bare;
    }
    [[nodiscard]] Framing framing() const { return framing_; }

    /// Appends to `out`; with `last` also the CRLF that the last line may lack and, with Dots, the
    /// end.
    void append(std::string_view octets, bool last, std::string& out);
    /// With BareLineEnds::Refuse: there was something that must not be sent. `out` is not to be
    /// used.
    [[nodiscard]] bool refused() const { return refused_; }
    [[nodiscard]] std::size_t longest_line_octets() const { return longest_line_; }

  private:
    void put(std::string_view octets, std::string& out);
    void end_line(std::string& out);

    Framing framing_ = Framing::Dots;
    BareLineEnds bare_ = BareLineEnds::Normalise;
    codec::DotStuffer stuffer_;
    bool cr_ = false; // held back: the LF may come
    bool refused_ = false;
    std::size_t line_octets_ = 0;
    std::size_t longest_line_ = 0;
};

} // namespace mailcore::smtp::detail
