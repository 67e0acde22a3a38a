// The writer's work, without its thread: transactions in, one durable frame out.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/log.h"
#include "libmailcore/base/task.h"
#include "libmailcore/journal/journal.h"
#include "libmailcore/kv/overlay.h"
#include "libmailcore/store/detail/blob_rows.h"
#include "libmailcore/store/detail/journal_body.h"
#include "libmailcore/store/detail/outbox.h"
#include "libmailcore/store/detail/row_transaction.h"
#include "libmailcore/store/detail/subscribers.h"
#include "libmailcore/store/store.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mailcore::store::detail {

/// A write that waits for its turn.
struct Submission {
    Store::WriteWork work;
    Urgency urgency;
    Scheduler* scheduler;
    base::Completion<Result<void>>::Completer completer;
};

/// A body that lies in a second place, which its row is to name instead of the first.
struct Relocation {
    BlobId blob;
    journal::BodyPlace from, to;
};

/// What `commit` needs. All outlives it.
struct CommitterParts {
    const Store& store;
    journal::Journal& journal;
    kv::Overlay& overlay;
    LiveOctets& live;
    NamedSegments& named;
    const Subscribers& subscribers;
    const base::Clock& clock;
    std::uint64_t batch_octets_max;
    std::function<bool()> has_room; ///< false: only what is urgent is written
};

struct CommitCounts {
    std::atomic<std::uint64_t> batches{0}, transactions{0};
    std::atomic<std::uint64_t> records_octets{0}; ///< of the frames: what a snapshot makes shorter
};

/// The writer's thread only, but for the counts.
class Committer {
  public:
    Committer(const CommitterParts& parts, IdSource ids, journal::Mark mark)
        : parts_(parts), ids_(ids), mark_(mark) {}

    /// Runs the submissions in order, in as few frames as their size allows, and answers each.
    void commit(std::vector<Submission> submissions);
    /// Lets the rows of those bodies that still lie where they did name their new places; how many
    /// that were. Takes from the reserve on a full disk: what it frees is more.
    Result<std::size_t> relocate(std::span<const Relocation> moves);
    /// A row of the engine's own.
    Result<void> put_row(std::string key, const std::string& value);
    /// A frame that changes nothing.
    Result<void> write_nothing();
    /// Where the log stands, at least as far as what is published. Any thread.
    [[nodiscard]] journal::Mark mark() const {
        const std::scoped_lock lock(mark_mutex_);
        return mark_;
    }
    [[nodiscard]] const CommitCounts& counts() const { return counts_; }

  private:
    /// One transaction of a batch that did well, and whom it answers.
    struct Done {
        Submission* submission;
        std::unique_ptr<RowWriter> writer;
    };
    struct Batch {
        kv::Version version = 0;
        std::vector<Done> done;
        std::vector<std::pair<Submission*, Error>> failed;
        /// Which transaction changed a row last, and whether one before had put it.
        struct Last {
            std::size_t by;
            bool put_before;
        };
        std::unordered_map<std::string_view, Last> last; // keys of the transactions' change sets
        std::map<BlobId, std::shared_ptr<const JournalBody>> bodies;
        std::vector<std::pair<const Body*, BlobId>> renamed; // bodies and their names before
        std::vector<journal::BodyPlace> released;
        std::uint64_t octets = 0;
    };

    std::size_t commit_some(std::span<Submission> submissions, journal::Space space);
    void run(Submission& submission, const kv::View& view, Batch& batch);
    Result<void> apply(Submission& submission, std::unique_ptr<RowWriter> writer,
                       const kv::View& view, Batch& batch);
    Result<journal::Frame> frame_of(const Batch& batch);
    void take_back(const Batch& batch);
    void publish(Batch& batch, const journal::FrameInfo& frame);
    Result<journal::FrameInfo> append(const journal::Frame& frame);
    void publish(kv::Version version, const journal::FrameInfo& frame);
    void answer(Batch& batch, const std::optional<Error>& error);

    CommitterParts parts_;
    IdSource ids_;
    mutable std::mutex mark_mutex_; // over `mark_`
    journal::Mark mark_;
    bool full_ = false; ///< as `has_room` said for the submissions at hand
    CommitCounts counts_;
    Outbox outbox_;
};

} // namespace mailcore::store::detail
