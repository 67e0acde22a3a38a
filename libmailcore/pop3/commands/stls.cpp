#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

void ServerEngine::stls(const Arguments&) {
    if (peer_.tls) return bad_command("TLS stands already");
    if (!options_.starttls) return bad_command("TLS is not offered");
    if (utf8_) return bad_command("not after UTF8"); // RFC 6856 §2.1
    ok("begin TLS");
    starting_tls_ = true;
}

} // namespace mailcore::pop3
