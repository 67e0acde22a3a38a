#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

void ServerEngine::noop(const Arguments&) { ok(""); }

} // namespace mailcore::pop3
