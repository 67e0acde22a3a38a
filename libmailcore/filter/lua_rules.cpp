#include "libmailcore/filter/lua_rules.h"

#include "libmailcore/filter/detail/rule_machine.h"

namespace mailcore::filter {

namespace {

/// One function of a rule file as a filter of the pipeline.
class Rule final : public Filter {
  public:
    Rule(std::shared_ptr<detail::RuleMachine> machine, std::size_t handler)
        : machine_(std::move(machine)), handler_(handler) {}
    std::string_view name() const override { return machine_->handlers[handler_].name; }
    StageSet stages() const override { return {machine_->handlers[handler_].stage}; }
    Task<Result<Verdict>> judge(Stage stage, Context& context) override {
        return detail::RuleMachine::judge(machine_, handler_, stage, context);
    }

  private:
    std::shared_ptr<detail::RuleMachine> machine_;
    std::size_t handler_;
};

} // namespace

Result<LuaRules> LuaRules::load(const RuleSource& source, const RuleLimits& limits,
                                const RulePorts& ports) {
    auto machine = std::make_shared<detail::RuleMachine>(limits, ports);
    MAILCORE_TRY(machine->open());
    machine->set_lists(source.lists);
    for (const auto& file : source.rules) {
        MAILCORE_TRY(machine->load(file));
    }
    return LuaRules(std::move(machine), source.rules.size());
}

std::vector<PipelineEntry> LuaRules::entries() const {
    std::vector<PipelineEntry> entries;
    for (std::size_t i = 0; i < machine_->handlers.size(); ++i) {
        const auto& handler = machine_->handlers[i];
        entries.push_back(
            {std::make_shared<Rule>(machine_, i), handler.on_failure, handler.time_max});
    }
    return entries;
}

void LuaRules::set_observer(std::function<void(const RuleReport&)> observer) {
    machine_->observer = std::move(observer);
}

std::size_t LuaRules::memory() const { return machine_->octets; }

std::vector<Error> check_rules(const RuleSource& source, const RuleLimits& limits,
                               const base::Clock& clock) {
    std::vector<Error> problems;
    for (const auto& file : source.rules) {
        const RuleSource alone{{file}, source.lists};
        if (auto loaded = LuaRules::load(alone, limits, {clock, nullptr, nullptr, {}}); !loaded)
            problems.push_back(std::move(loaded).error());
    }
    return problems;
}

namespace {

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|') out += '\\';
        out += c;
    }
    return out;
}

void append_rows(std::string& out, std::string_view scope, std::span<const detail::ApiRow> rows) {
    out += "| | |\n|---|---|\n";
    for (const auto& row : rows) {
        if (row.scope != scope) continue;
        out += "| `";
        out += row.usage ? escaped(row.usage) : std::string(row.scope) + "." + row.name;
        out += "` | " + escaped(row.meaning) + " |\n";
    }
    out += "\n";
}

constexpr std::string_view introduction = R"(# Rules in Lua

Files `*.lua` in the folder `rules` of the data folder, in the order of their names. Each
registers functions for stages
of a message's life; they look at the mail, change it, and give a verdict before the sender is
told that it was taken.

```lua
mail.on("message", function(ctx)
    if ctx.account ~= "" then return end           -- our own users
    for _, part in ipairs(ctx:parts()) do
        if part.extension == "exe" then
            return mail.reject("no programs by mail, please")
        end
    end
end)
```

Try a file with `mdctl rule check FILE`, `mdctl rule test FILE MESSAGE.eml` and `mdctl rule replay
FILE --since 7d`.

- The first verdict ends the stage; functions behind it are not asked.
- A function that fails (an error, too many instructions, too much memory or time) leaves no
  change behind. What becomes of
  the mail then is `on_failure`: of the function's options, else of the configuration. The log
  names file and line.
- What "waits" lets others be served meanwhile. Write it as if it did not; only inside functions
  that are given to
  `gsub` or `table.sort` it is an error.
- Each file has global variables of its own. They live as long as the loaded rules, and every loop
  of the server has its
  own set: keep what must last in `mail.counter` and `mail.set`.
- Of Lua 5.4 there are `assert error getmetatable ipairs next pairs pcall print rawequal rawget
  rawlen select setmetatable
  tonumber tostring type` and the tables `string` (without `dump`), `table` (without `move`),
  `math` (without random
  numbers) and `utf8`. There is no `io`, `os`, `debug`, `load`, `require` or `coroutine`, and no
  `__gc`.

)";

} // namespace

std::string lua_api_manual() {
    std::string out(introduction);
    const auto section = [&](std::string_view title, std::string_view scope, auto rows) {
        out += "## " + std::string(title) + "\n\n";
        append_rows(out, scope, rows);
    };
    section("The table mail", "mail", detail::mail_api());
    section("The table dns", "dns", detail::mail_api());
    section("The context", "ctx", detail::context_api());
    section("Parts", "part", detail::part_api());
    section("Entries of archives", "entry", detail::part_api());
    section("Sets", "set", detail::store_api());
    section("Lists", "list", detail::store_api());
    out.pop_back();
    return out;
}

} // namespace mailcore::filter
