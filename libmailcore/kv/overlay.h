// What lies between journal and index: a table that takes changes, one that is being applied, and
// the order in which readers look at them.
#pragma once

#include "libmailcore/kv/index.h"
#include "libmailcore/kv/table.h"
#include "libmailcore/kv/view.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace mailcore::kv {

/// The versioned rows of a store. Three parties: readers (any thread), the writer (one thread:
/// changes, `publish`, `freeze`), the checkpoint (one thread: `apply`). What is not published is
/// invisible to readers; what is applied is durable in the index and gives back its memory.
class Overlay {
  public:
    explicit Overlay(std::shared_ptr<Index> index);

    /// The newest published state. Any thread.
    [[nodiscard]] Result<View> read() const;
    /// What was published last: its version, and the position in the journal that it reaches.
    struct Published {
        Version version = 0;
        std::uint64_t position = 0;
    };
    [[nodiscard]] Published published() const;

    /// The state with all changes so far, published or not. Writer.
    [[nodiscard]] Result<View> read_unpublished() const;
    /// Where changes go, at version `published().version + 1`. Writer.
    [[nodiscard]] Table& active() { return *active_; }
    void publish(Version version, std::uint64_t position);
    /// Takes the active table out of the writer's way, to be applied; false if one is being applied
    /// already or there is nothing to apply. Between two batches. Writer.
    bool freeze();

    struct ApplyOptions {
        std::size_t rows_per_commit = 20'000;
        std::size_t octets_per_commit = std::size_t{8} << 20;
    };
    /// Called for each row before it changes, in the same index transaction: for rows that follow
    /// from others. May be empty.
    using Before = std::function<Result<void>(IndexWriter&, std::string_view key,
                                              std::optional<std::string_view> value)>;
    /// Called in the last transaction with the position that is then applied.
    using Finish = std::function<Result<void>(IndexWriter&, std::uint64_t position)>;
    /// Writes the frozen table into the index, in key order, in several durable commits; then
    /// forgets it. After LimitExceeded it may be called again. Checkpoint.
    Result<void> apply(const ApplyOptions& options, const Before& before, const Finish& finish);
    [[nodiscard]] bool frozen() const;

    /// Another index takes the place of the present one. It holds all that was applied so far and,
    /// if `with_frozen`, what is frozen, which is then forgotten. Checkpoint.
    void replace_index(std::shared_ptr<Index> index, bool with_frozen);
    [[nodiscard]] std::shared_ptr<Index> index() const;

    /// Memory of both tables, and of the active one. Any thread.
    [[nodiscard]] std::size_t octets() const;
    [[nodiscard]] std::size_t active_octets() const;

  private:
    mutable std::mutex mutex_; // over all below
    std::shared_ptr<Index> index_;
    std::shared_ptr<Table> active_;
    std::shared_ptr<const Table> frozen_;
    std::uint64_t frozen_position_ = 0;
    std::uint64_t freezes_ = 0;
    Published published_;
};

/// Writes a table's newest rows into an index, in key order, in several durable commits.
Result<void> write_table(Index& index, const Table& table, const Overlay::ApplyOptions& options,
                         const Overlay::Before& before,
                         const std::function<Result<void>(IndexWriter&)>& finish);

} // namespace mailcore::kv
