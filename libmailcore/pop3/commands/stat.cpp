#include "libmailcore/codec/number.h"
#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

void ServerEngine::stat(const Arguments&) {
    std::uint64_t count = 0, octets = 0;
    for (std::size_t i = 0; i < maildrop_.size(); ++i) {
        if (deleted_[i]) continue;
        ++count;
        octets += maildrop_[i].octets;
    }
    auto& out = output_.tail();
    out += "+OK ";
    codec::append_number(out, count);
    out += ' ';
    codec::append_number(out, octets);
    out += "\r\n";
}

} // namespace mailcore::pop3
