// Which of the two protocols is spoken, and how strictly text is written.
#pragma once

#include <cstdint>

namespace mailcore::smtp {

enum class Dialect : std::uint8_t {
    Smtp, ///< RFC 5321
    Lmtp, ///< RFC 2033: LHLO, and an answer for each recipient
};

/// What is done with a bare CR or a bare LF in a message that is sent. Neither ever leaves: they
/// are how one message is made to look like two (RFC 5321 §2.3.8).
enum class BareLineEnds : std::uint8_t {
    Normalise, ///< each becomes CRLF
    Refuse,    ///< the message is not sent; NUL too
};

} // namespace mailcore::smtp
