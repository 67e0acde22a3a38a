// The body of a message on its way in: where it ends, and whether it may be what it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::smtp::detail {

/// What a body may not hold (RFC 5321 §2.3.8, §4.5.3.1.6; NUL: RFC 5322 §3.5; RFC 1870 §6.3).
enum class BodyFault : std::uint8_t { BareCr, BareLf, Nul, LineTooLong, TooLarge };

/// What bounds a body. Octets count CRLF.
struct BodyLimits {
    std::size_t line_octets_max;
    std::uint64_t octets_max = 0; ///< 0: none
    bool nul_allowed = false;
};

/// Takes the body out of the stream, cut anywhere: after DATA up to the line with a single dot,
/// with the stuffed dots removed (RFC 5321 §4.5.2), after BDAT by counting (RFC 3030 §2). Only CRLF
/// ends a line, so only CRLF "." CRLF ends the body, whatever else looks like it.
class BodyReader {
  public:
    enum class Text : std::uint8_t {
        Lines,
        Binary
    }; ///< Binary: BODY=BINARYMIME, nothing is looked at

    /// DATA.
    explicit BodyReader(const BodyLimits& limits) : limits_(limits), dots_(true) {}
    /// BDAT; `begin_chunk` follows.
    BodyReader(const BodyLimits& limits, Text text)
        : limits_(limits), dots_(false), binary_(text == Text::Binary) {}

    void begin_chunk(std::uint64_t octets, bool last);

    enum class Stop : std::uint8_t { Never, AfterEmptyLine };
    /// Takes octets until they or the body or chunk end, `out` holds `out_octets_max` or more, the
    /// first fault shows, or, when asked, an empty line was read: so how the octets are cut decides
    /// nothing. Appends the content to `out`; absent: it is dropped.
    std::size_t read(std::string_view octets, std::string* out, std::size_t out_octets_max,
                     Stop stop);

    /// The body is complete.
    [[nodiscard]] bool ended() const { return ended_; }
    /// The chunk is complete (BDAT); the body may go on in another.
    [[nodiscard]] bool chunk_ended() const { return !dots_ && chunk_left_ == 0; }
    /// The octets read last ended with an empty line.
    [[nodiscard]] bool at_empty_line() const { return empty_line_; }
    /// The first that was found; only the end is looked for behind it.
    [[nodiscard]] std::optional<BodyFault> fault() const { return fault_; }

    /// Of the content, without stuffed dots and end.
    [[nodiscard]] std::uint64_t octets() const { return octets_ + (state_ == State::Cr ? 1 : 0); }
    [[nodiscard]] std::size_t longest_line_octets() const {
        return longest_line_;
    } ///< without CRLF
    [[nodiscard]] bool has_8bit() const { return has_8bit_; }

  private:
    enum class State : std::uint8_t { LineStart, Within, Cr, Dot, DotCr };
    std::size_t within(std::string_view octets, std::string* out);
    std::string_view examined(std::string_view text);
    void bare_cr(std::string* out);
    void put(std::string_view content, std::string* out);
    void end_line();

    BodyLimits limits_;
    bool dots_;
    bool binary_ = false;
    bool ended_ = false;
    bool empty_line_ = false;
    bool last_chunk_ = false;
    bool has_8bit_ = false;
    State state_ = State::LineStart;
    std::optional<BodyFault> fault_;
    std::uint64_t chunk_left_ = 0;
    std::uint64_t octets_ = 0;
    std::size_t line_octets_ = 0;
    std::size_t longest_line_ = 0;
};

} // namespace mailcore::smtp::detail
