// Cuts what a client sends into commands: lines, and literals announced at the end of a line.
// Source: RFC 9051 §2.2, §4.3; RFC 7888 §3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mailcore::imap {

/// Comes before parsing and knows no command, so that what a parser cannot understand still ends
/// where it ends, and no literal is ever read as commands. Only CRLF ends a line.
///
/// codec::LineReader is not used: of an overlong line both ends count, its tag and a literal
/// announced behind it.
class Framer {
  public:
    struct Limits {
        /// A command with its literals, without the last CRLF.
        std::size_t command_octets_max = 0;
        /// Of a command that is thrown away; more is Overrun.
        std::uint64_t discarded_octets_max = 0;
    };
    enum class Outcome : std::uint8_t {
        NeedMore,
        Command,   ///< `command()` is complete
        Literal,   ///< `command()` ends with the announcement `literal()`: say what is to become of
                   ///< it
        Discarded, ///< a command that was too long, or was to be thrown away, is over; see `head()`
        Overrun,   ///< too much was thrown away: there is no sense in going on
    };
    struct Step {
        Outcome outcome;
        std::size_t taken; ///< octets consumed
    };
    struct Announcement {
        enum class Mode : std::uint8_t { Synchronising, NonSynchronising };
        std::uint64_t octets = 0; ///< 2^64 - 1 for what is no 64-bit number
        Mode mode = Mode::Synchronising;
    };

    explicit Framer(Limits limits) : limits_(limits) {}

    /// Takes octets up to an outcome. After Command, Discarded and Overrun the next call begins a
    /// command.
    Step read(std::string_view octets);
    /// Without its CRLF. A view of this or of the caller's octets: until the next call of `read`,
    /// `clear` or one of the three below, or the end of the caller's octets.
    [[nodiscard]] std::string_view command() const { return command_; }
    [[nodiscard]] Announcement literal() const { return literal_; }

    // After Literal, one of:
    /// It becomes part of the command; it must fit (`fits`).
    void collect_literal();
    /// The caller reads the literal itself; the next call of `read` begins with the line behind it.
    void hand_over_literal();
    /// The command is thrown away. Over: it ends here, since the client sends a synchronising
    /// literal only when asked. Swallowing: its end will be told as Discarded. Hopeless: as with
    /// Overrun.
    enum class Discard : std::uint8_t { Over, Swallowing, Hopeless };
    Discard discard();

    [[nodiscard]] bool fits(std::uint64_t literal_octets) const;
    /// The first octets of a discarded command: enough for its tag.
    [[nodiscard]] std::string_view head() const { return head_; }
    /// Nothing of the next command has come.
    [[nodiscard]] bool between() const { return mode_ == Mode::Line && done_; }

    void set_command_octets_max(std::size_t octets) { limits_.command_octets_max = octets; }
    /// Forgets everything and overwrites what was kept: after a password, or when TLS starts.
    void wipe();
    [[nodiscard]] std::size_t memory() const;

  private:
    enum class Mode : std::uint8_t { Line, Literal, DiscardLine, DiscardLiteral };

    Step read_line(std::string_view octets);
    Step read_discarded_line(std::string_view octets);
    void begin_discarding();
    bool count_discarded(std::uint64_t octets);

    Limits limits_;
    Mode mode_ = Mode::Line;
    bool done_ = true;   // the next octet begins a command
    bool cr_ = false;    // the last octet was a CR
    std::string buffer_; // the command so far, with the CRs and LFs before literals
    std::size_t line_start_ =
        0; // of the current line in buffer_: a literal before it is no part of it
    std::string_view command_; // of buffer_ or the caller's octets; see command()
    Announcement literal_;
    std::uint64_t literal_left_ = 0;
    std::string head_, end_; // of a discarded command, and of its current line
    std::uint64_t discarded_ = 0;
};

} // namespace mailcore::imap
