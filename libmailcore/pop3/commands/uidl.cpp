#include "libmailcore/codec/number.h"
#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

// UIDL [msg]
void ServerEngine::uidl(const Arguments& arguments) {
    auto& out = output_.tail();
    const auto line = [&](std::size_t index) {
        codec::append_number(out, index + 1);
        out += ' ';
        out += maildrop_[index].unique_id;
        out += "\r\n";
    };
    if (!arguments.words.empty()) {
        const auto index = message_index(arguments.words[0]);
        if (!index) return;
        out += "+OK ";
        return line(*index);
    }
    ok("");
    for (std::size_t i = 0; i < maildrop_.size(); ++i)
        if (!deleted_[i]) line(i);
    out += ".\r\n";
}

} // namespace mailcore::pop3
