// One consistent state of all rows: tables above, the index below.
#pragma once

#include "libmailcore/kv/index.h"
#include "libmailcore/kv/table.h"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mailcore::kv {

/// Rows as they were at one version: the active table hides the frozen one, which hides the index.
/// Holds an index reader while it lives: short-lived, never across a wait. One thread.
class View {
  public:
    /// Sees one row of a walk, whose views are valid during the call; false ends the walk.
    using Visit = std::function<bool(std::string_view key, std::string_view value)>;

    /// `active` is there; `frozen` and `base` may be absent.
    View(std::shared_ptr<const Table> active, std::shared_ptr<const Table> frozen,
         std::unique_ptr<IndexReader> base, Version version, std::uint64_t position = 0);

    /// The row's value, valid as long as the view; nothing if there is no such row.
    Result<std::optional<std::string_view>> get(std::string_view key) const;
    /// Walks the rows of `bounds`. `above`, if not null, hides what is below it.
    Result<void> walk(Bounds bounds, Order order, Cursor* above, const Visit& visit) const;

    [[nodiscard]] Version version() const { return version_; }
    /// The position in the journal that it reaches; 0 for what is not published.
    [[nodiscard]] std::uint64_t position() const { return position_; }

  private:
    std::shared_ptr<const Table> active_;
    std::shared_ptr<const Table> frozen_;
    std::unique_ptr<IndexReader> base_;
    Version version_;
    std::uint64_t position_;
};

/// Walks several sources as one, the first hiding those after it.
Result<void> walk_merged(std::span<Cursor*> newest_first, Bounds bounds, Order order,
                         const View::Visit& visit);

} // namespace mailcore::kv
