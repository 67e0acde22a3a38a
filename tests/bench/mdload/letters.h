// The messages that are sent, and the check that what is read is what was sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::mdload {

/// A message in two pieces, CRLF lines throughout, none of which begins with a dot. Views are valid
/// until the next letter is made.
struct Letter {
    std::string_view head; ///< header fields and what differs from letter to letter
    std::string_view body; ///< a cut of text that all letters share
    [[nodiscard]] std::size_t octets() const { return head.size() + body.size(); }
};

/// Makes letters of given sizes, cheaply: a header of its own each, the body cut out of text made
/// once. Small ones are text, larger ones have an attachment in base64. The first field,
/// "X-Mdload: NUMBER OCTETS CRC32C", covers all that follows its line; servers may put more before
/// it.
class Letters {
  public:
    /// `sizes` are taken in turns. At least one, each 1 KiB to 2 MiB.
    /// Letters are as long as that, or by less than a line shorter.
    Letters(std::vector<std::size_t> sizes, std::uint64_t seed);

    [[nodiscard]] Letter next();
    [[nodiscard]] std::uint64_t made() const { return number_; }

    /// A mailbox as people have it: many small ones, some with attachments.
    [[nodiscard]] static std::vector<std::size_t> mixed_sizes();

  private:
    std::vector<std::size_t> sizes_;
    std::string text_, base64_; // lines of equal length, so that any may begin a cut
    std::uint64_t seed_, number_ = 0;
    std::string head_;
};

/// Reads one letter as a server gives it, cut anywhere, without keeping it.
class LetterCheck {
  public:
    void begin();
    void feed(std::string_view octets);
    /// The letter's number, or nothing if it is not as it was sent.
    [[nodiscard]] std::optional<std::uint64_t> end() const;

  private:
    std::string head_; // until the field has been found
    bool found_ = false, hopeless_ = false;
    std::uint64_t number_ = 0, octets_left_ = 0;
    std::uint32_t wanted_ = 0, crc_ = 0;
};

} // namespace mailcore::mdload
