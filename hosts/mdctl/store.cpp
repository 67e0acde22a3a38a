// mdctl store ...
#include "command.h"

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

} // namespace

std::vector<Command> store_commands() {
    return {
        {"store check", "", "compare everything with everything", 0, 0, {}, store_check},
        {"store rebuild", "", "make the index anew from the journal", 0, 0, {}, store_rebuild},
    };
}

} // namespace mdctl
