#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

// RFC 2449 §5, §6: what may be used now. After login the list stays the same where it can.
void ServerEngine::capa(const Arguments&) {
    ok("capabilities follow");
    auto& out = output_.tail();
    out += "TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nEXPIRE NEVER\r\nUTF8 "
           "USER\r\n";
    if (plaintext_allowed()) out += "USER\r\n";
    std::string mechanisms;
    for (const auto& mechanism : options_.mechanisms)
        if (offers(mechanism)) mechanisms += " " + mechanism;
    if (!mechanisms.empty()) out += "SASL" + mechanisms + "\r\n";
    if (options_.starttls && !peer_.tls && state_ == State::Authorization) out += "STLS\r\n";
    out += ".\r\n";
}

} // namespace mailcore::pop3
