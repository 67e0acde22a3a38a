// QUIT (RFC 5321 §4.1.1.10).
#include "libmailcore/smtp/server_engine.h"

namespace mailcore::smtp {

void ServerEngine::quit(std::string_view arguments) {
    if (!arguments.empty())
        return bad_command({501, EnhancedStatus{5, 5, 4}, "QUIT takes no argument"});
    reset_transaction();
    close_with({221, EnhancedStatus{2, 0, 0}, options_->hostname + " closing connection"},
               EndReason::Quit);
}

} // namespace mailcore::smtp
