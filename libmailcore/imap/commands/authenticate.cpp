#include "libmailcore/imap/commands/parsers.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/base64.h"

namespace mailcore::imap {

// authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] *(CRLF base64)
// initial-resp = (base64 / "=")
Command parse_authenticate(WireReader& in) {
    command::Authenticate authenticate;
    in.sp();
    authenticate.mechanism = codec::upper(in.atom());
    if (!in.take(' ')) return authenticate;
    const auto text = in.atom();
    if (!in.ok()) return authenticate;
    if (text == "=") {
        authenticate.initial.emplace();
        return authenticate;
    }
    auto octets = codec::base64_decode(text);
    if (octets)
        authenticate.initial.emplace(*std::move(octets));
    else
        in.fail("base64");
    return authenticate;
}

} // namespace mailcore::imap
