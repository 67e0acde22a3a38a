#include "libmailcore/pop3/command.h"

#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

std::span<const CommandRow> command_table() {
    using E = ServerEngine;
    static constexpr CommandRow rows[] = {
        // verb  states  words   plaintext  handler    source
        {"USER", "A", 1, 255, true, &E::user, "RFC 1939 §7"},
        {"PASS", "A", 1, 255, true, &E::pass, "RFC 1939 §7"},
        {"AUTH", "A", 0, 2, false, &E::auth, "RFC 5034 §4"},
        {"STLS", "A", 0, 0, false, &E::stls, "RFC 2595 §4"},
        {"UTF8", "A", 0, 0, false, &E::utf8, "RFC 6856 §2.1"},
        {"CAPA", "AT", 0, 0, false, &E::capa, "RFC 2449 §5"},
        {"STAT", "T", 0, 0, false, &E::stat, "RFC 1939 §5"},
        {"LIST", "T", 0, 1, false, &E::list, "RFC 1939 §5"},
        {"UIDL", "T", 0, 1, false, &E::uidl, "RFC 1939 §7"},
        {"RETR", "T", 1, 1, false, &E::retr, "RFC 1939 §5"},
        {"TOP", "T", 2, 2, false, &E::top, "RFC 1939 §7"},
        {"DELE", "T", 1, 1, false, &E::dele, "RFC 1939 §5"},
        {"RSET", "T", 0, 0, false, &E::rset, "RFC 1939 §5"},
        {"NOOP", "T", 0, 0, false, &E::noop, "RFC 1939 §5"},
        {"QUIT", "AT", 0, 0, false, &E::quit, "RFC 1939 §4, §6"},
    };
    return rows;
}

// command = keyword *(SP param); keywords have three or four letters (RFC 1939 §3, RFC 2449 §4).
Result<CommandLine, ParseError> parse_command_line(std::string_view line) {
    CommandLine command;
    const auto space = line.find(' ');
    command.verb = line.substr(0, space);
    if (command.verb.empty()) return std::unexpected(ParseError{0, "a command"});
    if (space == std::string_view::npos) return command;
    command.arguments.text = line.substr(space + 1);
    constexpr std::size_t words_max = 3; // one more than any command has
    for (auto at = space + 1; command.arguments.words.size() < words_max;) {
        const auto end = line.find(' ', at);
        const auto word = line.substr(at, end == std::string_view::npos ? end : end - at);
        if (word.empty()) return std::unexpected(ParseError{at, "one space between words"});
        command.arguments.words.push_back(word);
        if (end == std::string_view::npos) break;
        at = end + 1;
    }
    return command;
}

} // namespace mailcore::pop3
