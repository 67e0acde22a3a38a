// The command table: which command may come when, and what it may carry.
#pragma once

#include "libmailcore/imap/capability.h"
#include "libmailcore/imap/commands/parsers.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace mailcore::imap {

/// RFC 9051 §3.
enum class State : std::uint8_t { NotAuthenticated, Authenticated, Selected, Logout };

/// Whether EXPUNGE or VANISHED may be sent while the command is in progress (RFC 9051 §7.5.1).
enum class Expunges : std::uint8_t { No, Yes };

/// One row of the table. Guards are taken from here, so what runs a command holds only meaning.
struct CommandRow {
    std::string_view verb;   ///< upper case; two words for the UID commands
    std::string_view states; ///< "N" not authenticated, "A" authenticated, "S" selected
    char ok_leads_to;        ///< the state behind its OK, as above; "=" the same
    bool closes_plaintext;   ///< refused where plaintext login is not allowed
    Expunges expunges;
    std::optional<Extension> needs; ///< unknown to a server whose owner lacks it
    Parser parse;
    std::string_view source;
};

/// The table in the order of RFC 9051 §6. Immutable.
[[nodiscard]] std::span<const CommandRow> command_table();

/// What stands before a command's arguments.
struct CommandHead {
    std::string_view tag;            ///< empty: there is none to answer to
    const CommandRow* row = nullptr; ///< null: no such command
};
/// tag SP command; steps over both. The reader fails if there is no tag or no command word.
[[nodiscard]] CommandHead read_command_head(WireReader& in);

} // namespace mailcore::imap
