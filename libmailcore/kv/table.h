// A versioned table of ordered rows in memory: what lies between the journal and the index.
#pragma once

#include "libmailcore/kv/cursor.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace mailcore::kv {

/// The number of a batch of changes. A reader at version v sees the batches up to v.
using Version = std::uint64_t;

/// Rows with their history since the table was made, erased rows included. Versions never decrease
/// from one change to the next. Changes: one thread; reading: any thread, at the same time, without
/// a lock. Memory is given back when the table is destroyed, not before: bounded by freezing it
/// (`octets`).
class Table {
  public:
    struct Node;

    Table();
    ~Table();
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;

    void put(std::string_view key, std::string_view value, Version version);
    void erase(std::string_view key, Version version);
    /// Takes back the change of `key` at `version`, which no reader may have been able to see yet.
    void discard(std::string_view key, Version version);

    /// What is known of a row: nothing at all (look below), or its value, or that it is erased.
    struct Found {
        std::optional<std::string_view> value; // absent: erased
    };
    /// Views are valid as long as the table.
    [[nodiscard]] std::optional<Found> find(std::string_view key, Version at) const;

    /// Memory taken, and how many keys it has.
    [[nodiscard]] std::size_t octets() const { return octets_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t rows() const { return rows_.load(std::memory_order_relaxed); }
    [[nodiscard]] bool empty() const { return rows() == 0; }

  private:
    friend class TableCursor;
    static constexpr int height_max = 12; // 4^12 rows before searching slows down
    struct Entry;
    using Path = std::array<std::atomic<Node*>*, height_max>;

    void change(std::string_view key, std::optional<std::string_view> value, Version version);
    Node* first_at_or_after(std::string_view key, Path* path = nullptr) const;
    Node* last_before(std::string_view key) const;
    Node* last() const;
    int next_height();
    void* allocate(std::size_t octets);

    std::array<std::atomic<Node*>, height_max> head_{};
    std::atomic<int> height_{1};
    std::uint64_t height_seed_ = 0x9E3779B97F4A7C15; // shapes the list; nothing secret hangs on it
    std::vector<std::unique_ptr<std::byte[]>> blocks_;
    std::byte* block_ = nullptr;
    std::size_t block_left_ = 0;
    std::atomic<std::size_t> octets_{0};
    std::atomic<std::size_t> rows_{0};
};

/// Walks a table as it was at one version; erased rows are shown as such.
class TableCursor final : public Cursor {
  public:
    /// `table` outlives the cursor.
    TableCursor(const Table& table, Version at) : table_(table), at_(at) {}
    void start(Bounds bounds, Order order) override;
    [[nodiscard]] bool valid() const override { return node_ != nullptr; }
    void next() override;
    [[nodiscard]] std::string_view key() const override;
    [[nodiscard]] std::optional<std::string_view> value() const override { return value_; }
    [[nodiscard]] const std::optional<Error>& fault() const override { return fault_; }

  private:
    void settle();
    const Table& table_;
    Version at_;
    Bounds bounds_;
    Order order_ = Order::Ascending;
    Table::Node* node_ = nullptr;
    std::optional<std::string_view> value_;
    std::optional<Error> fault_; // never set: memory does not fail
};

} // namespace mailcore::kv
