#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

void ServerEngine::rset(const Arguments&) {
    deleted_.assign(deleted_.size(), false);
    ok("nothing is marked deleted");
}

} // namespace mailcore::pop3
