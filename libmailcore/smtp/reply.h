// Replies: what a server answers, as a value, as octets, and read back (RFC 5321 §4.2, RFC 2034).
#pragma once

#include "libmailcore/codec/line_reader.h"
#include "libmailcore/smtp/enhanced_status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::smtp {

/// A reply code, its enhanced status, and text for people; '\n' separates the text's lines.
struct Reply {
    std::uint16_t code = 0;
    std::optional<EnhancedStatus> status;
    std::string text;

    /// Positive completion, positive intermediate, transient and permanent negative completion
    /// (RFC 5321 §4.2.1).
    [[nodiscard]] bool is_positive() const { return code / 100 == 2; }
    [[nodiscard]] bool is_intermediate() const { return code / 100 == 3; }
    [[nodiscard]] bool is_transient() const { return code / 100 == 4; }
    [[nodiscard]] bool is_permanent() const { return code / 100 == 5; }
    friend bool operator==(const Reply&, const Reply&) = default;
};

/// "550 5.1.1 no such user", lines joined by "; ": for logs and reports.
[[nodiscard]] std::string to_string(const Reply& reply);

/// Appends the reply as octets with its CRLFs. Whatever the text holds, what comes out is one
/// reply: long lines are broken (RFC 5321 §4.5.3.1.5), control characters and, with
/// `Octets::Ascii`, non-ASCII ones become '?'. The status is left out where its class is not that
/// of the code (RFC 2034 §4).
enum class Octets : std::uint8_t { Ascii, Utf8 };
void append_reply(const Reply& reply, std::string& out, Octets octets = Octets::Ascii);

/// Reads a server's replies from a stream cut anywhere, within bounds.
class ReplyParser {
  public:
    struct Limits {
        /// RFC 5321 §4.5.3.1.5 says 512; long URLs are common, and challenges are longer (RFC 4954
        /// §4).
        std::size_t line_octets_max = 12'288 + 6;
        std::size_t reply_octets_max = 32768; ///< all lines of one reply
    };
    enum class Outcome : std::uint8_t { NeedMore, Complete, Malformed };
    struct Step {
        Outcome outcome;
        std::size_t taken;
    };

    ReplyParser() : ReplyParser(Limits{}) {}
    explicit ReplyParser(Limits limits) : limits_(limits), reader_(limits.line_octets_max) {}

    /// Takes octets until a reply is complete. After Malformed the stream means nothing any more:
    /// too long, a bare CR or LF, no three digits, or lines of one reply that differ in code.
    Step read(std::string_view octets);
    /// The complete reply; once.
    [[nodiscard]] Reply take();
    /// Whether nothing of a reply has come.
    [[nodiscard]] bool between() const { return reader_.between() && lines_ == 0; }
    void clear();
    [[nodiscard]] std::size_t memory() const;

  private:
    Outcome line(std::string_view text);
    Limits limits_;
    codec::LineReader reader_;
    Reply reply_;
    std::size_t lines_ = 0; // of the reply that is being read
};

} // namespace mailcore::smtp
