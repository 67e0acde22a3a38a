#include "libmailcore/filter/rule_trial.h"

#include "tests/catch.h"
#include "tests/filter/rule_bench.h"

using namespace mailcore;
using filter::RuleBench;
using filter::Stage;
using filter::Verdict;

namespace {

filter::TrialResult tried(RuleBench& bench) {
    auto loaded = bench.load();
    REQUIRE(loaded);
    auto rules = std::move(*loaded);
    std::optional<filter::TrialResult> result;
    Scope scope(bench.scheduler);
    const auto run = [](filter::LuaRules& all, filter::Context& context, std::optional<filter::TrialResult>& into) -> Task<void> {
        into = co_await filter::try_rules(all, context);
    };
    scope.spawn(run(rules, bench.context, result));
    bench.scheduler.run_until(bench.scheduler.now() + std::chrono::minutes{1});
    REQUIRE(result);
    return std::move(*result);
}

} // namespace

TEST_CASE("a trial tells what each rule does at each stage") {
    RuleBench bench("mail.on('helo', function(ctx) mail.log(ctx.helo .. '/' .. ctx.sender) end)\n"
                    "mail.on('rcpt', function(ctx) if ctx.recipient:find('^bad') then return mail.reject('no') end end)\n"
                    "mail.on('headers', function(ctx) ctx:add_header('X-A', '1') end)\n"
                    "mail.on('message', function(ctx) ctx:replace_header('Subject', 'new') ctx.score = 2 end)\n"
                    "mail.on('message', function(ctx) ctx:add_header('X-B', '1') error('oops') end)\n"
                    "mail.on('deliver', function(ctx) ctx.folder = 'Lists' end)\n");
    bench.set_message("Subject: old\r\n\r\nbody\r\n");
    bench.context.helo = "h.test";
    bench.context.sender = "s@x.test";
    bench.context.recipients = {"bad@x.test", "good@x.test"};
    const auto result = tried(bench);
    CHECK(result.verdict.kind == Verdict::Kind::Continue);
    CHECK(result.header == "X-A: 1\r\nSubject: new\r\n");
    REQUIRE(result.steps.size() == 7);
    CHECK(result.steps[0].said == std::vector<std::string>{"h.test/"});
    CHECK(result.steps[1].verdict.kind == Verdict::Kind::Reject);
    CHECK(result.steps[1].recipient == "bad@x.test");
    CHECK(result.steps[3].edits == std::vector<std::string>{"add header X-A: 1"});
    CHECK(result.steps[4].edits == std::vector<std::string>{"replace header Subject: new", "score 2"});
    CHECK(result.steps[5].error == "rule.lua:5: oops");
    CHECK(result.steps[6].edits == std::vector<std::string>{"folder Lists"});
}

TEST_CASE("a trial ends with the verdict that ends the mail") {
    RuleBench bench("mail.on('message', function(ctx) return mail.quarantine() end)\n"
                    "mail.on('deliver', function(ctx) error('never') end)");
    bench.set_message("Subject: old\r\n\r\nbody\r\n");
    bench.context.recipients = {"a@x.test"};
    const auto result = tried(bench);
    CHECK(result.verdict.kind == Verdict::Kind::Quarantine);
    CHECK(result.stage == Stage::Message);
    CHECK(result.steps.size() == 1);
}
