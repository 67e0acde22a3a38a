// mdctl alias ..., mdctl domain ...
#include "command.h"
#include "table.h"

namespace mdctl {

namespace {

int alias_add(const Call& call) {
    const auto& words = call.arguments.words;
    const std::vector<std::string> targets(words.begin() + 1, words.end());
    return done(
        call,
        ask(call.folder, {{"method", "alias.set"}, {"address", words[0]}, {"targets", targets}}),
        words[0] + " is an alias");
}
int alias_list(const Call& call) {
    const auto answer = ask(call.folder, {{"method", "alias.list"}});
    if (call.json) return print_json(answer), 0;
    Table table({"alias", "leads to"});
    for (const auto& row : answer["aliases"]) {
        std::string targets;
        for (const auto& target : row["targets"])
            targets += (targets.empty() ? "" : ", ") + target.get<std::string>();
        table.row({text(row, "address"), targets});
    }
    table.print("no aliases");
    return 0;
}
int alias_remove(const Call& call) {
    const auto& address = call.arguments.words[0];
    return done(call, ask(call.folder, {{"method", "alias.remove"}, {"address", address}}),
                "removed " + address);
}

int domain_add(const Call& call) {
    Json request{{"method", "domain.add"}, {"name", call.arguments.words[0]}};
    if (call.arguments.has("catch-all")) request["catch_all"] = call.arguments.value("catch-all");
    if (call.arguments.has("alias-of")) request["alias_of"] = call.arguments.value("alias-of");
    return done(call, ask(call.folder, request), "added " + call.arguments.words[0]);
}
int domain_list(const Call& call) {
    const auto answer = ask(call.folder, {{"method", "domain.list"}});
    if (call.json) return print_json(answer), 0;
    Table table({"domain", "catch-all", "state"});
    for (const auto& row : answer["domains"])
        table.row({text(row, "name"), text(row, "catch_all"),
                   row["disabled"] == true ? "disabled" : "active"});
    table.print("no domains; add one with: mdctl domain add NAME");
    return 0;
}
int domain_set(const Call& call) {
    Json request{{"method", "domain.set"}, {"name", call.arguments.words[0]}};
    if (call.arguments.has("catch-all")) request["catch_all"] = call.arguments.value("catch-all");
    if (call.arguments.has("disable")) request["disabled"] = true;
    if (call.arguments.has("enable")) request["disabled"] = false;
    return done(call, ask(call.folder, request), call.arguments.words[0] + " is changed");
}
int domain_remove(const Call& call) {
    return done(call,
                ask(call.folder, {{"method", "domain.remove"}, {"name", call.arguments.words[0]}}),
                "removed " + call.arguments.words[0]);
}

} // namespace

std::vector<Command> domain_commands() {
    return {
        {"alias add",
         "ADDRESS TARGET...",
         "an address that leads to others",
         2,
         1000,
         {},
         alias_add},
        {"alias list", "", "all aliases", 0, 0, {}, alias_list},
        {"alias remove", "ADDRESS", "remove an alias", 1, 1, {}, alias_remove},
        {"domain add",
         "NAME [--catch-all ADDRESS] [--alias-of NAME]",
         "take mail for a domain",
         1,
         1,
         {"catch-all", "alias-of"},
         domain_add},
        {"domain list", "", "all domains", 0, 0, {}, domain_list},
        {"domain set",
         "NAME [--catch-all ADDRESS] [--disable] [--enable]",
         "change a domain",
         1,
         1,
         {"catch-all", "disable!", "enable!"},
         domain_set},
        {"domain remove", "NAME", "take no more mail for it", 1, 1, {}, domain_remove},
    };
}

} // namespace mdctl
