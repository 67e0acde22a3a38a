#include "libmailcore/imap/commands/parsers.h"

namespace mailcore::imap {

// append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal
// The literal is a stream: only its announcement is read here. UTF8=ACCEPT, BINARY's literal8 and
// MULTIAPPEND will have their place here.
Command parse_append(WireReader& in) {
    command::Append append;
    in.sp();
    append.mailbox = in.mailbox();
    in.sp();
    if (in.next_is('(')) {
        in.flag_list(append.flags);
        in.sp();
    }
    if (in.next_is('"')) {
        append.date = in.date_time();
        in.sp();
    }
    append.octets = in.literal_announcement();
    return append;
}

} // namespace mailcore::imap
