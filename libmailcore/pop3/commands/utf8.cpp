#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

void ServerEngine::utf8(const Arguments&) {
    utf8_ = true;
    ok("UTF8 enabled");
}

} // namespace mailcore::pop3
