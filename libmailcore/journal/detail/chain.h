// Which log segments count, in which order, and where the frames of each end.
#pragma once

#include "libmailcore/base/file.h"
#include "libmailcore/journal/format.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::journal::detail {

/// A log segment as it was found.
struct Link {
    SegmentNumber number = 0;
    Position base = 0;
    std::string path;
    // Of those that were looked into:
    std::unique_ptr<base::File> file;
    std::uint64_t octets = 0;
    std::optional<SegmentHeader> header; ///< absent: damaged
    /// Where its frames end, in the file, as the segment after it says; nothing: it is the last
    /// one, or nobody knows.
    std::optional<std::uint64_t> sealed;
    std::optional<std::uint32_t> chain; ///< what its last frame's checksum must be; likewise
};

struct Chain {
    std::vector<Link>
        before;              ///< those that lie wholly before where reading begins: not looked into
    std::vector<Link> links; ///< the rest, in order
    std::vector<Link> leftovers; ///< files that count for nothing
};

/// Follows the headers back from the last segment that has a frame, as far as `from`; whether what
/// lies before is there does not matter. A segment whose first frame never arrived seals nothing
/// and is left over. `links`: number, base and path, in any order.
Result<Chain> find_chain(base::FileSystem& files, const StoreId& store, std::vector<Link> links,
                         Position from, const std::function<void(const std::string&)>& damaged);

} // namespace mailcore::journal::detail
