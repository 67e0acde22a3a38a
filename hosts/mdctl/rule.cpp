#include "rule.h"

#include "libmailcore/base/file.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/delivery/rule_names.h"
#include "libmailcore/dns/zone.h"
#include "libmailcore/filter/memory_rule_store.h"
#include "libmailcore/filter/rule_folder.h"
#include "libmailcore/filter/rule_trial.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/parser.h"
#include "libmailcore/net/loops.h"

#include <fmt/format.h>
#include <future>
#include <memory>

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

/// A message from a file, whose lines may end as this machine's do.
std::string read_message(const std::string& path) {
    constexpr std::uint64_t octets_max = 256 * 1024 * 1024;
    const auto text = read(path, octets_max);
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) out += '\r';
        out += text[i];
    }
    return out;
}

class FileOctets final : public filter::MessageOctets {
  public:
    explicit FileOctets(const std::string& text) : text_(text) {}
    std::uint64_t size() const override { return text_.size(); }
    Task<Result<std::string>> read(std::uint64_t offset, std::size_t octets) override {
        if (offset >= text_.size()) co_return std::string{};
        co_return text_.substr(static_cast<std::size_t>(offset), octets);
    }

  private:
    const std::string& text_; // the caller's
};

Task<void> run(filter::LuaRules& rules, filter::Context& context,
               std::promise<filter::TrialResult>& done) {
    auto result = co_await filter::try_rules(rules, context);
    done.set_value(std::move(result));
}

std::string milliseconds(std::chrono::nanoseconds time) {
    constexpr double nanoseconds_each = 1e6;
    return fmt::format("{:.3f} ms", static_cast<double>(time.count()) / nanoseconds_each);
}

Json to_json(const filter::TrialStep& step) {
    return Json{{"rule", step.rule},
                {"stage", to_string(step.stage)},
                {"recipient", step.recipient},
                {"verdict", to_string(step.verdict.kind)},
                {"code", step.verdict.code},
                {"enhanced", step.verdict.enhanced},
                {"text", step.verdict.text},
                {"target", step.verdict.target},
                {"error", step.error},
                {"edits", step.edits},
                {"said", step.said},
                {"instructions", step.instructions},
                {"nanoseconds", step.busy.count()}};
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

std::vector<std::string> fields_of(const std::string& header) {
    std::vector<std::string> fields;
    mime::HeaderScanner scanner(header);
    while (auto field = scanner.next()) {
        auto text = header.substr(field->offset, field->octets);
        while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
        fields.push_back(std::move(text));
    }
    return fields;
}

/// Fields that went and came, in the order of the longer list; "-" and "+" before them.
std::vector<std::string> difference(const std::string& before, const std::string& after) {
    const auto old_fields = fields_of(before);
    const auto new_fields = fields_of(after);
    std::vector<std::string> lines;
    auto rest = new_fields;
    for (const auto& field : old_fields)
        if (const auto same = std::ranges::find(rest, field); same != rest.end())
            rest.erase(same);
        else
            lines.push_back("- " + field);
    for (const auto& field : rest) lines.push_back("+ " + field);
    return lines;
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
    const auto message = read_message(test.message);
    const auto structure = mime::parse(message);
    FileOctets octets(message);
    filter::Context context;
    const auto address = IpAddress::parse(test.ip);
    if (!address) stop("--ip: not an address: " + test.ip, 2);
    context.peer.transport = PeerInfo::Transport::Tcp;
    context.peer.address = *address;
    context.helo = test.helo;
    context.account = test.account;
    context.submission = !test.account.empty();
    context.sender = test.sender;
    context.recipients = test.recipients;
    const auto add = [&](const auto& list, auto take) {
        for (const auto& each : list)
            if (each.kind == mime::Address::Kind::Mailbox)
                take(std::string(each.local) + "@" + std::string(each.domain));
    };
    if (context.sender.empty())
        add(structure.envelope().from.first(
                std::min<std::size_t>(1, structure.envelope().from.size())),
            [&](std::string from) { context.sender = std::move(from); });
    if (context.recipients.empty())
        add(structure.envelope().to,
            [&](std::string to) { context.recipients.push_back(std::move(to)); });
    context.header = message.substr(0, mime::header_octets(message));
    if (context.header.ends_with("\r\n\r\n")) context.header.resize(context.header.size() - 2);
    const auto header = context.header;
    context.size = message.size();
    context.structure = &structure;
    context.octets = &octets;

    dns::Zone zone;
    for (const auto& record : test.records)
        if (const auto added = zone.add(record); !added)
            stop(fmt::format("--record: {} expected at {}: {}", added.error().expected,
                             added.error().offset, record),
                 2);
    auto loops = net::Loops::create({1, 1});
    if (!loops) stop(loops.error().detail);
    auto& loop = (**loops)[0];
    delivery::ResolverNames names(zone);
    filter::MemoryRuleStore store(loop);
    filter::RuleLimits limits;
    limits.look_every = 1; // counts exactly
    auto rules = filter::LuaRules::load(source_of(test.rule), limits, {loop, &names, &store, {}});
    if (!rules) stop(rules.error().detail);

    (*loops)->start();
    std::unique_ptr<Scope> scope; // lives on the loop
    std::promise<filter::TrialResult> done;
    loop.post([&] {
        scope = std::make_unique<Scope>(loop);
        scope->spawn(run(*rules, context, done));
    });
    const auto result = done.get_future().get();
    std::promise<void> gone;
    loop.post([&] {
        scope.reset();
        gone.set_value();
    });
    gone.get_future().wait();
    (*loops)->stop();

    const auto changes = difference(header, result.header);
    bool failed = false;
    Json steps = Json::array();
    for (const auto& step : result.steps) {
        failed = failed || !step.error.empty();
        if (test.json)
            steps.push_back(to_json(step));
        else
            print_step(step);
    }
    if (test.json) {
        fmt::print("{}\n", Json{{"steps", std::move(steps)},
                                {"verdict", to_string(result.verdict.kind)},
                                {"header_changes", changes},
                                {"appended_text", result.appended_text}}
                               .dump(2, ' ', false, Json::error_handler_t::replace));
        return failed ? 1 : 0;
    }
    if (result.steps.empty()) fmt::print("no rule was asked\n");
    if (!changes.empty()) fmt::print("\nheader\n");
    for (const auto& line : changes) fmt::print("  {}\n", line);
    if (!result.appended_text.empty()) fmt::print("\nbelow\n{}\n", result.appended_text);
    fmt::print("\n{}\n", result.verdict.kind == filter::Verdict::Kind::Continue
                             ? "taken and delivered as usual"
                             : to_string(result.verdict.kind));
    return failed ? 1 : 0;
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
