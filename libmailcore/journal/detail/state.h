// What an open journal consists of.
#pragma once

#include "libmailcore/journal/detail/chain.h"
#include "libmailcore/journal/journal.h"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace mailcore::journal::detail {

/// A file of the log, without what its header says about the one before.
struct LogSegment {
    SegmentNumber number = 0;
    Position base = 0;
    std::uint64_t end = 0; ///< where its frames end, in the file
};

/// The last word: once set, nothing is written any more. Any thread.
class Failure {
  public:
    void set(const std::string& reason) {
        const std::scoped_lock lock(mutex_);
        if (reason_.empty()) reason_ = reason.empty() ? "unknown" : reason;
    }
    [[nodiscard]] std::string reason() const {
        const std::scoped_lock lock(mutex_);
        return reason_;
    }

  private:
    mutable std::mutex mutex_;
    std::string reason_;
};

/// A file that large bodies are appended to, by one stream at a time.
struct BodySegment {
    SegmentNumber number = 0;
    std::unique_ptr<base::File> file;
    std::atomic<std::uint64_t> end{0}; ///< behind the last finished body
    bool fresh = true;                 ///< its name may not be on disk yet
};

} // namespace mailcore::journal::detail

namespace mailcore::journal {

struct Journal::State {
    State(base::FileSystem& f, std::string p, const Options& o, base::Random& r,
          const base::Clock& c, Log l)
        : files(f), folder(std::move(p)), options(o), random(r), clock(c), log(l),
          codec(o.compression) {}

    base::FileSystem& files;
    const std::string folder;
    const Options options;
    base::Random& random;
    const base::Clock& clock;
    const Log log;
    const ChunkCodec codec;
    StoreId store{};
    detail::Failure failure;
    std::atomic<SegmentNumber> last_number{0};
    std::atomic<std::uint64_t> syncs{0};

    // The writer's alone.
    std::unique_ptr<base::File> active; ///< absent until the first frame
    std::uint64_t written = 0;          ///< octets of the active file that are on disk's blocks
    SegmentNumber previous = 0;         ///< what the next segment seals
    Position sealed = 0;
    Position base_min = 0; ///< where the next segment begins at least
    std::uint32_t chain = 0;
    std::uint64_t batch = 0;
    bool close_active = false;          ///< the next frame begins a new segment
    bool appended = false;              ///< something, since it was opened
    std::vector<std::string> leftovers; ///< files to remove once the log goes on without them
    std::atomic<bool> reserve_ready{false};

    mutable std::mutex mutex;                 // over all below
    std::vector<detail::LogSegment> segments; ///< in order; the last one is active if `active`
    std::map<SegmentNumber, std::weak_ptr<detail::BodySegment>> body_segments; ///< in use, or to be
    std::vector<std::shared_ptr<detail::BodySegment>> free_body_segments; ///< no stream has them
    std::vector<SegmentNumber> body_numbers;                              ///< all on disk, in order
    std::vector<Snapshot> snapshots; ///< finished, oldest first
    std::weak_ptr<const void> files_held;
    std::vector<std::string> dropped;               ///< paths of files to remove
    mutable std::map<SegmentNumber, WallTime> made; ///< of segments
    mutable std::map<SegmentNumber, std::shared_ptr<base::File>> open_files;
    mutable std::map<SegmentNumber, std::uint64_t> sealed_octets; ///< sizes that do not change

    [[nodiscard]] std::string path(const std::string& name) const { return folder + "/" + name; }
    [[nodiscard]] std::string log_path(SegmentNumber number, Position base) const {
        return path(segment_name(SegmentKind::Log, number, base));
    }
    [[nodiscard]] std::string reserve_path() const { return path("reserve"); }

    Result<void> load_store_id();
    [[nodiscard]] std::vector<detail::Link> links_before(Position to,
                                                         detail::LogSegment& last) const;
    Result<void> recover(const Mark& from, const Replay& replay);

    Result<FrameInfo> append(Frame frame, Space space);
    Result<FrameInfo> write_frame(Frame& frame, Space space);
    Result<void> begin_segment(Space space, std::uint64_t octets);
    Result<void> undo_write(std::uint64_t offset);
    Result<void> sync(base::File& file);
    Result<std::shared_ptr<detail::BodySegment>> take_body_segment();
    void give_back(std::shared_ptr<detail::BodySegment> segment);
    Result<void> sync_bodies(detail::BodySegment& segment);
    Result<SegmentFacts> look_up(SegmentFacts known, const std::string& name) const;

    bool fill_pool();
    bool make_reserve();
};

} // namespace mailcore::journal
