// Rows about bodies: where one lies, and how many octets of each segment are still needed.
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/journal/journal.h"
#include "libmailcore/kv/index.h"
#include "libmailcore/store/detail/engine_rows.h"

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::store::detail {

/// The value of a blob's row.
struct BlobRow {
    journal::BodyPlace place;
    std::array<unsigned char, 32> digest{};
};
[[nodiscard]] std::string encode(const BlobRow& row);
[[nodiscard]] Result<BlobRow> decode_blob_row(std::string_view value);

/// Octets of bodies that rows name, by segment. In the index they stand in rows that follow from
/// the blobs' (`count_live`); here they follow what is published. Any thread.
class LiveOctets {
  public:
    /// Reads what the index has counted.
    Result<void> load(kv::Index& index);
    void add(const journal::BodyPlace& place);
    void remove(const journal::BodyPlace& place);
    [[nodiscard]] std::uint64_t of(journal::SegmentNumber segment) const;
    [[nodiscard]] std::uint64_t total() const;

  private:
    mutable std::mutex mutex_;
    std::map<journal::SegmentNumber, std::uint64_t> octets_; // none: 0
};

/// Which segments the log names bodies in that lie outside of its frames, and where it did so last:
/// while the past is kept, rows of an earlier moment may name them. Any thread.
class NamedSegments {
  public:
    void note(journal::SegmentNumber segment, journal::Position at);
    /// The same, if it is a record of such a body. Corrupt: it cannot be read.
    Result<void> note(const journal::FrameInfo& frame, const journal::Record& record);
    [[nodiscard]] std::set<journal::SegmentNumber> all() const;
    /// What the log named only before `position` does not matter any more.
    void forget_before(journal::Position position);
    void forget(journal::SegmentNumber segment);

  private:
    mutable std::mutex mutex_;
    std::map<journal::SegmentNumber, journal::Position> last_;
};

/// An Overlay::Before: keeps the counting rows true to the blobs' rows, in the same commit.
Result<void> count_live(kv::IndexWriter& writer, std::string_view key,
                        std::optional<std::string_view> value);

/// The counting rows of an index, for checking.
Result<std::map<journal::SegmentNumber, std::uint64_t>> counted_live(kv::Index& index);
/// Whether a key is one of those that follow from others or from the index itself.
[[nodiscard]] bool is_derived_key(std::string_view key);

} // namespace mailcore::store::detail
