// RSET (RFC 5321 §4.1.1.5).
#include "libmailcore/smtp/server_engine.h"

namespace mailcore::smtp {

void ServerEngine::rset(std::string_view arguments) {
    if (!arguments.empty())
        return bad_command({501, EnhancedStatus{5, 5, 4}, "RSET takes no argument"});
    reset_transaction();
    say({250, EnhancedStatus{2, 0, 0}, "Reset"});
}

} // namespace mailcore::smtp
