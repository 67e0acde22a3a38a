// The journal: an append-only log in segments, which is the truth about a store.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/file.h"
#include "libmailcore/base/log.h"
#include "libmailcore/base/random.h"
#include "libmailcore/base/result.h"
#include "libmailcore/journal/body.h"
#include "libmailcore/journal/format.h"
#include "libmailcore/journal/snapshot.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::journal {

struct Options {
    /// A log segment is closed when the next frame would make it longer. Octets.
    std::uint64_t segment_octets = std::uint64_t{64} << 20;
    /// The same for segments of large bodies.
    std::uint64_t body_segment_octets = std::uint64_t{64} << 20;
    /// How far ahead of the log blocks are written when nothing else is to do: writing over them
    /// later needs no change of the file's shape, which more than halves the time of a sync. 0: not
    /// at all.
    std::uint64_t pool_octets = std::uint64_t{32} << 20;
    /// With a small frame that goes beyond the pool, so many zeros are written behind it. 0: none.
    std::uint64_t fill_octets = std::uint64_t{256} << 10;
    /// Held back for `Space::Reserve`. 0: nothing is.
    std::uint64_t reserve_octets = std::uint64_t{16} << 20;
    CompressionOptions compression;
    /// The next file gets at least this number. A journal that goes on from a copy takes numbers
    /// that the original will not come to, so that files of the two are never taken for one.
    SegmentNumber numbers_from = 0;
};

/// A batch in the making: records, and the octets of bodies. One thread.
class Frame {
  public:
    void add(RecordType type, std::uint64_t account, std::string_view content);
    /// Adds a body whose chunks are `chunks`, which outlive the append, with its record;
    /// `body.place` says all but the segment and the offset.
    void add_body(BodyRecord body, std::string_view chunks);
    /// A body that lies in a segment of bodies.
    void add_body(const BodyRecord& body);
    [[nodiscard]] bool empty() const { return records_ == 0; }
    /// The records so far.
    [[nodiscard]] const std::string& content() const { return content_; }
    [[nodiscard]] std::uint64_t octets() const {
        return frame_header_octets + content_.size() + bodies_octets_;
    }

  private:
    friend class Journal;
    std::string content_;
    std::uint32_t records_ = 0;
    std::vector<std::string_view> bodies_; // the caller's
    std::uint64_t bodies_octets_ = 0;
};

/// A frame that is in the log.
struct FrameInfo {
    Position begin = 0, end = 0;
    std::uint64_t batch = 0;
    std::uint32_t checksum = 0;
    WallTime written;
    SegmentNumber segment = 0;
    std::uint64_t bodies_offset = 0; ///< in the segment's file

    /// Where a body of this frame's records lies.
    [[nodiscard]] BodyPlace place(const BodyRecord& body) const;
    [[nodiscard]] Mark mark() const { return {end, batch, checksum}; }
};

/// What replaying calls, in the order of the log.
struct Replay {
    std::function<Result<void>(const FrameInfo&, const Record&)> record;
    std::function<Result<void>(const FrameInfo&)> frame_end; ///< may be empty
    /// What is damaged is named and passed over. May be empty.
    std::function<void(const std::string&)> damage;
};
enum class Bodies : std::uint8_t { PassOver, Verify };

/// A segment of bodies that is in use: it is not dropped while one lives. Any thread.
using SegmentHold = std::shared_ptr<const void>;

/// A segment of the log or of bodies.
struct SegmentFacts {
    SegmentNumber number = 0;
    SegmentKind kind = SegmentKind::Log;
    std::uint64_t octets = 0; ///< of the file, as far as it is used
    Position end = 0;         ///< where its frames end, at the latest; Log only
    WallTime made;            ///< long ago if its header is damaged
};

/// Bodies that lie in a second place too, in the order asked for.
struct CopiedBodies {
    std::vector<BodyPlace> places;
    SegmentHold hold; ///< to be kept until rows name them
};

/// Writes one large body, chunk by chunk. Blocks; one thread at a time. Dropped before `finish`:
/// the octets are dead.
class BodyStream {
  public:
    virtual ~BodyStream() = default;
    /// The next `chunk_octets` of the body; only the last piece may be shorter.
    virtual Result<void> write(std::string_view octets) = 0;
    /// Syncs. After an error the body is lost; if it was the sync, so is the journal's will to
    /// write.
    virtual Result<BodyPlace> finish() = 0;
    [[nodiscard]] virtual SegmentHold hold() const = 0;
};

/// A file of a journal and how many octets of it, from its beginning, never change any more.
struct KeptFile {
    std::string name;
    std::uint64_t octets = 0;
    friend bool operator==(const KeptFile&, const KeptFile&) = default;
};

/// The files that hold everything up to a position: what a backup copies.
struct Inventory {
    StoreId store{};
    Position end = 0;
    std::vector<KeptFile> files;
    SegmentHold hold; ///< as long as it lives none of them goes; empty: they may
};

/// A frame boundary, and when the frame before it was written.
struct Moment {
    Mark mark;
    WallTime written;
};

/// A stretch of the past of which every moment can be shown.
struct Reach {
    Position from = 0; ///< the log from here on is needed for it
    Moment first;
    /// Nothing: it goes on to the log's end. Else what comes after it is gone: backups that were
    /// made too rarely have such gaps.
    std::optional<Moment> last;
};

