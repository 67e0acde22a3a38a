// Rules and a message for tests: what a rule says of what.
#pragma once

#include "libmailcore/filter/lua_rules.h"
#include "libmailcore/filter/memory_rule_store.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/parser.h"
#include "tests/catch.h"
#include "tests/sim/virtual_scheduler.h"

#include <map>
#include <optional>

namespace mailcore::filter {

/// A message that is in memory.
class TextOctets final : public MessageOctets {
  public:
    explicit TextOctets(std::string text) : text_(std::move(text)) {}
    std::uint64_t size() const override { return text_.size(); }
    Task<Result<std::string>> read(std::uint64_t offset, std::size_t octets) override {
        co_return text_.substr(std::min<std::size_t>(offset, text_.size()), octets);
    }

  private:
    std::string text_;
};

/// Answers from a table after `delay`; a name that is not in it does not exist, "broken." fails.
class TableNames final : public RuleNames {
  public:
    explicit TableNames(Scheduler& scheduler) : scheduler_(scheduler) {}
    Task<Result<std::vector<std::string>>> lookup(std::string name, std::string type) override {
        asked.push_back(name + " " + type);
        co_await base::sleep_until(scheduler_.now() + delay);
        if (name.starts_with("broken.")) co_return fail(ErrorKind::Unavailable, "no answer");
        if (name.empty()) co_return fail(ErrorKind::Rejected, "not a name");
        const auto found = records.find(name + " " + type);
        co_return found == records.end() ? std::vector<std::string>{} : found->second;
    }
    std::map<std::string, std::vector<std::string>> records;
    std::vector<std::string> asked;
    std::chrono::milliseconds delay{100};

  private:
    Scheduler& scheduler_;
};

/// A pipeline of rules in virtual time.
struct RuleBench {
    sim::VirtualScheduler scheduler;
    TableNames names{scheduler};
    MemoryRuleStore store{scheduler};
    RuleLimits limits;
    RuleSource source;
    std::vector<std::string> failures; ///< "file.lua:1: ..." of rules that failed
    std::uint64_t instructions = 0;    ///< of the last judgement
    std::vector<std::string> said;
    Context context;
    std::optional<mime::Structure> structure;
    std::unique_ptr<TextOctets> octets;

    RuleBench() = default;
    explicit RuleBench(std::string text, std::string name = "rule.lua") {
        source.rules.push_back({std::move(name), std::move(text)});
    }

    [[nodiscard]] Result<LuaRules> load() {
        auto loaded = LuaRules::load(source, limits, {scheduler, &names, &store, {}});
        if (loaded)
            loaded->set_observer([this](const RuleReport& report) {
                instructions = report.instructions;
                said.insert(said.end(), report.said.begin(), report.said.end());
                if (!report.outcome) failures.push_back(report.outcome.error().detail);
            });
        return loaded;
    }
    /// The message that is judged from now on.
    void set_message(const std::string& text) {
        structure.emplace(mime::parse(text));
        octets = std::make_unique<TextOctets>(text);
        const auto end = mime::header_octets(text);
        context.header = text.substr(0, end >= 2 ? end - 2 : end);
        context.size = text.size();
        context.structure = &*structure;
        context.octets = octets.get();
    }
    Verdict judge(Stage stage) {
        auto loaded = load();
        if (!loaded) FAIL(loaded.error().detail);
        return judge(*loaded, stage);
    }
    Verdict judge(const LuaRules& rules, Stage stage) {
        const Pipeline pipeline(rules.entries(), Log{});
        std::optional<Verdict> verdict;
        Scope scope(scheduler);
        scope.spawn(ask(pipeline, stage, verdict));
        scheduler.run_until(scheduler.now() + std::chrono::minutes{1});
        REQUIRE(verdict);
        return *verdict;
    }
    /// Of a rule at stage mail with this body: what was wrong, or "" if nothing was.
    std::string failure_of(const std::string& body) {
        source.rules = {{"rule.lua", "mail.on(\"mail\", function(ctx)\n" + body + "\nend)\n"}};
        failures.clear();
        judge(Stage::Mail);
        return failures.empty() ? std::string{} : failures.front();
    }

  private:
    Task<void> ask(const Pipeline& pipeline, Stage stage, std::optional<Verdict>& verdict) {
        verdict = co_await pipeline.judge(stage, context);
    }
};

} // namespace mailcore::filter
