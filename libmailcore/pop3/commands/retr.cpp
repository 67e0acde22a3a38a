#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

void ServerEngine::retr(const Arguments& arguments) {
    const auto index = message_index(arguments.words[0]);
    if (!index) return;
    body_ = {};
    const auto id = begin(Doing::Retrieving);
    events_.push_back(Retrieve{id, MessageNumber(static_cast<std::uint32_t>(*index + 1)), utf8_});
}

} // namespace mailcore::pop3
