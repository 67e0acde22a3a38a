#include "libmailcore/base/memory_gate.h"

namespace mailcore::base {

namespace {

constexpr std::array<std::uint64_t, 3> percent{80, 88, 95}; // by Admission

/// True for one of those who ask when `next` has come; then it lies `interval` ahead.
bool is_due(std::atomic<Instant>& next, Instant now, std::chrono::milliseconds interval) {
    auto expected = next.load(std::memory_order_relaxed);
    return now >= expected && next.compare_exchange_strong(expected, now + interval);
}

} // namespace

MemoryGate::MemoryGate(Options options, const Clock& clock, MemoryMeter& meter)
    : options_(options), clock_(clock), meter_(meter) {}

std::uint64_t MemoryGate::limit(Admission what) const {
    return options_.octets_max / 100 * percent[static_cast<std::size_t>(what)];
}

std::uint64_t MemoryGate::used() {
    const auto now = clock_.now();
    if (!is_due(measure_at_, now, options_.interval)) return used_.load(std::memory_order_relaxed);
    auto used = meter_.used();
    // What was freed may still be held by the allocator: nobody is refused for that.
    if (used > limit(Admission::Connection) &&
        is_due(give_back_at_, now, options_.give_back_interval)) {
        meter_.give_back();
        used = meter_.used();
    }
    used_.store(used, std::memory_order_relaxed);
    return used;
}

bool MemoryGate::admits(Admission what) {
    if (options_.octets_max == 0 || used() <= limit(what)) return true;
    refused_[static_cast<std::size_t>(what)].fetch_add(1, std::memory_order_relaxed);
    return false;
}

std::uint64_t MemoryGate::excess() {
    if (options_.octets_max == 0) return 0;
    const auto now_used = used();
    const auto allowed = limit(Admission::Message);
    return now_used > allowed ? now_used - allowed : 0;
}

} // namespace mailcore::base
