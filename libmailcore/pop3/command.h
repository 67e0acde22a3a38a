// The command table: which command may come when, and what it may carry.
#pragma once

#include "libmailcore/base/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace mailcore::pop3 {

class ServerEngine;

/// RFC 1939 §3. UPDATE is the time between QUIT and its answer.
enum class State : std::uint8_t { Authorization, Transaction, Update };

/// What follows the verb, cut at single spaces; views of the line.
struct Arguments {
    std::string_view text; ///< all of it, as it stands
    std::vector<std::string_view> words;
};

/// One row of the table. Guards are taken from here, so a handler holds only meaning.
struct CommandRow {
    std::string_view verb;
    std::string_view states; ///< "A", "T" or "AT"
    std::uint8_t words_min;
    std::uint8_t
        words_max; ///< 255: the rest of the line is one argument (a password may hold spaces)
    bool closes_plaintext; ///< refused where plaintext login is not allowed
    void (ServerEngine::*run)(const Arguments&);
    std::string_view source;
};

/// The table, sorted as RFC 1939 tells it. Immutable.
[[nodiscard]] std::span<const CommandRow> command_table();

/// Cuts a line (without CRLF) into verb and arguments. The verb is at most 4 letters, in any case.
struct CommandLine {
    std::string_view verb;
    Arguments arguments;
};
[[nodiscard]] Result<CommandLine, ParseError> parse_command_line(std::string_view line);

} // namespace mailcore::pop3
