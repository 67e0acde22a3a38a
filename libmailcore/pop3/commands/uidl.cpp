#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

// UIDL [msg]
void ServerEngine::uidl(const Arguments& arguments) {
    tell_of_messages(arguments,
                     [](std::string& out, const Message& message) { out += message.unique_id; });
}

} // namespace mailcore::pop3
