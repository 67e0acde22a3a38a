// Walks the frames of one log segment, good and bad.
#pragma once

#include "libmailcore/base/file.h"
#include "libmailcore/journal/body.h"
#include "libmailcore/journal/format.h"
#include "libmailcore/journal/journal.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::journal::detail {

/// A stretch of a segment: a frame that is as it was written, or octets that are not.
struct Stretch {
    bool intact = false;
    std::uint64_t offset = 0; ///< in the file
    std::uint64_t until = 0;  ///< where the next stretch begins, or the end of what was scanned
    /// Intact: the frame's. Else: what the header claims, if it can be read at all.
    std::optional<FrameHeader> header;
    std::string records; ///< as far as they are there
    /// Not intact: the mark of the next intact frame behind it; nothing: there is none.
    std::optional<Position> next_durable;
};

/// Reads a segment from an offset on. One thread; the file outlives it.
class Scanner {
  public:
    /// Frames are looked for from `at` to `end`, offsets in the file.
    Scanner(base::File& file, const StoreId& store, SegmentNumber number, Position base,
            std::uint64_t at, std::uint64_t end);
    /// The next stretch; nothing at the end.
    Result<std::optional<Stretch>> next();

  private:
    Result<std::string_view> fetch(std::uint64_t offset, std::size_t octets);
    Result<std::optional<FrameHeader>> header_at(std::uint64_t offset);
    /// Fills `into` if a frame as it was written begins at `offset`.
    Result<bool> frame_at(std::uint64_t offset, Stretch& into);
    Result<void> pass_over(Stretch& bad);

    base::File& file_;
    const StoreId store_;
    const SegmentNumber number_;
    const Position base_;
    std::uint64_t at_;
    const std::uint64_t end_;
    std::string window_;
    std::uint64_t window_offset_ = 0;
};

/// `stretch.header` is there.
[[nodiscard]] FrameInfo info_of(const Stretch& stretch, SegmentNumber number, Position base);

/// Whether all body octets that lie in this frame are as they were written. Corrupt: they are not.
Result<void> verify_bodies(base::File& file, const Stretch& frame, const ChunkCodec& codec);

} // namespace mailcore::journal::detail
