#include "libmailcore/codec/number.h"
#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

// LIST [msg]
void ServerEngine::list(const Arguments& arguments) {
    auto& out = output_.tail();
    const auto line = [&](std::size_t index) {
        codec::append_number(out, index + 1);
        out += ' ';
        codec::append_number(out, maildrop_[index].octets);
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
