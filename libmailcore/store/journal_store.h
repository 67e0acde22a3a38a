// The durable store: a journal that is the truth, an index that is its checkpoint, an overlay
// between.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/file.h"
#include "libmailcore/base/log.h"
#include "libmailcore/base/random.h"
#include "libmailcore/journal/journal.h"
#include "libmailcore/kv/index.h"
#include "libmailcore/store/past_store.h"
#include "libmailcore/store/store.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mailcore::store {

/// Who does the store's work.
enum class StoreThreads : std::uint8_t {
    Own,  ///< a writer and a checkpoint thread of the store's
    None, ///< the scheduler that submits, before it goes on: simulations, one scheduler only
};

struct JournalStoreOptions {
    journal::Options journal;
    /// Address space set aside for the index. Octets.
    std::uint64_t index_map_octets = std::uint64_t{256} << 30;
    /// Changes in memory that start a checkpoint. Octets of memory; while one runs, the writer
    /// waits when four times as much has gathered meanwhile.
    std::uint64_t checkpoint_octets = std::uint64_t{32} << 20;
    /// The longest that a change waits for its checkpoint: bounds the replay at the next start.
    std::chrono::milliseconds checkpoint_interval = std::chrono::seconds{30};
    /// A checkpoint begins when nothing was written for so long.
    std::chrono::milliseconds checkpoint_idle = std::chrono::seconds{2};
    /// Rows that one transaction of a checkpoint writes into the index.
    std::size_t checkpoint_rows_a_commit = 20'000;
    /// When changes in memory exceed this because checkpoints fail, writes are refused
    /// (LimitExceeded).
    std::uint64_t overlay_octets_max = std::uint64_t{512} << 20;
    /// Free octets of the disk below which writes are refused, but for those that reclaim space.
    std::uint64_t free_octets_min = std::uint64_t{64} << 20;
    /// A batch is closed when it is larger than this. Octets.
    std::uint64_t batch_octets_max = std::uint64_t{8} << 20;
    /// How far back the store can be put to an earlier moment: files of the journal that only the
    /// past needs stay for so long. 0: nothing is kept for that. On a full disk it gives way.
    std::chrono::seconds restore_horizon = std::chrono::hours{24 * 7};
    /// What a segment of the journal that is older than this still holds of use is moved out of it,
    /// so that it can go, and with it what is dead in it; a segment that is mostly dead does not
    /// wait. What was deleted has left the disk after this, the horizon and a day.
    std::chrono::seconds compaction_age = std::chrono::hours{24 * 7};
    /// A snapshot of the index is written when so much time has gone by since the last one and
    /// anything was written; or when the changes since then exceed it and `snapshot_octets_min`.
    std::chrono::seconds snapshot_interval = std::chrono::hours{24};
    std::uint64_t snapshot_octets_min = std::uint64_t{64} << 20;
    /// How often it is looked after whether any of this is due.
    std::chrono::milliseconds upkeep_interval = std::chrono::minutes{10};
    /// How fast snapshots are written and bodies moved, so that mail is not disturbed. Octets.
    std::uint64_t upkeep_octets_a_second = std::uint64_t{20} << 20;
    /// How often all bodies are read and their checksums checked. 0: only when asked to.
    std::chrono::seconds scrub_interval = std::chrono::hours{24 * 7};
    std::uint64_t scrub_octets_a_second = std::uint64_t{10} << 20;
    StoreThreads threads = StoreThreads::Own;
    /// Opens the index in a file; empty: LMDB.
    std::function<Result<std::unique_ptr<kv::Index>>(const std::string& path)> open_index;
};

/// What of the past `compact` gives up.
enum class Reclaim : std::uint8_t {
    KeepHistory, ///< nothing: every moment within the horizon stays restorable
    Everything,  ///< all of it: only the present is left
};

/// What was moved and removed.
struct ReclaimReport {
    std::uint64_t segments = 0, octets = 0;    ///< removed
    std::uint64_t bodies = 0, body_octets = 0; ///< moved out of segments that are to go
};

