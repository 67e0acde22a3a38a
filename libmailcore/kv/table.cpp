#include "libmailcore/kv/table.h"

#include "libmailcore/base/assert.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace mailcore::kv {

// A skip list that one thread extends while others read it (as LevelDB's), each key with the chain
// of its versions, newest first: a counter written a thousand times costs a walk over the keys
// nothing.

struct Table::Entry {
    Version version;
    Entry* older;
    std::uint32_t value_octets;
    bool erased;

    [[nodiscard]] std::string_view value() const {
        return {reinterpret_cast<const char*>(this + 1), value_octets};
    }
};

struct Table::Node {
    std::atomic<Entry*> newest;
    std::uint32_t key_octets;
    std::uint32_t height;
    std::atomic<Node*> next[1]; // `height` of them, then the key

    [[nodiscard]] std::string_view key() const {
        return {reinterpret_cast<const char*>(next + height), key_octets};
    }
    [[nodiscard]] Entry* visible(Version at) const {
        auto* entry = newest.load(std::memory_order_acquire);
        while (entry && entry->version > at) entry = entry->older;
        return entry;
    }
};

Table::Table() = default;
Table::~Table() = default;

void* Table::allocate(std::size_t octets) {
    constexpr std::size_t block_octets_min = 4 * 1024, block_octets_max = 256 * 1024;
    octets = (octets + 7) & ~std::size_t{7};
    if (octets > block_left_) {
        // Blocks grow with the table, so that an almost empty one is small.
        const auto size = std::max(octets, std::clamp(octets_.load(std::memory_order_relaxed),
                                                      block_octets_min, block_octets_max));
        blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(size));
        block_ = blocks_.back().get();
        block_left_ = size;
        octets_.fetch_add(size, std::memory_order_relaxed);
    }
    auto* place = block_;
    block_ += octets;
    block_left_ -= octets;
    return place;
}

int Table::next_height() {
    height_seed_ ^= height_seed_ << 13;
    height_seed_ ^= height_seed_ >> 7;
    height_seed_ ^= height_seed_ << 17;
    int height = 1;
    for (auto bits = height_seed_; height < height_max && (bits & 3) == 0; bits >>= 2) ++height;
    return height;
}

Table::Node* Table::first_at_or_after(std::string_view key, Path* path) const {
    const auto* links = &head_[0];
    Node* at = nullptr;
    for (int level = height_.load(std::memory_order_relaxed) - 1; level >= 0; --level) {
        const auto* behind = at; // compared one level up
        at = links[level].load(std::memory_order_acquire);
        while (at && at != behind && at->key() < key) {
            links = at->next;
            at = links[level].load(std::memory_order_acquire);
        }
        if (path)
            (*path)[static_cast<std::size_t>(level)] =
                const_cast<std::atomic<Node*>*>(&links[level]);
    }
    return at;
}

Table::Node* Table::last_before(std::string_view key) const {
    const auto* links = &head_[0];
    Node* before = nullptr;
    for (int level = height_.load(std::memory_order_relaxed) - 1; level >= 0; --level)
        for (auto* at = links[level].load(std::memory_order_acquire); at && at->key() < key;
             at = links[level].load(std::memory_order_acquire)) {
            before = at;
            links = at->next;
        }
    return before;
}

Table::Node* Table::last() const {
    const auto* links = &head_[0];
    Node* before = nullptr;
    for (int level = height_.load(std::memory_order_relaxed) - 1; level >= 0; --level)
        for (auto* at = links[level].load(std::memory_order_acquire); at;
             at = links[level].load(std::memory_order_acquire)) {
            before = at;
            links = at->next;
        }
    return before;
}

void Table::change(std::string_view key, std::optional<std::string_view> value, Version version) {
    const auto octets = value ? value->size() : 0;
    auto* entry = new (allocate(sizeof(Entry) + octets))
        Entry{version, nullptr, static_cast<std::uint32_t>(octets), !value};
    if (octets > 0) std::memcpy(static_cast<void*>(entry + 1), value->data(), octets);

    Path path{};
    auto* node = first_at_or_after(key, &path);
    if (node && node->key() == key) {
        auto* newest = node->newest.load(std::memory_order_relaxed);
        MAILCORE_ASSERT(!newest || newest->version <= version);
        // Within a batch the last change counts; nobody can be reading the ones before.
        entry->older = newest && newest->version == version ? newest->older : newest;
        node->newest.store(entry, std::memory_order_release);
        return;
    }
    const int height = next_height();
    const int known = height_.load(std::memory_order_relaxed);
    for (int level = known; level < height; ++level)
        path[static_cast<std::size_t>(level)] = &head_[static_cast<std::size_t>(level)];
    // A reader that sees the new height too early finds empty links, and goes down.
    if (height > known) height_.store(height, std::memory_order_relaxed);

    const auto links = static_cast<std::size_t>(height);
    auto* place = allocate(sizeof(Node) + (links - 1) * sizeof(std::atomic<Node*>) + key.size());
    auto* made = new (place) Node;
    made->newest.store(entry, std::memory_order_relaxed);
    made->key_octets = static_cast<std::uint32_t>(key.size());
    made->height = static_cast<std::uint32_t>(height);
    for (std::size_t level = 0; level < links; ++level) {
        auto* link = new (&made->next[level]) std::atomic<Node*>;
        link->store(path[level]->load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    std::memcpy(reinterpret_cast<char*>(made->next + links), key.data(), key.size());
    for (std::size_t level = 0; level < links; ++level)
        path[level]->store(made, std::memory_order_release);
    rows_.fetch_add(1, std::memory_order_relaxed);
}

void Table::put(std::string_view key, std::string_view value, Version version) {
    change(key, value, version);
}

void Table::erase(std::string_view key, Version version) { change(key, std::nullopt, version); }

void Table::discard(std::string_view key, Version version) {
    auto* node = first_at_or_after(key);
    if (!node || node->key() != key) return;
    auto* newest = node->newest.load(std::memory_order_relaxed);
    if (newest && newest->version == version)
        node->newest.store(newest->older, std::memory_order_release);
}

std::optional<Table::Found> Table::find(std::string_view key, Version at) const {
    const auto* node = first_at_or_after(key);
    if (!node || node->key() != key) return std::nullopt;
    const auto* entry = node->visible(at);
    if (!entry) return std::nullopt;
    if (entry->erased) return Found{};
    return Found{entry->value()};
}

void TableCursor::start(Bounds bounds, Order order) {
    bounds_ = bounds;
    order_ = order;
    if (order == Order::Ascending)
        node_ = table_.first_at_or_after(bounds.from);
    else
        node_ = bounds.to.empty() ? table_.last() : table_.last_before(bounds.to);
    settle();
}

/// Goes on to a row that this version has.
void TableCursor::settle() {
    while (node_ && bounds_.contains(node_->key())) {
        if (const auto* entry = node_->visible(at_)) {
            value_.reset();
            if (!entry->erased) value_ = entry->value();
            return;
        }
        node_ = order_ == Order::Ascending ? node_->next[0].load(std::memory_order_acquire)
                                           : table_.last_before(node_->key());
    }
    node_ = nullptr;
}

void TableCursor::next() {
    node_ = order_ == Order::Ascending ? node_->next[0].load(std::memory_order_acquire)
                                       : table_.last_before(node_->key());
    settle();
}

std::string_view TableCursor::key() const { return node_->key(); }

} // namespace mailcore::kv
