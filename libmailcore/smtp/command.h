// The command table: which command may come when, and who reads what follows its verb.
#pragma once

#include "libmailcore/base/result.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace mailcore::smtp {

class ServerEngine;

/// Where a session stands (RFC 5321 §4.1.4). The letters are those of the table.
enum class State : char {
    Start = 'S',      ///< greeted, no EHLO yet
    Ready = 'R',      ///< no transaction
    Mail = 'M',       ///< MAIL was accepted, no recipient yet
    Recipients = 'T', ///< at least one recipient was accepted
    Chunking = 'C',   ///< between BDAT commands of one message
    Failed = 'F',     ///< a BDAT failed: nothing but RSET goes on (RFC 3030 §2)
    Refused = 'X',    ///< the greeting was 554: QUIT is all that is left (RFC 5321 §3.1)
};

/// One row of the table. Guards are taken from here, so a handler holds only meaning.
struct CommandRow {
    std::string_view verb;
    std::string_view dialects; ///< "S" SMTP, "L" LMTP
    std::string_view states;   ///< letters of State
    /// "t": allowed where TLS is required and does not stand (RFC 3207 §4), "a": before a required
    /// AUTH (RFC 4954 §6)
    std::string_view exempt;
    bool ends_group; ///< the client must await its answer before it sends more (RFC 2920 §3.1)
    bool counted;    ///< moves no mail: only so many without a message
    void (ServerEngine::*run)(std::string_view arguments);
    std::string_view source;
};

/// The table. Immutable.
[[nodiscard]] std::span<const CommandRow> command_table();

/// The row of a verb in any case of letters; absent: no such command.
[[nodiscard]] const CommandRow* find_command(std::string_view verb);

/// A line (without CRLF) cut at its first space. `arguments` begins behind that space.
struct CommandLine {
    std::string_view verb;
    std::string_view arguments;
};
[[nodiscard]] CommandLine parse_command_line(std::string_view line);

} // namespace mailcore::smtp
