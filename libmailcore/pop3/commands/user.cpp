#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

// USER name: always welcome, so that nobody learns which names exist (RFC 1939 §13).
void ServerEngine::user(const Arguments& arguments) {
    user_ = arguments.text;
    ok("send PASS");
}

} // namespace mailcore::pop3
