// A store as it was at a moment of the past: to read mail from that is gone by now.
#pragma once

#include "libmailcore/journal/journal.h"
#include "libmailcore/store/check.h"
#include "libmailcore/store/store.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mailcore::kv {
class Index;
}

namespace mailcore::store {

/// The state after a frame of a journal: rows in an index of its own, bodies where the journal has
/// them, which keeps its files meanwhile. Writes are Rejected, subscribers hear nothing. Made by
/// JournalStore::past and open_past. Any thread.
class PastStore final : public Store {
  public:
    struct Parts {
        std::shared_ptr<journal::Journal> journal;
        std::shared_ptr<kv::Index> index; ///< the rows at `moment`, and no others
        journal::Moment moment;
        /// Called when nobody reads the index any more and it is closed.
        std::move_only_function<void()> done;
    };
    explicit PastStore(Parts parts);
    ~PastStore() override;

    /// Where the log stood, and when the last frame of this state was written.
    [[nodiscard]] const journal::Moment& moment() const;
    /// What its journal can show, oldest first.
    [[nodiscard]] Result<std::vector<journal::Reach>> reaches() const;
    /// `read`, at once.
    Result<void> read_now(ReadWork work) const;
    /// Reads all that can be shown, the log, the snapshots and every body: checksums, digests,
    /// references.
    Result<CheckReport> check() const;

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

    struct State;

  protected:
    Task<Result<void>> run_read(ReadWork work) override;
    Task<Result<void>> run_write(WriteWork work, Urgency urgency) override;

  private:
    std::shared_ptr<const State> state_; // shared with reads that are under way
};

/// The newest state that was there at `at` and is not beyond `to`. NotFound: the journal cannot
/// show it; the text says what it can.
Result<journal::Moment> find_moment(const journal::Journal& journal, WallTime at,
                                    journal::Position to);

/// Opens or makes an index in a file.
using IndexOpener = std::function<Result<std::unique_ptr<kv::Index>>(const std::string& path)>;

/// The state of the journal in `journal_folder` at `at`, not beyond `to`. `index_path` names a file
/// that is made for it and removed afterwards. `open_index` may be empty: LMDB. All outlive it.
/// NotFound: there is no journal, or it cannot show that; the text says what it can.
struct PastOf {
    std::string journal_folder;
    std::string index_path;
    WallTime at;
    journal::Position to = 0;
};
Result<std::unique_ptr<PastStore>> open_past(base::FileSystem& files, const PastOf& of,
                                             const IndexOpener& open_index, base::Random& random,
                                             const base::Clock& clock, Log log);

} // namespace mailcore::store