/// What a scrub read.
struct ScrubReport {
    std::uint64_t bodies = 0, octets = 0;
    std::vector<std::string> damaged; ///< the first thousand
};

/// A store in a folder. One process at a time: it holds the folder's lock. Schedulers that have
/// called it outlive it, or their calls do not. Any thread.
class JournalStore final : public Store {
  public:
    using Options = JournalStoreOptions;

    /// Opens or makes the store in `folder`, whose parent exists. A missing or damaged index is
    /// built anew from the journal; what of the journal is damaged is named in `status` and passed
    /// over. `files`, `random` and `clock` outlive it. Conflict: somebody has the folder. Rejected:
    /// it lies on a network file system, or was written by a later release. Corrupt: there is an
    /// index whose journal is gone.
    static Result<std::unique_ptr<JournalStore>> open(base::FileSystem& files, std::string folder,
                                                      const Options& options, base::Random& random,
                                                      const base::Clock& clock, Log log);
    /// Waits for what was submitted, makes a checkpoint and closes the journal.
    ~JournalStore() override;

    [[nodiscard]] Result<void> room_for(std::uint64_t octets) const override;
    std::unique_ptr<BlobWriter> new_blob(Scheduler& scheduler, std::uint64_t size_hint) override;
    Task<Result<std::string>> read_blob(BlobId blob, std::uint64_t offset,
                                        std::size_t octets) override;
    Task<Result<std::string>> read_new_blob(NewBlobRef blob, std::uint64_t offset,
                                            std::size_t octets) override;
    [[nodiscard]] std::unique_ptr<Subscription>
    subscribe(Scheduler& scheduler, AccountId account,
              std::move_only_function<void(const Change&)> told) override;
    [[nodiscard]] StoreStatus status() const override;

    /// Brings the index up to what is published now. Blocks.
    Result<void> checkpoint();
    /// Writes a snapshot of the index, from which it is made anew without the log's beginning. The
    /// store stays in use. Blocks.
    Result<void> snapshot();
    /// Makes the journal as small as it can be: moves what is needed out of segments that hold
    /// anything dead, writes a snapshot, removes what nobody needs. The store stays in use. Blocks,
    /// for long. Unavailable: the store takes no more writes.
    Result<ReclaimReport> compact(Reclaim how);
    /// Reads every body that is needed, and the snapshots, and names what is damaged in `status`
    /// and the log. At a bounded rate: blocks, for very long.
    Result<ScrubReport> scrub();
    /// The same in the background; `status` says how far it is. With StoreThreads::Own.
    void begin_scrub();
    /// Does at once what waits for idleness. With StoreThreads::None only.
    void settle();
    /// The files that hold all that was acknowledged until now, below `journal` in the store's
    /// folder, held in place: what a backup copies. Any thread.
    [[nodiscard]] Result<journal::Inventory> inventory();
    /// The store as it was at `at`, while it stays in use; of `journal_folder`, if that is not
    /// empty, up to `to`. Takes disk space for a second index. No file of the journal goes as long
    /// as it lives. Blocks. NotFound: the journal cannot show that; the text says what it can.
    Result<std::unique_ptr<PastStore>> past(WallTime at, const std::string& journal_folder = {},
                                            journal::Position to = 0);
    /// Compares everything with everything: checksums and digests of bodies, references, the index
    /// with one that is built anew from the journal. The store stays in use. Blocks, for long;
    /// takes disk space for a second index.
    Result<CheckReport> check();
    /// Builds the index anew from the journal and goes on with that. The store stays in use.
    /// Blocks.
    Result<void> rebuild();

    struct State;

  protected:
    Task<Result<void>> run_read(ReadWork work) override;
    Task<Result<void>> run_write(WriteWork work, Urgency urgency) override;

  private:
    explicit JournalStore(std::shared_ptr<State> state);
    std::shared_ptr<State> state_; // shared with what is under way elsewhere when the store goes
};

} // namespace mailcore::store
