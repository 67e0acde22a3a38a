// Snapshots of the index: sorted rows in a file of their own, from which the index is made anew
// without the log's beginning.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/file.h"
#include "libmailcore/base/result.h"
#include "libmailcore/journal/format.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::journal {

/// What the last frame of a snapshot says about it. Its rows were read one after the other while
/// the log grew from `from` to `to`; with the log replayed from `from` to `to`, or further, over
/// them they are exact.
struct SnapshotEnd {
    Mark from, to;
    WallTime began, ended; ///< when reading did
    std::uint64_t rows = 0;
    /// Octets of bodies that its rows name, by the segment they lie in.
    std::map<SegmentNumber, std::uint64_t> bodies;
    /// Segments of bodies that the log names between the `from` of the snapshot before this one
    /// (the beginning, if there was none) and `to`.
    std::set<SegmentNumber> named;

    friend bool operator==(const SnapshotEnd&, const SnapshotEnd&) = default;
};
[[nodiscard]] std::string encode(const SnapshotEnd& end);
/// Corrupt: it is no such content.
[[nodiscard]] Result<SnapshotEnd> decode_snapshot_end(std::string_view content);

/// A snapshot that is finished.
struct Snapshot {
    SegmentNumber number = 0;
    SegmentNumber previous = 0; ///< the one before it; 0: it is the first that ever was
    std::uint64_t octets = 0;   ///< of the file
    SnapshotEnd end;
};

/// Writes a snapshot. Not finished, it counts for nothing and its file goes with the writer. One
/// thread; blocks.
class SnapshotWriter {
  public:
    /// `previous`: number of the snapshot before it; 0: there never was one. `files` outlives it.
    static Result<std::unique_ptr<SnapshotWriter>>
    create(base::FileSystem& files, const std::string& folder, const StoreId& store,
           SegmentNumber number, SegmentNumber previous, WallTime now);
    ~SnapshotWriter();
    SnapshotWriter(const SnapshotWriter&) = delete;
    SnapshotWriter& operator=(const SnapshotWriter&) = delete;

    /// The next row; keys only grow. LimitExceeded: no room.
    Result<void> put(std::string_view key, std::string_view value);
    /// Syncs the rows, then says where they end, and syncs that. `end.rows` is filled in.
    Result<Snapshot> finish(SnapshotEnd end);
    [[nodiscard]] SegmentNumber number() const { return header_.number; }
    /// Written so far.
    [[nodiscard]] std::uint64_t octets() const { return at_; }

  private:
    SnapshotWriter(base::FileSystem& files, std::string folder, const SegmentHeader& header);
    Result<void> write_frame(RecordType type, std::string_view content);

    base::FileSystem& files_;
    const std::string folder_, path_;
    SegmentHeader header_;
    std::unique_ptr<base::File> file_;
    ChangesWriter rows_;
    std::uint64_t at_ = segment_header_octets;
    std::uint64_t batch_ = 0, row_count_ = 0;
    WallTime now_;
    bool finished_ = false;
};

/// The finished snapshots in a journal's folder, oldest first, and the names of files that are none
/// (`unfinished`).
struct FoundSnapshots {
    std::vector<Snapshot> finished;
    std::vector<std::string> unfinished;
};
Result<FoundSnapshots> find_snapshots(base::FileSystem& files, const std::string& folder,
                                      const StoreId& store);

/// Gives all rows, in order. Frames that are damaged are named and passed over; `visit`'s failure
/// ends it. Returns whether all rows were there as they were written.
using VisitRow = std::function<Result<void>(std::string_view key, std::string_view value)>;
Result<bool> read_snapshot(base::FileSystem& files, const std::string& folder, const StoreId& store,
                           const Snapshot& snapshot, const VisitRow& visit,
                           const std::function<void(const std::string&)>& damaged);

} // namespace mailcore::journal
