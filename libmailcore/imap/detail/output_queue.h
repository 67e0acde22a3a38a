// What an engine has to say, with places where a body is still to be pulled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::imap::detail {

/// Octets in order, handed out as pieces that stay where they are until they are sent. A pull is a
/// place that a known number of octets must fill before what stands behind it can leave. Holds no
/// memory while it is empty. (base::OutputBuffer keeps one string, which neither shrinks under a
/// body of a gigabyte nor stays in place while more is appended.)
class OutputQueue {
  public:
    struct Pull {
        std::uint64_t octets = 0; ///< all of it
        std::uint64_t left = 0;
        std::uint64_t token = 0;
    };

    void append(std::string_view octets);
    void append_pull(std::uint64_t octets, std::uint64_t token);

    /// The first place to be filled; null: none.
    [[nodiscard]] const Pull* pull() const;
    /// Octets for it, at most what is left.
    void fill(std::string octets);

    [[nodiscard]] std::span<const std::string_view> pieces() const;
    void sent(std::size_t octets);
    /// Octets held, whether or not they can leave yet.
    [[nodiscard]] std::size_t size() const { return size_; }
    /// Nothing is held and nothing is to be filled.
    [[nodiscard]] bool empty() const { return segments_.empty(); }
    [[nodiscard]] std::size_t memory() const;

  private:
    struct Segment {
        std::string octets;
        std::optional<Pull> pull = {};
        mutable bool shown = false; // by pieces(): its octets must stay where they are
    };
    using Segments = std::list<Segment>; // nodes do not move, so neither do short strings

    [[nodiscard]] Segments::const_iterator first_pull() const;
    [[nodiscard]] bool join(Segments::iterator before, std::string_view octets);

    Segments segments_;
    std::size_t size_ = 0;
    std::size_t sent_ = 0; // of the first segment
    mutable std::vector<std::string_view>
        views_; // of segments_, made anew by each call of pieces()
};

} // namespace mailcore::imap::detail
