#include "libmailcore/store/detail/reclaim_plan.h"

#include <algorithm>

namespace mailcore::store::detail {

namespace {

using journal::SegmentFacts;
using journal::SegmentKind;

const SegmentFacts* last_of_log(const std::vector<SegmentFacts>& segments) {
    const SegmentFacts* last = nullptr;
    for (const auto& each : segments)
        if (each.kind == SegmentKind::Log) last = &each;
    return last;
}

} // namespace

Dispensable dispensable(const Holdings& holdings, WallTime now, std::chrono::seconds horizon) {
    const auto& snapshots = holdings.snapshots;
    const bool history = horizon.count() > 0;
    auto kept = snapshots.end();
    for (auto each = snapshots.begin(); each != snapshots.end(); ++each)
        if (!history || each->end.ended <= now - horizon) kept = each;
    Dispensable found;
    if (history && kept == snapshots.end()) return found;
    journal::Position log_from = 0;
    if (kept != snapshots.end()) log_from = std::min(kept->end.from.position, holdings.applied);
    for (auto each = snapshots.begin(); each != kept && kept != snapshots.end(); ++each)
        found.snapshots.push_back(each->number);
    const auto was_needed = [&](journal::SegmentNumber number) {
        if (holdings.named.contains(number)) return true;
        for (auto each = kept; each != snapshots.end(); ++each)
            if (each->end.bodies.contains(number) ||
                (each != kept && each->end.named.contains(number)))
                return true;
        return false;
    };
    const auto* last = last_of_log(holdings.segments);
    for (const auto& each : holdings.segments) {
        if (each.kind == SegmentKind::Log && (&each == last || each.end > log_from)) continue;
        if (holdings.live(each.number) > 0) continue;
        if (history && was_needed(each.number)) continue;
        found.segments.push_back(each.number);
    }
    return found;
}

std::vector<journal::SegmentNumber> worth_emptying(const Holdings& holdings, const Worth& worth) {
    std::vector<journal::SegmentNumber> found;
    const auto* last = last_of_log(holdings.segments);
    const auto behind = holdings.snapshots.empty() ? journal::Position{0}
                                                   : holdings.snapshots.back().end.from.position;
    for (const auto& each : holdings.segments) {
        const auto live = holdings.live(each.number);
        if (&each == last || live == 0) continue;
        const bool log = each.kind == SegmentKind::Log;
        // The rows in a log become dead with the next snapshot, whatever becomes of the bodies.
        const bool any_dead = log || live + journal::segment_header_octets < each.octets;
        const bool mostly_dead = live < each.octets / 2 && (!log || each.end <= behind);
        const bool old = each.made + worth.age <= worth.now;
        if (any_dead && (worth.all || mostly_dead || old)) found.push_back(each.number);
    }
    return found;
}

} // namespace mailcore::store::detail
