// In place of Lua where a build leaves it out: a rule is an error, no rules are none.
#include "libmailcore/filter/lua_rules.h"

namespace mailcore::filter {

namespace {

Error no_lua(const RuleFile& file) {
    return {ErrorKind::Rejected, file.name + ": this build has no rules in Lua"};
}

} // namespace

Result<LuaRules> LuaRules::load(const RuleSource& source, const RuleLimits& limits,
                                const RulePorts& ports) {
    const auto problems = check_rules(source, limits, ports.clock);
    if (!problems.empty()) return std::unexpected(problems.front());
    return LuaRules(nullptr, 0);
}

std::vector<PipelineEntry> LuaRules::entries() const { return {}; }

void LuaRules::set_observer(std::function<void(const RuleReport&)>) {}

std::size_t LuaRules::memory() const { return 0; }

std::vector<Error> check_rules(const RuleSource& source, const RuleLimits&, const base::Clock&) {
    std::vector<Error> problems;
    for (const auto& file : source.rules) problems.push_back(no_lua(file));
    return problems;
}

std::string lua_api_manual() { return "This build has no rules in Lua.\n"; }

} // namespace mailcore::filter
