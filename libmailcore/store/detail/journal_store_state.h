// What an open JournalStore consists of.
#pragma once

#include "libmailcore/store/detail/committer.h"
#include "libmailcore/store/detail/fill_index.h"
#include "libmailcore/store/detail/index_files.h"
#include "libmailcore/store/detail/upkeep.h"
#include "libmailcore/store/journal_store.h"

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace mailcore::store {

namespace detail {
inline constexpr std::size_t damages_max = 1000; // that are named
}

struct JournalStore::State : std::enable_shared_from_this<JournalStore::State> {
    State(base::FileSystem& f, std::string p, const Options& o, base::Random& r,
          const base::Clock& c, Log l);

    base::FileSystem& files;
    const std::string folder;
    const Options options;
    base::Random& random;
    const base::Clock& clock;
    const Log log;
    std::unique_ptr<base::FolderLock> lock;
    detail::IndexFiles index_files;
    detail::LiveOctets live;
    detail::NamedSegments named;
    detail::Subscribers subscribers;
    std::unique_ptr<kv::Overlay> overlay;
    std::shared_ptr<journal::Journal> journal; ///< shared with bodies that are being streamed
    std::unique_ptr<detail::Committer> committer;
    std::unique_ptr<detail::Upkeep> upkeep;
    mutable std::mutex damages_mutex;
    std::vector<std::string> damages;
    journal::Mark committed;           ///< where the log stood when it was opened
    journal::Position opened_from = 0; ///< from where it was replayed

    // What waits for the writer.
    std::mutex inbox_mutex; // over the following
    std::condition_variable inbox_filled;
    std::map<Scheduler*, std::vector<detail::Submission>> turns; ///< of this turn of each scheduler
    std::vector<detail::Submission> inbox;
    std::vector<std::move_only_function<void()>> jobs; ///< between two batches
    bool stopping = false;
    bool freeze_wanted = false;

    // The writer's alone.
    Instant last_commit;
    std::optional<Instant> first_change; ///< the oldest that is in no checkpoint

    // The checkpoint.
    std::mutex checkpoint_mutex;    ///< held while the index is being changed or replaced
    mutable std::mutex marks_mutex; // over the following
    std::condition_variable marks_changed;
    std::uint64_t index_number = 0;
    journal::Mark applied;
    std::optional<journal::Mark> frozen; ///< where a frozen table reaches that is not applied yet
    std::string index_failure;           ///< why no checkpoint is made any more
    bool checkpoint_stopping = false;

    std::thread writer;
    std::thread checkpointer;
    std::thread keeper;

    Result<void> open(const JournalStore& store);
    Result<void> open_journal(const detail::IndexFile& index);
    Result<bool> has_journal();
    /// Fills a new index from the newest snapshot, if there is one.
    Result<void> load_snapshot(detail::IndexFile& index);
    [[nodiscard]] detail::FillSource fill_source() const;
    [[nodiscard]] kv::Overlay::ApplyOptions apply_options() const;
    Result<void> note_applied(kv::Index& index, const journal::Mark& mark);
    void report(const std::string& damage);

    void submit(detail::Submission submission);
    void flush_turn(Scheduler& scheduler);
    std::vector<detail::Submission> wait_for_submissions(std::chrono::milliseconds at_most);
    void write_loop();
    void commit(std::vector<detail::Submission> submissions);
    /// How long until something is due; freezes if a checkpoint is.
    std::chrono::milliseconds look_at_checkpoint();
    bool freeze();
    void wait_for_checkpoint();
    /// Runs it between two batches and waits for that. Not from the writer's thread, if there is
    /// one.
    void run_on_writer(std::move_only_function<void()> job);

    void checkpoint_loop();
    Result<void> apply_frozen();
    /// Brings the index up to what is published now. Blocks.
    Result<void> checkpoint();
    void stop();

    /// Any thread. Of the disk, and in memory for changes that no checkpoint has taken.
    Result<void> space_for(std::uint64_t octets) const;
    /// Any thread. The same, and nothing has failed.
    Result<void> room_for(std::uint64_t octets) const;
    /// Any thread. Octets of a body, or nothing if it needs the disk.
    Result<std::optional<std::string>> read_body(BlobId blob, std::uint64_t offset,
                                                 std::size_t octets, journal::ReadFrom from);
    Result<detail::BlobRow> find_blob(BlobId blob) const;
};

} // namespace mailcore::store
