#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

void ServerEngine::dele(const Arguments& arguments) {
    const auto index = message_index(arguments.words[0]);
    if (!index) return;
    deleted_[*index] = true;
    ok("marked deleted");
}

} // namespace mailcore::pop3
