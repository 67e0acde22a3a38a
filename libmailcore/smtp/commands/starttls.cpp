// STARTTLS (RFC 3207 §4).
#include "libmailcore/smtp/server_engine.h"

namespace mailcore::smtp {

// What the client sent behind it in plain text is dropped by the driver (RFC 3207 §4.2): until TLS
// stands the engine reads nothing.
void ServerEngine::starttls(std::string_view arguments) {
    if (!arguments.empty())
        return bad_command({501, EnhancedStatus{5, 5, 4}, "STARTTLS takes no argument"});
    if (peer_.tls) return bad_command({503, EnhancedStatus{5, 5, 1}, "TLS stands already"});
    if (!options_->starttls)
        return bad_command({502, EnhancedStatus{5, 5, 1}, "STARTTLS is not offered"});
    say({220, EnhancedStatus{2, 0, 0}, "Ready to start TLS"});
    starting_tls_ = true;
}

} // namespace mailcore::smtp
