#include "libmailcore/filter/pipeline.h"

#include "tests/catch.h"
#include "tests/sim/virtual_scheduler.h"

#include <functional>
#include <optional>

using namespace mailcore;
using namespace std::chrono_literals;
using filter::Context;
using filter::Stage;
using filter::Verdict;

namespace {

/// A filter made of a lambda.
class Asked final : public filter::Filter {
  public:
    using Judge = std::function<Task<Result<Verdict>>(Context&)>;
    Asked(std::string name, Judge judge) : name_(std::move(name)), judge_(std::move(judge)) {}
    std::string_view name() const override { return name_; }
    filter::StageSet stages() const override { return {Stage::Message}; }
    Task<Result<Verdict>> judge(Stage, Context& context) override { return judge_(context); }

  private:
    std::string name_;
    Judge judge_;
};

Asked::Judge says(Verdict verdict) {
    return [verdict](Context&) -> Task<Result<Verdict>> { co_return verdict; };
}
Task<Result<Verdict>> slow(Context& context, Scheduler& scheduler) {
    context.score += 5;
    context.header_edits.push_back(filter::RemoveHeader{"A", 0});
    co_await base::sleep_until(scheduler.now() + 1h);
    co_return Verdict::accept();
}
Task<Result<Verdict>> failing(Context& context) {
    context.folder = "Elsewhere";
    co_return fail(ErrorKind::Unavailable, "rule.lua:3: oops");
}
Task<void> ask(const filter::Pipeline& pipeline, Context& context, std::optional<Verdict>& verdict) {
    verdict = co_await pipeline.judge(Stage::Message, context);
}

Verdict judged(std::vector<filter::PipelineEntry> entries, Context& context) {
    sim::VirtualScheduler scheduler;
    const filter::Pipeline pipeline(std::move(entries), Log{});
    std::optional<Verdict> verdict;
    Scope scope(scheduler);
    scope.spawn(ask(pipeline, context, verdict));
    scheduler.run_until(scheduler.now() + 1min);
    REQUIRE(verdict);
    return *verdict;
}

filter::PipelineEntry entry(std::string name, Asked::Judge judge,
                            filter::OnFailure on_failure = filter::OnFailure::Open) {
    return {std::make_shared<Asked>(std::move(name), std::move(judge)), on_failure, 10s};
}

} // namespace

TEST_CASE("the first verdict that is not continue ends the stage") {
    Context context;
    CHECK(judged({}, context).kind == Verdict::Kind::Continue);
    CHECK(judged({entry("a", says(Verdict::go_on()))}, context).kind == Verdict::Kind::Continue);
    const auto verdict = judged({entry("a", says(Verdict::go_on())), entry("b", says(Verdict::reject("no\r\nX: y"))),
                                 entry("c", says(Verdict::accept()))},
                                context);
    CHECK(verdict.kind == Verdict::Kind::Reject);
    CHECK(verdict.filter == "b");
    CHECK(verdict.text == "no  X: y"); // one line, whatever the rule says
}

TEST_CASE("a code that does not fit its verdict is put right") {
    Context context;
    CHECK(judged({entry("a", says(Verdict::reject("x", 250)))}, context).code == 550);
    CHECK(judged({entry("a", says(Verdict::defer("x", 550)))}, context).code == 451);
    CHECK(judged({entry("a", says(Verdict::reject("x", 554)))}, context).code == 554);
}

