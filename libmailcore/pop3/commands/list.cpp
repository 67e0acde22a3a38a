#include "libmailcore/codec/number.h"
#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

// LIST [msg]
void ServerEngine::list(const Arguments& arguments) {
    tell_of_messages(arguments, [](std::string& out, const Message& message) {
        codec::append_number(out, message.octets);
    });
}

} // namespace mailcore::pop3
