// The parsers of commands, one file each. They read what follows the verb; the caller checks
// `end()`.
#pragma once

#include "libmailcore/imap/command.h"
#include "libmailcore/imap/wire.h"

namespace mailcore::imap {

/// A parser returns what it read; the value counts only if the reader is still `ok()`.
using Parser = Command (*)(WireReader&);

Command parse_append(WireReader& in);
void parse_appended_message(WireReader& in, command::AppendedMessage& message);
Command parse_authenticate(WireReader& in);
Command parse_copy(WireReader& in);
Command parse_create(WireReader& in);
Command parse_enable(WireReader& in);
Command parse_examine(WireReader& in);
Command parse_expunge(WireReader& in);
Command parse_fetch(WireReader& in);
Command parse_id(WireReader& in);
Command parse_list(WireReader& in);
Command parse_login(WireReader& in);
Command parse_lsub(WireReader& in);
Command parse_move(WireReader& in);
Command parse_rename(WireReader& in);
Command parse_search(WireReader& in);
Command parse_select(WireReader& in);
Command parse_status(WireReader& in);
Command parse_store(WireReader& in);
Command parse_uid_copy(WireReader& in);
Command parse_uid_expunge(WireReader& in);
Command parse_uid_fetch(WireReader& in);
Command parse_uid_move(WireReader& in);
Command parse_uid_search(WireReader& in);
Command parse_uid_store(WireReader& in);

/// status-att *(SP status-att) in parentheses, without duplicates; for STATUS and for LIST.
std::vector<StatusItem> parse_status_items(WireReader& in);

} // namespace mailcore::imap
