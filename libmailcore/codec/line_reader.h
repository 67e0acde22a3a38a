// Lines of a protocol, ended by CRLF and by nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mailcore::codec {

/// Cuts a stream into lines of bounded length. Bare CR and bare LF never end a line (they are how
/// one message is made to look like two), and NUL has no place in one: such a line is told as
/// Malformed. A line that is too long is swallowed up to its CRLF without being kept.
class LineReader {
  public:
    enum class Outcome : std::uint8_t { NeedMore, Line, TooLong, Malformed };
    struct Step {
        Outcome outcome;
        std::size_t taken; ///< octets consumed: up to and with the CRLF, or all
    };

    /// `octets_max` counts the line with its CRLF.
    explicit LineReader(std::size_t octets_max) : octets_max_(octets_max) {}

    /// Takes octets until a line is complete. After an outcome other than NeedMore the next call
    /// starts the next line.
    Step read(std::string_view octets);
    /// The complete line without its CRLF: a view of what was read last, valid until the next
    /// `read`, `clear`, or the end of the caller's octets.
    [[nodiscard]] std::string_view line() const { return line_; }

    /// Octets swallowed of a line that has become too long; lets the owner give up on an endless
    /// one.
    [[nodiscard]] std::uint64_t swallowed() const { return swallowed_; }
    /// Octets of the line that has no end yet, kept or swallowed. Not between a line's outcome and
    /// the next `read`.
    [[nodiscard]] std::uint64_t unfinished_octets() const { return swallowed_ + pending_.size(); }
    /// True between lines: nothing of the next one has come.
    [[nodiscard]] bool between() const { return pending_.empty() && swallowed_ == 0 && !cr_; }
    /// Forgets what was read of an unfinished line (TLS starts: RFC 3207 §4.2).
    void clear();
    void set_octets_max(std::size_t octets_max) { octets_max_ = octets_max; }
    [[nodiscard]] std::size_t memory() const;

  private:
    Step finish(Outcome outcome, std::size_t taken);
    std::size_t octets_max_;
    std::string pending_;
    std::string_view line_; // of pending_ or of the caller's octets; see line()
    std::uint64_t swallowed_ = 0;
    bool cr_ = false; // the last octet was a CR that may begin the CRLF
    bool malformed_ = false;
    bool done_ = false; // pending_ holds the line that was handed out
};

} // namespace mailcore::codec
