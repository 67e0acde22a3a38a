#include "libmailcore/imap/commands/parsers.h"

namespace mailcore::imap {

// "EXPUNGE"
Command parse_expunge(WireReader&) { return command::Expunge{}; }

// uid-expunge = "EXPUNGE" SP sequence-set
Command parse_uid_expunge(WireReader& in) {
    in.sp();
    return command::Expunge{in.sequence_set()};
}

} // namespace mailcore::imap
