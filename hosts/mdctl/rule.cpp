#include "rule.h"

#include "libmailcore/base/file.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/filter/rule_folder.h"
#include "libmailcore/server/message_trial.h"

#include <fmt/format.h>

namespace mdctl {

using namespace mailcore;

namespace {

std::string read(const std::string& path, std::uint64_t octets_max) {
    base::PosixFileSystem files;
    auto text = base::read_file(files, path, octets_max);
    if (!text) stop(text.error().detail, 2);
    return std::move(*text);
}

/// The rule, whatever its name ends in, and the lists beside it (those of examples too).
filter::RuleSource source_of(const std::string& path) {
    const auto slash = path.rfind('/');
    const auto folder = slash == std::string::npos ? std::string(".") : path.substr(0, slash);
    filter::RuleSource source;
    source.rules.push_back({path.substr(slash == std::string::npos ? 0 : slash + 1),
                            read(path, filter::rule_file_octets_max)});
    base::PosixFileSystem files;
    const auto names = files.list(folder);
    if (!names) return source;
    constexpr std::string_view example = ".example";
    for (const auto& name : *names) {
        auto list = name.ends_with(example) ? name.substr(0, name.size() - example.size()) : name;
        if (list.ends_with(".txt"))
            source.lists.push_back(
                {std::move(list), read(folder + "/" + name, filter::rule_file_octets_max)});
    }
    return source;
}

std::string milliseconds(std::chrono::nanoseconds time) {
    constexpr double nanoseconds_each = 1e6;
    return fmt::format("{:.3f} ms", static_cast<double>(time.count()) / nanoseconds_each);
}

void print_step(const filter::TrialStep& step) {
    fmt::print("{:<8} {:<24} {:>9} instructions  {:>9}  {}\n", to_string(step.stage), step.rule,
               step.instructions, milliseconds(step.busy), step.recipient);
    for (const auto& text : step.said) fmt::print("    says    {}\n", text);
    for (const auto& edit : step.edits) fmt::print("    edit    {}\n", edit);
    if (!step.error.empty()) {
        fmt::print("    FAILED  {}\n", step.error);
        return;
    }
    const auto& verdict = step.verdict;
    if (verdict.kind == filter::Verdict::Kind::Continue) return;
    fmt::print("    {}{}\n", to_string(verdict.kind),
               verdict.refuses()
                   ? fmt::format("  {} {} {}", verdict.code, verdict.enhanced, verdict.text)
                   : (verdict.target.empty() ? "" : "  " + verdict.target));
}

} // namespace

int check_rule(const std::string& path, bool json) {
    const base::SystemClock clock;
    const auto problems = filter::check_rules(source_of(path), {}, clock);
    if (json) {
        Json list = Json::array();
        for (const auto& problem : problems) list.push_back(problem.detail);
        fmt::print("{}\n", Json{{"problems", std::move(list)}}.dump());
    } else {
        for (const auto& problem : problems) fmt::print("{}\n", problem.detail);
        if (problems.empty()) fmt::print("{} is in order\n", path);
    }
    return problems.empty() ? 0 : 1;
}

int test_rule(const RuleTest& test) {
    constexpr std::uint64_t message_octets_max = 256 * 1024 * 1024;
    server::MessageTrial trial;
    trial.source = source_of(test.rule);
    trial.message = read(test.message, message_octets_max);
    trial.sender = test.sender;
    trial.recipients = test.recipients;
    trial.ip = test.ip;
    trial.helo = test.helo;
    trial.account = test.account;
    trial.records = test.records;
    const auto tried = server::try_message(trial);
    if (!tried) stop(tried.error().detail, tried.error().kind == ErrorKind::Rejected ? 2 : 1);

    if (test.json) {
        fmt::print("{}\n", Json::parse(server::to_json(*tried)).dump(2));
        return tried->failed() ? 1 : 0;
    }
    const auto& result = tried->result;
    for (const auto& step : result.steps) print_step(step);
    if (result.steps.empty()) fmt::print("no rule was asked\n");
    if (!tried->header_changes.empty()) fmt::print("\nheader\n");
    for (const auto& line : tried->header_changes) fmt::print("  {}\n", line);
    if (!result.appended_text.empty()) fmt::print("\nbelow\n{}\n", result.appended_text);
    fmt::print("\n{}\n", result.verdict.kind == filter::Verdict::Kind::Continue
                             ? "taken and delivered as usual"
                             : to_string(result.verdict.kind));
    return tried->failed() ? 1 : 0;
}

Json replay_request(const std::string& path, const std::string& since) {
    const char unit = since.empty() ? '\0' : since.back();
    const std::uint64_t each = unit == 's'   ? 1
                               : unit == 'm' ? 60
                               : unit == 'h' ? 3600
                               : unit == 'd' ? 86'400
                                             : 0;
    const auto number = codec::parse_u64(since.substr(0, since.empty() ? 0 : since.size() - 1));
    constexpr std::uint64_t number_max = 1'000'000;
    if (!number || each == 0 || *number > number_max)
        stop("--since: expected a time like 7d, 12h, 30m, not " + since, 2);
    const auto source = source_of(path);
    Json names = Json::array();
    Json texts = Json::array();
    for (const auto& list : source.lists) {
        names.push_back(list.name);
        texts.push_back(list.text);
    }
    return Json{{"method", "rule.replay"},        {"name", source.rules[0].name},
                {"rule", source.rules[0].text},   {"list_names", std::move(names)},
                {"list_texts", std::move(texts)}, {"seconds", *number * each}};
}

} // namespace mdctl
