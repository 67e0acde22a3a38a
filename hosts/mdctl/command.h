// What a command of mdctl is, and what all of them use.
#pragma once

#include "client.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mdctl {

/// What follows the command: words, and options with a value or without.
struct Arguments {
    std::vector<std::string> words;
    std::map<std::string, std::vector<std::string>> options;

    [[nodiscard]] bool has(const std::string& name) const { return options.contains(name); }
    [[nodiscard]] std::string value(const std::string& name,
                                    const std::string& fallback = {}) const {
        const auto found = options.find(name);
        return found == options.end() ? fallback : found->second.back();
    }
    /// A whole number; 0 without the option. Anything else ends the program.
    [[nodiscard]] std::uint64_t number(const std::string& name) const;
};

struct Call {
    std::string folder;
    bool json = false;
    Arguments arguments;
};

struct Command {
    const char* name;  // "account add"
    const char* usage; // what follows it
    const char* summary;
    std::size_t words_min, words_max;
    std::vector<std::string> options; // with a value; those ending in "!" have none
    int (*run)(const Call&);
};

/// One group each; `rule` is in rule_command.cpp, since rule.cpp works without a server.
std::vector<Command> account_commands();
std::vector<Command> backup_commands(); // and restore
std::vector<Command> domain_commands(); // and aliases
std::vector<Command> init_commands();
std::vector<Command> queue_commands();
std::vector<Command> rule_commands();
std::vector<Command> running_commands();
std::vector<Command> store_commands();
std::vector<Command> transfer_commands();

/// What the manual says of export and import beside their lines in the table.
const char* transfer_manual();

void print_json(const Json& json);
/// Prints the answer as JSON, or `said`. The exit status.
int done(const Call& call, const Json& answer, const std::string& said);
/// A field of an answer, for people.
std::string text(const Json& row, const char* field);
/// From --password-file, or asked for twice on the terminal.
std::string read_password(const Arguments& arguments);

} // namespace mdctl
