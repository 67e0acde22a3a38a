// HELP (RFC 5321 §4.1.1.8).
#include "libmailcore/smtp/server_engine.h"

namespace mailcore::smtp {

void ServerEngine::help(std::string_view) {
    Reply reply{214, EnhancedStatus{2, 0, 0}, "Commands:"};
    for (const auto& row : command_table())
        if (row.dialects.contains(lmtp() ? 'L' : 'S')) (reply.text += ' ') += row.verb;
    say(reply);
}

} // namespace mailcore::smtp