TEST_CASE("a filter that fails or is late leaves no edit and does as configured") {
    Context context;
    CHECK(judged({entry("a", failing), entry("b", says(Verdict::accept()))}, context).filter == "b");
    CHECK_FALSE(context.folder);
    const auto deferred = judged({entry("a", failing, filter::OnFailure::Defer), entry("b", says(Verdict::accept()))}, context);
    CHECK(deferred.kind == Verdict::Kind::Defer);
    CHECK(deferred.filter == "a");

    sim::VirtualScheduler scheduler;
    const filter::Pipeline pipeline(
        {entry("slow", [&](Context& c) { return slow(c, scheduler); }, filter::OnFailure::Defer)}, Log{});
    std::optional<Verdict> verdict;
    Scope scope(scheduler);
    scope.spawn(ask(pipeline, context, verdict));
    scheduler.run_until(scheduler.now() + 9s);
    CHECK_FALSE(verdict);
    scheduler.run_until(scheduler.now() + 2s);
    REQUIRE(verdict);
    CHECK(verdict->kind == Verdict::Kind::Defer);
    CHECK(context.score == 0);
    CHECK(context.header_edits.empty());
}

TEST_CASE("a judgement that is cancelled leaves nothing running") {
    sim::VirtualScheduler scheduler;
    Context context;
    const filter::Pipeline pipeline({entry("slow", [&](Context& c) { return slow(c, scheduler); })}, Log{});
    std::optional<Verdict> verdict;
    {
        Scope scope(scheduler);
        scope.spawn(ask(pipeline, context, verdict));
    }
    CHECK(scheduler.timers() == 0);
    CHECK_FALSE(verdict);
}

TEST_CASE("a text goes below a message whose body stays as it is") {
    const auto wrapped = filter::wrap_with_text("Subject: x\r\nContent-Type: text/html;\r\n charset=x\r\nTo: a\r\n", "Gru\xC3\x9F\n", "B");
    CHECK(wrapped.header == "Subject: x\r\nTo: a\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"B\"\r\n\r\n"
                            "--B\r\nContent-Type: text/html;\r\n charset=x\r\n\r\n");
    CHECK(wrapped.trailer == "\r\n--B\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: inline\r\n"
                             "Content-Transfer-Encoding: quoted-printable\r\n\r\nGru=C3=9F\r\n\r\n--B--\r\n");
}

TEST_CASE("header edits become octets and touch nothing else") {
    const std::string_view header = "A: 1\r\nSubject: x\r\n y\r\na : 2\r\nB: 3\r\n";
    using filter::AddHeader;
    using filter::HeaderEdit;
    using filter::RemoveHeader;
    using filter::ReplaceHeader;
    struct Case {
        const char* name;
        std::vector<HeaderEdit> edits;
        std::string expected;
    };
    const Case cases[] = {
        {"none", {}, std::string(header)},
        {"top", {AddHeader{"X", "y", AddHeader::Where::Top}}, "X: y\r\n" + std::string(header)},
        {"bottom", {AddHeader{"X", "y", AddHeader::Where::Bottom}}, std::string(header) + "X: y\r\n"},
        {"injection", {AddHeader{"X", "y\r\nEvil: 1", AddHeader::Where::Top}}, "X: y Evil: 1\r\n" + std::string(header)},
        {"remove all", {RemoveHeader{"A", 0}}, "Subject: x\r\n y\r\nB: 3\r\n"},
        {"remove second", {RemoveHeader{"A", 2}}, "A: 1\r\nSubject: x\r\n y\r\nB: 3\r\n"},
        {"replace", {ReplaceHeader{"subject", "new"}}, "A: 1\r\nsubject: new\r\na : 2\r\nB: 3\r\n"},
        {"replace what is not there", {ReplaceHeader{"C", "4"}}, std::string(header) + "C: 4\r\n"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(filter::apply_edits(header, c.edits) == c.expected);
    }
    const auto folded = filter::apply_edits("", {AddHeader{"X", std::string(60, 'a') + " " + std::string(60, 'b'), {}}});
    CHECK(folded == "X: " + std::string(60, 'a') + "\r\n " + std::string(60, 'b') + "\r\n");
    CHECK(filter::is_header_name("X-Spam"));
    CHECK_FALSE(filter::is_header_name("X Spam"));
    CHECK_FALSE(filter::is_header_name("X:"));
    CHECK_FALSE(filter::is_header_name(""));
}
