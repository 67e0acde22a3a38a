#include "libmailcore/imap/commands/parsers.h"

namespace mailcore::imap {

// rename = "RENAME" SP mailbox SP mailbox
Command parse_rename(WireReader& in) {
    command::Rename rename;
    in.sp();
    rename.from = in.mailbox();
    in.sp();
    rename.to = in.mailbox();
    return rename;
}

} // namespace mailcore::imap
