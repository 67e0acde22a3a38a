// mdctl store ...
#include "command.h"
#include "table.h"

#include <fmt/format.h>

namespace mdctl {

namespace {

int store_check(const Call& call) {
    if (!call.json) fmt::print(stderr, "checking; a large store takes a while ...\n");
    const auto answer = ask(call.folder, {{"method", "store.check"}});
    const auto& problems = answer["problems"];
    if (call.json)
        print_json(answer);
    else {
        for (const auto& problem : problems) fmt::print("{}\n", problem.get<std::string>());
        fmt::print("{} accounts, {} problems\n", text(answer, "accounts"), problems.size());
    }
    return problems.empty() ? 0 : 1;
}
int store_rebuild(const Call& call) {
    if (!call.json) fmt::print(stderr, "rebuilding the index from the journal ...\n");
    return done(call, ask(call.folder, {{"method", "store.rebuild"}}), "the index is rebuilt");
}
int store_compact(const Call& call) {
    if (!call.json) fmt::print(stderr, "compacting; a large store takes a while ...\n");
    const bool now = call.arguments.has("now");
    const auto answer = ask(call.folder, {{"method", "store.compact"}, {"now", now}});
    return done(call, answer,
                fmt::format("{} messages moved ({}), {} files removed ({})", text(answer, "bodies"),
                            octets(answer["body_octets"]), text(answer, "segments"),
                            octets(answer["octets"])));
}
int store_scrub(const Call& call) {
    return done(call, ask(call.folder, {{"method", "store.scrub"}}),
                "all mail is being read and checked; 'mdctl status' says how far it is");
}

} // namespace

std::vector<Command> store_commands() {
    return {
        {"store check", "", "compare everything with everything", 0, 0, {}, store_check},
        {"store compact",
         "[--now]",
         "give back disk space; --now: also of mail that could still be restored",
         0,
         0,
         {"now!"},
         store_compact},
        {"store rebuild", "", "make the index anew from the journal", 0, 0, {}, store_rebuild},
        {"store scrub", "", "read all mail in the background and check it", 0, 0, {}, store_scrub},
    };
}

} // namespace mdctl
