#include "libmailcore/filter/rule_trial.h"

#include "libmailcore/base/overloaded.h"

#include <fmt/format.h>

namespace mailcore::filter {

namespace {

constexpr std::size_t steps_max = 10'000;

std::string edit_text(const HeaderEdit& edit) {
    return std::visit(
        overloaded{
            [](const AddHeader& add) {
                return fmt::format("add header {}: {}", add.name, add.value);
            },
            [](const RemoveHeader& remove) {
                return remove.occurrence == 0
                           ? "remove header " + remove.name
                           : fmt::format("remove header {} ({})", remove.name, remove.occurrence);
            },
            [](const ReplaceHeader& replace) {
                return fmt::format("replace header {}: {}", replace.name, replace.value);
            },
        },
        edit);
}

/// What a rule has asked for, as texts, by comparing before and after.
class Changes {
  public:
    explicit Changes(const Context& context) { see(context); }
    std::vector<std::string> since(const Context& context) {
        std::vector<std::string> changes;
        for (auto i = edits_; i < context.header_edits.size(); ++i)
            changes.push_back(edit_text(context.header_edits[i]));
        for (auto i = added_; i < context.added_recipients.size(); ++i)
            changes.push_back("add recipient " + context.added_recipients[i]);
        for (auto i = removed_; i < context.removed_recipients.size(); ++i)
            changes.push_back("remove recipient " + context.removed_recipients[i]);
        for (auto i = tags_; i < context.tags.size(); ++i)
            changes.push_back("tag " + context.tags[i]);
        for (const auto& [domain, to] : context.routes)
            if (const auto old = routes_.find(domain); old == routes_.end() || old->second != to)
                changes.push_back(fmt::format("route {} to {}", domain, to));
        if (context.folder && context.folder != folder_)
            changes.push_back("folder " + *context.folder);
        if (context.score != score_) changes.push_back(fmt::format("score {}", context.score));
        if (context.appended_text.size() > text_) changes.emplace_back("append a text");
        see(context);
        return changes;
    }

  private:
    void see(const Context& context) {
        edits_ = context.header_edits.size();
        added_ = context.added_recipients.size();
        removed_ = context.removed_recipients.size();
        tags_ = context.tags.size();
        text_ = context.appended_text.size();
        routes_ = context.routes;
        folder_ = context.folder;
        score_ = context.score;
    }
    std::size_t edits_ = 0, added_ = 0, removed_ = 0, tags_ = 0, text_ = 0;
    std::map<std::string, std::string, std::less<>> routes_;
    std::optional<std::string> folder_;
    double score_ = 0;
};

/// One trial, with what stages must not see yet put aside.
struct Trial {
    Trial(const LuaRules& rules, Context& a_context)
        : pipeline(rules.entries(), Log{}), context(a_context), changes(a_context) {}

    void note(const RuleReport& report) {
        if (result.steps.size() >= steps_max) return;
        TrialStep step;
        step.rule = report.rule;
        step.stage = report.stage;
        step.recipient = report.context.recipient;
        if (report.outcome)
            step.verdict = *report.outcome;
        else
            step.error = report.outcome.error().detail;
        if (report.outcome) step.edits = changes.since(report.context);
        step.said = report.said;
        step.instructions = report.instructions;
        step.busy = report.busy;
        result.steps.push_back(std::move(step));
    }
    Task<bool> ends(Stage stage);

    Pipeline pipeline;
    Context& context;
    Changes changes;
    TrialResult result;
};

/// Whether that was the last stage.
Task<bool> Trial::ends(Stage stage) {
    if (!pipeline.wants(stage)) co_return false;
    auto verdict = co_await pipeline.judge(stage, context);
    changes.since(context); // what a failed rule had done is undone
    const bool later = stage >= Stage::Headers;
    const bool over = verdict.refuses() || (later && verdict.kind != Verdict::Kind::Continue &&
                                            verdict.kind != Verdict::Kind::Accept);
    if (!over) co_return false;
    result.verdict = std::move(verdict);
    result.stage = stage;
    co_return true;
}

Task<void> run(Trial& trial) {
    auto& context = trial.context;
    const auto recipients = std::exchange(context.recipients, {});
    const auto sender = std::exchange(context.sender, {});
    const auto helo = std::exchange(context.helo, {});
    const auto header = std::exchange(context.header, {});
    for (const auto stage : {Stage::Connect, Stage::Helo, Stage::Auth, Stage::Mail}) {
        if (stage == Stage::Helo) context.helo = helo;
        if (stage == Stage::Mail) context.sender = sender;
        if (stage == Stage::Auth && context.account.empty()) continue;
        const bool over = co_await trial.ends(stage);
        if (over) co_return;
    }
    for (const auto& recipient : recipients) {
        context.recipient = recipient;
        const bool refused = co_await trial.ends(Stage::Rcpt);
        if (!refused) context.recipients.push_back(recipient);
    }
    context.recipient.clear();
    if (context.recipients.empty() && !recipients.empty()) co_return;
    trial.result.verdict = {};
    context.header = header;
    for (const auto stage : {Stage::Headers, Stage::Message}) {
        const bool over = co_await trial.ends(stage);
        context.header = apply_edits(context.header, context.header_edits);
        context.header_edits.clear();
        trial.changes.since(context);
        if (over) co_return;
    }
    for (const auto& recipient : context.recipients) {
        context.recipient = recipient;
        const bool over = co_await trial.ends(Stage::Deliver);
        if (over) co_return;
    }
    trial.result.stage = Stage::Deliver;
}

} // namespace

Task<TrialResult> try_rules(LuaRules& rules, Context& context) {
    Trial trial(rules, context);
    const auto header = context.header;
    rules.set_observer([&trial](const RuleReport& report) { trial.note(report); });
    struct Guard {
        LuaRules& rules;
        explicit Guard(LuaRules& r) : rules(r) {}
        ~Guard() { rules.set_observer({}); }
    } const guard(rules);
    co_await run(trial);
    trial.result.header = context.header.empty() ? header : context.header;
    trial.result.appended_text = context.appended_text;
    co_return std::move(trial.result);
}

} // namespace mailcore::filter
