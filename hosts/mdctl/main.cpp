// mdctl: the command line of mdserver.
#include "command.h"

#include "libmailcore/base/version.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <iterator>
#include <span>
#include <string>
#include <vector>

using namespace mdctl;

namespace {

int manual(const Call&); // prints the table below

/// In the order of the manual.
const std::vector<Command>& commands() {
    static const std::vector<Command> table = [] {
        std::vector<Command> all;
        for (const auto group :
             {init_commands, account_commands, domain_commands, queue_commands, rule_commands,
              transfer_commands, running_commands, store_commands, backup_commands})
            std::ranges::move(group(), std::back_inserter(all));
        all.push_back({"manual", "", "print this reference as Markdown", 0, 0, {}, manual});
        return all;
    }();
    return table;
}

/// Whether `name` is the command, or one of the group, that `words` begin with.
bool belongs(std::string_view name, std::string_view words) {
    return name.starts_with(words) &&
           (name.size() == words.size() || words.empty() || name[words.size()] == ' ');
}

std::vector<std::string> words_of(std::string_view name) {
    std::vector<std::string> words;
    for (const char c : name) {
        if (c == ' ' || words.empty()) words.emplace_back();
        if (c != ' ') words.back() += c;
    }
    return words;
}

/// Whether a call begins with the command's name.
bool is_called(const Command& command, const std::vector<std::string>& call) {
    const auto name = words_of(command.name);
    return call.size() >= name.size() && std::equal(name.begin(), name.end(), call.begin());
}

/// The reference of all commands as Markdown: hosts/mdctl/mdctl.md.
int manual(const Call&) {
    fmt::print(
        "# mdctl\n\n"
        "Rules an mdserver: over its control socket while it runs, on its store while it does "
        "not. This page is printed by `mdctl manual`.\n\n"
        "    mdctl [-d DIR] [--json] COMMAND ...\n\n"
        "`DIR` is the data folder (default: `$MDSERVER_DIR`, else `/var/lib/mdserver`). "
        "`--json` prints the whole answer for machines. Exit status: 0 done, 1 refused, 2 "
        "wrong call, 3 not found.\n\n| command | what it does |\n|---|---|\n");
    for (const auto& command : commands()) {
        std::string usage;
        for (const char* c = command.usage; *c; ++c) {
            if (*c == '|') usage += '\\';
            usage += *c;
        }
        fmt::print("| `{}{}{}` | {} |\n", command.name, usage.empty() ? "" : " ", usage,
                   command.summary);
    }
    fmt::print("\n{}", transfer_manual());
    return 0;
}

void print_help(std::FILE* to, std::string_view only = {}) {
    if (only.empty())
        fmt::print(
            to,
            "usage: mdctl [-d DIR] [--json] COMMAND ...\n\n"
            "DIR is the server's data folder (default: $MDSERVER_DIR, else /var/lib/mdserver).\n"
            "--json prints the whole answer for machines. Exit status: 0 done, 1 refused, 2 wrong "
            "call, 3 not found.\n\n");
    for (const auto& command : commands())
        if (belongs(command.name, only))
            fmt::print(to, "  {}{}{}\n      {}\n", command.name, *command.usage ? " " : "",
                       command.usage, command.summary);
}

} // namespace

int main(int argc, char** argv) {
    Call call;
    const char* from_environment = std::getenv("MDSERVER_DIR");
    call.folder = from_environment ? from_environment : "/var/lib/mdserver";
    std::vector<std::string> words;
    bool help = false;
    const std::span all(argv, static_cast<std::size_t>(argc));
    std::size_t at = 1;
    // Options of mdctl itself may stand anywhere; those of a command are known once it is.
    std::vector<std::string> rest;
    for (; at < all.size(); ++at) {
        const std::string word = all[at];
        if (word == "-d" && at + 1 < all.size())
            call.folder = all[++at];
        else if (word == "--json")
            call.json = true;
        else if (word == "--help" || word == "-h")
            help = true;
        else
            rest.push_back(word);
    }
    if (rest.empty() || rest[0] == "help") {
        std::string only;
        for (std::size_t i = 1; i < rest.size(); ++i) only += (only.empty() ? "" : " ") + rest[i];
        print_help(rest.empty() && !help ? stderr : stdout, only);
        return rest.empty() && !help ? 2 : 0;
    }
    if (rest[0] == "version" || rest[0] == "--version") {
        fmt::print("mdctl {}\n", mailcore::version());
        return 0;
    }
    // Of "backup" and "backup verify" the longer one.
    const Command* found = nullptr;
    for (const auto& command : commands())
        if (is_called(command, rest) && (!found || std::string_view(command.name).size() >
                                                       std::string_view(found->name).size()))
            found = &command;
    if (found) {
        const auto& command = *found;
        if (help) {
            print_help(stdout, command.name);
            return 0;
        }
        for (std::size_t i = words_of(command.name).size(); i < rest.size(); ++i) {
            if (!rest[i].starts_with("--")) {
                call.arguments.words.push_back(rest[i]);
                continue;
            }
            auto option = rest[i].substr(2);
            const auto& known = command.options;
            if (std::ranges::find(known, option + "!") != known.end()) {
                call.arguments.options[option].emplace_back();
            } else if (std::ranges::find(known, option) != known.end() && i + 1 < rest.size()) {
                call.arguments.options[option].push_back(rest[++i]);
            } else {
                stop(fmt::format("{}: no option {}, or its value is missing\n  usage: mdctl {} {}",
                                 command.name, rest[i], command.name, command.usage),
                     2);
            }
        }
        const auto count = call.arguments.words.size();
        if (count < command.words_min || count > command.words_max)
            stop(fmt::format("usage: mdctl {} {}", command.name, command.usage), 2);
        return command.run(call);
    }
    const bool group = std::ranges::any_of(
        commands(), [&](const Command& command) { return belongs(command.name, rest[0]); });
    if (group && help) {
        print_help(stdout, rest[0]);
        return 0;
    }
    if (group) {
        fmt::print(stderr, "mdctl: {} what?\n", rest[0]);
        print_help(stderr, rest[0]);
    } else {
        fmt::print(stderr, "mdctl: no command \"{}\"; all of them: mdctl help\n", rest[0]);
    }
    return 2;
}
