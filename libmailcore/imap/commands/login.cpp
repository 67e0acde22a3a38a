#include "libmailcore/imap/commands/parsers.h"

namespace mailcore::imap {

// login = "LOGIN" SP userid SP password ; userid = astring ; password = astring
Command parse_login(WireReader& in) {
    command::Login login;
    in.sp();
    login.user = in.astring();
    in.sp();
    login.password = Secret(in.astring());
    return login;
}

} // namespace mailcore::imap
