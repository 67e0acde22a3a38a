// Several servers exchange mail while everything goes wrong that can: what was answered 250 is
// delivered, returned or queued, and nothing is twice but where nobody could know better.
#include "tests/catch.h"
#include "tests/world/world.h"

#include <cstdlib>
#include <fmt/format.h>

using namespace mailcore;
using world::Setting;
using world::World;

namespace {

const Setting& setting() {
    static const Setting setting;
    return setting;
}

std::uint64_t number_in(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string all_of(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts) out += text + "\n";
    return out;
}

} // namespace

TEST_CASE("mail between servers is neither lost nor doubled, whatever happens") {
    const auto only = number_in("MAILCORE_WORLD_SEED", 0);
    const auto runs = only != 0 ? 1 : number_in("MAILCORE_WORLD_RUNS", 100);
    const auto first = only != 0 ? only : number_in("MAILCORE_WORLD_FIRST", 1);
    world::Outcome sum;
    for (auto seed = first; seed < first + runs; ++seed) {
        World each(setting(), seed);
        const auto outcome = each.run();
        INFO("MAILCORE_WORLD_SEED=" << seed << " runs this again\n" << all_of(outcome.wrong));
        CHECK(outcome.wrong.empty());
        sum.counts.letters += outcome.counts.letters;
        sum.counts.acknowledged += outcome.counts.acknowledged;
        sum.counts.copies += outcome.counts.copies;
        sum.counts.doubles += outcome.counts.doubles;
        sum.counts.bounces += outcome.counts.bounces;
        sum.power_cuts += outcome.power_cuts;
        sum.faults += outcome.faults;
        sum.doubts += outcome.doubts;
        sum.lies += outcome.lies;
        sum.steps += outcome.steps;
        sum.compared += outcome.compared;
    }
    if (std::getenv("MAILCORE_WORLD_RUNS"))
        fmt::print("{} worlds: {} letters, {} recipients acknowledged, {} copies ({} doubled), {} "
                   "bounces, {} power cuts, {} other faults, {} handovers in doubt, {} lies of the "
                   "DNS, {} views compared, {} steps\n",
                   runs, sum.counts.letters, sum.counts.acknowledged, sum.counts.copies,
                   sum.counts.doubles, sum.counts.bounces, sum.power_cuts,
                   sum.faults, sum.doubts, sum.lies, sum.compared, sum.steps);
}
