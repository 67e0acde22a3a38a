#include "libmailcore/filter/memory_rule_store.h"

namespace mailcore::filter {

std::uint64_t WindowCount::add(std::int64_t seconds, std::chrono::seconds length,
                               std::uint64_t by) {
    const auto whole = static_cast<std::uint64_t>(length.count());
    const auto at = static_cast<std::uint64_t>(seconds);
    const auto current = at / whole;
    if (current != window) {
        before = current == window + 1 ? now : 0;
        now = 0;
        window = current;
    }
    constexpr std::uint64_t count_max = std::uint64_t{1} << 40;
    now = now > count_max - std::min(by, count_max) ? count_max : now + by;
    const auto still_within = static_cast<double>(whole - at % whole) / static_cast<double>(whole);
    return now + static_cast<std::uint64_t>(static_cast<double>(before) * still_within);
}

void MemoryRuleStore::make_room() {
    if (rows() < rows_max_) return;
    const auto time = now();
    std::erase_if(counters_, [&](const auto& each) { return each.second.expires <= time; });
    std::erase_if(members_, [&](const auto& each) { return each.second <= time; });
    while (rows() >= rows_max_ && !counters_.empty()) counters_.erase(counters_.begin());
    while (rows() >= rows_max_ && !members_.empty()) members_.erase(members_.begin());
}

Task<Result<std::uint64_t>> MemoryRuleStore::count(std::string name, std::string key,
                                                   std::chrono::seconds window, std::uint64_t by) {
    make_room();
    auto& counter = counters_[{std::move(name), std::move(key), window.count()}];
    counter.expires = now() + 2 * window.count();
    co_return counter.count.add(now(), window, by);
}

Task<Result<bool>> MemoryRuleStore::contains(std::string name, std::string key) {
    const auto found = members_.find({std::move(name), std::move(key)});
    co_return found != members_.end() && found->second > now();
}

Task<Result<bool>> MemoryRuleStore::insert(std::string name, std::string key,
                                           std::chrono::seconds lifetime) {
    make_room();
    auto& until = members_[{std::move(name), std::move(key)}];
    const bool was_there = until > now();
    until = now() + lifetime.count();
    co_return was_there;
}

Task<Result<bool>> MemoryRuleStore::erase(std::string name, std::string key) {
    const auto found = members_.find({std::move(name), std::move(key)});
    if (found == members_.end()) co_return false;
    const bool was_there = found->second > now();
    members_.erase(found);
    co_return was_there;
}

} // namespace mailcore::filter