enum class Space : std::uint8_t {
    Normal,
    Reserve, ///< may use the segment held in reserve
};

/// An open journal. `append`, `idle` and `close`: one thread, the writer's; the rest: any thread.
class Journal {
  public:
    /// Opens or makes the journal in `folder` and replays it from `from` on: the beginning, or up
    /// to where the caller knows for certain that all is on disk. Segments that lie before may be
    /// gone. What is there but not known to be on disk is written again first. `files`, `random`
    /// and `clock` outlive it. Rejected: written by a later release.
    static Result<std::unique_ptr<Journal>> open(base::FileSystem& files, std::string folder,
                                                 const Options& options, base::Random& random,
                                                 const base::Clock& clock, Log log,
                                                 const Mark& from, const Replay& replay);
    /// The journal in `folder` as far as it can be read, and nothing is changed: a backup, or one
    /// whose server is gone. It does not grow. All outlive it. NotFound: there is none.
    static Result<std::unique_ptr<Journal>> open_to_read(base::FileSystem& files,
                                                         std::string folder, base::Random& random,
                                                         const base::Clock& clock, Log log);
    ~Journal();
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    /// The id of the journal in `folder`, from its file or any segment; NotFound: there is none
    /// yet.
    static Result<StoreId> read_store_id(base::FileSystem& files, const std::string& folder);
    [[nodiscard]] const StoreId& store_id() const;

    /// Writes a frame and syncs it: when this returns, it is durable. LimitExceeded: no room;
    /// nothing was changed. Unavailable: from now on nothing is written any more, and what became
    /// of the frame shows when the journal is opened next.
    Result<FrameInfo> append(Frame frame, Space space);
    /// Does a little of what can wait (written blocks ahead, the reserve). True: there is more to
    /// do.
    bool idle();
    /// Marks the end of the log. Nothing is appended after it.
    void close();

    /// Where the log ends now.
    [[nodiscard]] Position end() const;
    /// Why nothing is written any more; empty: it is.
    [[nodiscard]] std::string failure() const;
    [[nodiscard]] bool reserve_ready() const;
    [[nodiscard]] std::uint64_t syncs() const;
    /// Of all segments on disk.
    [[nodiscard]] std::uint64_t disk_octets() const;

    /// Begins a large body. LimitExceeded: no room.
    Result<std::unique_ptr<BodyStream>> stream_body();
    [[nodiscard]] const ChunkCodec& chunks() const;
    /// The open file of a segment, which stays readable for as long as it is held. NotFound: no
    /// such one.
    Result<std::shared_ptr<base::File>> segment_file(SegmentNumber segment) const;
    /// The segments there are, of the log and of bodies, in order of their numbers. Reads what it
    /// does not know yet from their headers.
    Result<std::vector<SegmentFacts>> segments() const;
    /// Copies what is stored of bodies, as it is, into a segment of bodies, and syncs that. What
    /// they were copied from is left as it is. LimitExceeded: no room; nothing was changed. Blocks.
    Result<CopiedBodies> copy_bodies(std::span<const BodyPlace> bodies);
    /// No more bodies go into this segment; false: one is being streamed there.
    bool close_body_segment(SegmentNumber segment);
    /// The next frame begins a new segment. The writer.
    void close_log_segment();
    /// Forgets a segment that nobody needs any more, whose file goes with `remove_dropped`; false:
    /// somebody holds it. Never the log's last one. The writer.
    bool drop_segment(SegmentNumber segment);
    /// Removes the files of dropped segments. Any thread.
    Result<void> remove_dropped();

    /// Begins a snapshot of the index. LimitExceeded: no room. Dropped before `finish_snapshot`: it
    /// never was.
    Result<std::unique_ptr<SnapshotWriter>> new_snapshot();
    /// From now on it counts.
    Result<Snapshot> finish_snapshot(SnapshotWriter& writer, SnapshotEnd end);
    /// The finished ones, oldest first.
    [[nodiscard]] std::vector<Snapshot> snapshots() const;
    /// snapshot.h.
    Result<bool> read_snapshot(const Snapshot& snapshot, const VisitRow& visit,
                               const std::function<void(const std::string&)>& damaged) const;
    /// Removes one that is not needed any more, durably; false: somebody has `hold_files`.
    Result<bool> drop_snapshot(SegmentNumber number);

    /// As long as one lives, no segment and no snapshot goes.
    [[nodiscard]] SegmentHold hold_files();

    /// What there is to copy now, held in place.
    Result<Inventory> inventory();

    /// What of the past can be shown, oldest first; empty: nothing was ever written. Until the log
    /// is reclaimed, everything from its first frame on; then, from where the oldest snapshot
    /// ended.
    Result<std::vector<Reach>> reaches() const;
    /// Behind the last of the frames that were written until `at` and end at `to` or before.
    /// NotFound: there is none, or what it takes to show it is gone (`reaches`). Reads at most a
    /// segment.
    Result<Moment> moment_at(WallTime at, Position to) const;
    /// Replays the log from `from` to `to`, which is at most `end()`, while it is in use.
    Result<void> replay(Position from, Position to, const Replay& replay, Bodies bodies) const;

    struct State; ///< detail/state.h

  private:
    explicit Journal(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace mailcore::journal
