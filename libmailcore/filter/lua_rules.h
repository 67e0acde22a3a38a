// Rules in Lua: files of an administrator's own judgements, as filters of the pipeline.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/filter/pipeline.h"
#include "libmailcore/filter/rule_ports.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::filter {

namespace detail {
class RuleMachine;
}

/// A file of the rules' folder. `name` is what errors and the log call it.
struct RuleFile {
    std::string name;
    std::string text;
};

/// What rules are made from: programs in the order in which they are asked, and lists that
/// `mail.list` finds by name.
struct RuleSource {
    std::vector<RuleFile> rules;
    std::vector<RuleFile> lists;
};

/// What one judgement by one rule may cost; above, it has failed, and `on_failure` says what then.
struct RuleLimits {
    /// Instructions of Lua's machine; copying, searching and decoding octets cost some too.
    std::uint64_t instructions_max = 2'000'000;
    std::size_t memory_max = 64 * 1024 * 1024;      ///< octets of Lua values, all rules of a loop
    std::size_t call_memory_max = 16 * 1024 * 1024; ///< octets of Lua values, one judgement
    std::chrono::milliseconds busy_max{250};        ///< without waiting: a loop serves nobody else
    std::chrono::milliseconds time_max{10'000};     ///< in all, with waiting
    OnFailure on_failure = OnFailure::Open;         ///< of rules that do not say it themselves
    /// Instructions between two looks at the budgets; 1 counts exactly.
    std::uint32_t look_every = 250;
};

/// All outlive the rules but a port that is absent: what needs it then fails or says so.
struct RulePorts {
    const base::Clock& clock;
    RuleNames* names = nullptr;
    RuleStore* store = nullptr;
    Log log;
};

/// One judgement, for those who test rules.
struct RuleReport {
    std::string_view rule; ///< "file.lua:12", where its function begins
    Stage stage;
    const Result<Verdict>& outcome;
    const Context& context; ///< with the edits of this rule
    std::uint64_t instructions = 0;
    std::chrono::nanoseconds busy{0};     ///< without waiting
    const std::vector<std::string>& said; ///< by mail.log and print
};

/// A set of rules, loaded once, for one loop. A reload loads another set: who is being judged keeps
/// the old one. Each file has globals of its own; nothing of io, os, debug or of loading code is
/// there. `load` may run on any thread; after that one scheduler's thread only.
class LuaRules {
  public:
    /// Runs each file, which registers its functions by `mail.on`. Rejected, with file and line:
    /// a file is wrong. Memory and time are bounded by `limits`.
    static Result<LuaRules> load(const RuleSource& source, const RuleLimits& limits,
                                 const RulePorts& ports);

    /// A filter for each function, in the order of files and of `mail.on`. They keep the rules.
    [[nodiscard]] std::vector<PipelineEntry> entries() const;
    /// Told of each judgement when it has ended.
    void set_observer(std::function<void(const RuleReport&)> observer);
    [[nodiscard]] std::size_t files() const { return files_; }
    /// Octets of Lua values held now.
    [[nodiscard]] std::size_t memory() const;

  private:
    LuaRules(std::shared_ptr<detail::RuleMachine> machine, std::size_t files)
        : machine_(std::move(machine)), files_(files) {}
    std::shared_ptr<detail::RuleMachine> machine_;
    std::size_t files_;
};

/// Loads each file alone and answers what is wrong with it, file by file; empty: all is well.
[[nodiscard]] std::vector<Error> check_rules(const RuleSource& source, const RuleLimits& limits,
                                             const base::Clock& clock);

/// The reference of what rules can call, in Markdown, from the table that makes it callable.
[[nodiscard]] std::string lua_api_manual();

} // namespace mailcore::filter
