// Many messages in one file: the "mbox" family, read and written (RFC 4155).
#pragma once

#include "libmailcore/mime/date.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::mime {

/// How a file keeps lines of a message from looking like the "From " line that begins the next one.
enum class MboxKind : std::uint8_t {
    Mboxrd,  ///< one ">" more before "From ", ">From " ...: nothing is lost
    Mboxo,   ///< one ">" before "From " only: what had been ">From " loses its ">"
    Mboxcl2, ///< not at all: Content-Length says where the body ends
};
/// "mboxrd", and back.
[[nodiscard]] std::string_view to_string(MboxKind kind);
[[nodiscard]] std::optional<MboxKind> parse_mbox_kind(std::string_view text);

/// One message of a file.
struct MboxMessage {
    std::uint64_t offset = 0;     ///< of its "From " line in the file
    std::string sender;           ///< as the "From " line has it
    std::optional<DateTime> date; ///< when it was received; without zone: UTC (RFC 4155)
    std::string octets;           ///< lines end in CRLF; without the fields that hold flags
    std::uint64_t size = 0;       ///< of the octets, also if they are too many to be kept
    bool too_long = false;        ///< then `octets` is empty
    bool length_wrong = false;    ///< no "From " line stands where Content-Length leads
    /// IMAP's names, of Status, X-Status, X-Keywords, X-Mozilla-Status and
    /// X-Mozilla-Keys. A keyword may be any text.
    std::vector<std::string> flags;
};

struct MboxOptions {
    MboxKind kind = MboxKind::Mboxrd;
    /// Leniency: a "From " line without a date begins a message too. Some old archives have them;
    /// in all others such a line is text that was not quoted.
    bool undated = false;
    std::uint64_t message_octets_max = 64 * 1024 * 1024;
};

/// Cuts a file that comes in pieces, cut anywhere, into messages.
///
/// A message begins with a line "From sender date" and ends before the next one; the empty line
/// between is nobody's. Lines end in LF or CRLF. Memory: one message of at most
/// `message_octets_max`. Time: linear.
class MboxReader {
  public:
    enum class Outcome : std::uint8_t {
        NeedMore,
        Message, ///< see `message()`
        NotMbox, ///< the file does not begin with a "From " line: nothing can be read of it
    };
    struct Step {
        Outcome outcome;
        std::size_t taken; ///< octets consumed
    };

    explicit MboxReader(const MboxOptions& options = {}) : options_(options) {}

    /// Takes octets until a message is complete.
    Step read(std::string_view octets);
    /// The file ends here: what is left, a message a call. NeedMore: nothing.
    Outcome finish();
    /// The message that was completed last. The next call of the others overwrites it.
    [[nodiscard]] MboxMessage& message() { return complete_; }

  private:
    bool take_line(std::string_view line);
    void append(std::string_view text);
    void put(std::string_view text);
    void end_header();
    bool complete();

    MboxOptions options_;
    std::string line_;     // of the line under way what is not yet decided
    bool decided_ = false; // the line under way belongs to the message, its beginning is there
    std::uint64_t at_ = 0; // of what was read, in the file
    bool in_message_ = false;
    bool in_header_ = false;
    bool not_mbox_ = false;
    bool blank_ = true;           // the line before is empty, or there is none
    bool cr_ = false;             // the octet before is a CR
    bool counted_ = false;        // Content-Length leads here
    std::uint64_t body_left_ = 0; // octets of the body that Content-Length announces
    MboxMessage current_;
    MboxMessage complete_;
};

/// Writes messages as mboxrd.
class MboxWriter {
  public:
    /// The "From " line, and the fields that hold flags (`MboxMessage::flags`). `sender` is an
    /// address; empty: MAILER-DAEMON.
    void begin(std::string_view sender, WallTime received, const std::vector<std::string>& flags,
               std::string& into);
    /// Octets of the message, cut anywhere: lines will end in LF, "From " is quoted.
    void write(std::string_view octets, std::string& into);
    /// Ends its last line, and adds the empty one.
    void finish(std::string& into);

  private:
    void put(char c, std::string& into);
    std::size_t matched_ = 0; // of "From " at the beginning of a line
    bool quoting_ = true;     // nothing but ">" and a part of "From " in this line so far
    bool cr_ = false;
    bool line_ended_ = true;
};

} // namespace mailcore::mime
