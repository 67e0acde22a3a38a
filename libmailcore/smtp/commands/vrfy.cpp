// VRFY and EXPN, answered without telling (RFC 5321 §3.5.3, §7.3).
#include "libmailcore/smtp/server_engine.h"

namespace mailcore::smtp {

void ServerEngine::vrfy(std::string_view arguments) {
    if (arguments.empty()) return bad_command({501, EnhancedStatus{5, 5, 4}, "Needs a name"});
    say({252, EnhancedStatus{2, 5, 0}, "Cannot verify; send mail and it will be tried"});
}

void ServerEngine::expn(std::string_view arguments) { vrfy(arguments); }

} // namespace mailcore::smtp
