// Rule files of any text: loading and running them ends, within bounds, whatever they say.
#include "libmailcore/base/assert.h"
#include "libmailcore/filter/lua_rules.h"
#include "libmailcore/filter/memory_rule_store.h"
#include "libmailcore/mime/parser.h"
#include "tests/sim/virtual_scheduler.h"

using namespace mailcore;

namespace {

Task<void> judge(const filter::Pipeline& pipeline, filter::Stage stage, filter::Context& context) {
    co_await pipeline.judge(stage, context);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    sim::VirtualScheduler scheduler;
    filter::MemoryRuleStore store(scheduler);
    filter::RuleLimits limits;
    limits.instructions_max = 20'000;
    limits.memory_max = 4 * 1024 * 1024;
    limits.call_memory_max = 1024 * 1024;
    filter::RuleSource source;
    source.rules.push_back({"fuzz.lua", std::string(reinterpret_cast<const char*>(data), size)});
    for (const auto* name : {"blocked-words.txt", "careful-group.txt"})
        source.lists.push_back({name, "a\nb*\n"});
    auto rules = filter::LuaRules::load(source, limits, {scheduler, nullptr, &store, {}});
    if (!rules) {
        MAILCORE_ASSERT(rules.error().detail.starts_with("fuzz.lua"));
        return 0;
    }
    MAILCORE_ASSERT(rules->memory() <= limits.memory_max);
    const std::string header = "Subject: x\r\nFrom: a@b.test\r\n";
    const auto structure = mime::parse(header + "\r\nhello\r\n");
    const filter::Pipeline pipeline(rules->entries(), Log{});
    filter::Context context;
    context.recipients = {"r@example.test"};
    context.header = header;
    context.structure = &structure;
    Scope scope(scheduler);
    for (std::size_t stage = 0; stage < filter::stages; ++stage)
        scope.spawn(judge(pipeline, static_cast<filter::Stage>(stage), context));
    scheduler.run_until(scheduler.now() + std::chrono::minutes{1});
    MAILCORE_ASSERT(context.header_edits.size() <= filter::header_edits_max);
    MAILCORE_ASSERT(rules->memory() <= limits.memory_max);
    return 0;
}

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/hosts/mdserver/rules", nullptr};
    return seeds;
}
