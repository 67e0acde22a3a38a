#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

// PASS string: the rest of the line, spaces included.
void ServerEngine::pass(const Arguments& arguments) {
    if (user_.empty()) return bad_command("send USER first");
    const auto id = begin(Doing::LoggingIn);
    events_.push_back(Login{id, user_, Secret{std::string(arguments.text)}});
}

} // namespace mailcore::pop3
