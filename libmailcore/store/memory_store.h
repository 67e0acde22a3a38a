// A store that keeps nothing: the versioned table with nothing below it.
#pragma once

#include "libmailcore/store/store.h"

#include <memory>

namespace mailcore::store {

/// Rows and bodies in memory, gone with the object: for embedders who keep nothing, and for tests.
/// Keeps the whole contract of Store but durability. Outlives the calls made on it. Any thread.
class MemoryStore final : public Store {
  public:
    struct Options {
        /// Runs each write function twice and counts the second run only, so that tests find
        /// functions that may not be run again.
        bool rehearse = false;
    };

    /// `clock` outlives the store.
    explicit MemoryStore(const base::Clock& clock) : MemoryStore(clock, Options()) {}
    MemoryStore(const base::Clock& clock, Options options);
    ~MemoryStore() override;

    [[nodiscard]] Result<void> room_for(std::uint64_t) const override { return {}; }
    std::unique_ptr<BlobWriter> new_blob(Scheduler& scheduler, std::uint64_t size_hint) override;
    Task<Result<std::string>> read_blob(BlobId blob, std::uint64_t offset,
                                        std::size_t octets) override;
    Task<Result<std::string>> read_new_blob(NewBlobRef blob, std::uint64_t offset,
                                            std::size_t octets) override;
    [[nodiscard]] std::unique_ptr<Subscription>
    subscribe(Scheduler& scheduler, AccountId account,
              std::move_only_function<void(const Change&)> told) override;
    [[nodiscard]] StoreStatus status() const override;

  protected:
    Task<Result<void>> run_read(ReadWork work) override;
    Task<Result<void>> run_write(WriteWork work, Urgency urgency) override;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace mailcore::store
