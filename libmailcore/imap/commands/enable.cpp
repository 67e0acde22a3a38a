#include "libmailcore/imap/commands/parsers.h"

#include "libmailcore/codec/ascii.h"

namespace mailcore::imap {

// enable = "ENABLE" 1*(SP capability) ; capability = ("AUTH=" auth-type) / atom
Command parse_enable(WireReader& in) {
    command::Enable enable;
    do {
        in.sp();
        enable.names.push_back(codec::upper(in.atom()));
    } while (in.next_is(' '));
    return enable;
}

} // namespace mailcore::imap
