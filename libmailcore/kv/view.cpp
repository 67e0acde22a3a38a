#include "libmailcore/kv/view.h"

#include <span>
#include <utility>
#include <vector>

namespace mailcore::kv {

View::View(std::shared_ptr<const Table> active, std::shared_ptr<const Table> frozen,
           std::unique_ptr<IndexReader> base, Version version, std::uint64_t position)
    : active_(std::move(active)), frozen_(std::move(frozen)), base_(std::move(base)),
      version_(version), position_(position) {}

Result<std::optional<std::string_view>> View::get(std::string_view key) const {
    if (const auto found = active_->find(key, version_)) return found->value;
    if (frozen_)
        if (const auto found = frozen_->find(key, version_)) return found->value;
    if (base_) return base_->get(key);
    return std::nullopt;
}

Result<void> View::walk(Bounds bounds, Order order, Cursor* above, const Visit& visit) const {
    TableCursor active(*active_, version_);
    std::optional<TableCursor> frozen;
    std::unique_ptr<Cursor> base;
    std::array<Cursor*, 4> sources{};
    std::size_t count = 0;
    if (above) sources[count++] = above;
    sources[count++] = &active;
    if (frozen_) sources[count++] = &frozen.emplace(*frozen_, version_);
    if (base_) {
        base = base_->cursor();
        sources[count++] = base.get();
    }
    return walk_merged(std::span(sources.data(), count), bounds, order, visit);
}

Result<void> walk_merged(std::span<Cursor*> newest_first, Bounds bounds, Order order,
                         const View::Visit& visit) {
    std::vector<Cursor*> live(newest_first.begin(), newest_first.end());
    for (auto* cursor : live) cursor->start(bounds, order);
    while (true) {
        // A walk that cannot see one of its sources must not go on without it.
        for (const auto* cursor : live)
            if (const auto& fault = cursor->fault()) return std::unexpected(*fault);
        std::erase_if(live, [](const Cursor* cursor) { return !cursor->valid(); });
        if (live.empty()) return {};
        std::size_t best = 0;
        auto key = live[0]->key();
        bool several = false; // whether others stand on the same key
        for (std::size_t i = 1; i < live.size(); ++i) {
            const auto compared = live[i]->key().compare(key);
            if (compared == 0) {
                several = true;
            } else if ((compared < 0) == (order == Order::Ascending)) {
                best = i;
                key = live[i]->key();
                several = false;
            }
        }
        if (const auto value = live[best]->value(); value && !visit(key, *value)) return {};
        if (several) // `key` is best's own view: those behind it move first
            for (auto i = best + 1; i < live.size(); ++i)
                if (live[i]->key() == key) live[i]->next();
        live[best]->next();
    }
}

} // namespace mailcore::kv
