// mdctl rule ...
#include "command.h"
#include "rule.h"
#include "table.h"

#include <fmt/format.h>

namespace mdctl {

namespace {

int rule_check(const Call& call) { return check_rule(call.arguments.words[0], call.json); }
int rule_test(const Call& call) {
    RuleTest test;
    test.rule = call.arguments.words[0];
    test.message = call.arguments.words[1];
    test.sender = call.arguments.value("from");
    if (const auto found = call.arguments.options.find("to"); found != call.arguments.options.end())
        test.recipients = found->second;
    test.ip = call.arguments.value("ip", "192.0.2.1");
    test.helo = call.arguments.value("helo", "client.example");
    test.account = call.arguments.value("account");
    if (const auto found = call.arguments.options.find("record");
        found != call.arguments.options.end())
        test.records = found->second;
    test.json = call.json;
    return test_rule(test);
}
int rule_replay(const Call& call) {
    auto request = replay_request(call.arguments.words[0], call.arguments.value("since", "7d"));
    if (call.arguments.has("limit")) request["limit"] = call.arguments.number("limit");
    const auto answer = ask(call.folder, request);
    if (call.json) return print_json(answer), 0;
    Table table({"received", "account", "sender", "subject", "verdict", "what"});
    for (const auto& row : answer["rows"]) {
        std::string what = text(row, "text");
        for (const auto& list : {"edits", "errors"})
            for (const auto& each : row[list])
                what += (what.empty() ? "" : "; ") + each.get<std::string>();
        table.row({text(row, "received"), text(row, "account"), "<" + text(row, "sender") + ">",
                   text(row, "subject").substr(0, 40), text(row, "verdict"), what.substr(0, 80)});
    }
    table.print("the rule would have done nothing");
    fmt::print("\n{} messages", text(answer, "messages"));
    for (const auto& [verdict, count] : answer["verdicts"].items())
        fmt::print(", {} {}", count.dump(), verdict);
    fmt::print("; the rule failed at {}\n", text(answer, "failed"));
    return 0;
}

} // namespace

std::vector<Command> rule_commands() {
    return {
        {"rule check", "FILE", "load a rule and say what is wrong with it", 1, 1, {}, rule_check},
        {"rule test",
         "FILE MESSAGE.eml [--from A] [--to A]... [--ip IP] [--helo NAME] [--account A] "
         "[--record LINE]...",
         "what a rule does to a message, stage by stage; `--record \"1.2.0.192.list.test A "
         "127.0.0.2\"`: what the DNS says",
         2,
         2,
         {"from", "to", "ip", "helo", "account", "record"},
         rule_test},
        {"rule replay",
         "FILE [--since 7d] [--limit N]",
         "what a rule would have done to the mail of the last days; nothing is changed",
         1,
         1,
         {"since", "limit"},
         rule_replay},
    };
}

} // namespace mdctl
