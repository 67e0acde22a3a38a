#include "libmailcore/codec/number.h"
#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

// TOP msg n: the header, the empty line, and n lines of the body.
void ServerEngine::top(const Arguments& arguments) {
    const auto index = message_index(arguments.words[0]);
    if (!index) return;
    const auto lines = codec::parse_u32(arguments.words[1]);
    if (!lines) return bad_command("not a number of lines");
    body_ = {};
    body_.limited = true;
    body_.lines_left = *lines;
    const auto id = begin(Doing::Retrieving);
    events_.push_back(Retrieve{id, MessageNumber(static_cast<std::uint32_t>(*index + 1)), utf8_});
}

} // namespace mailcore::pop3
