// The trace fields that a server puts in front of a message: Received and Return-Path (RFC 5321
// §4.4).
#pragma once

#include "libmailcore/base/peer.h"
#include "libmailcore/smtp/dialect.h"
#include "libmailcore/smtp/path.h"

#include <optional>
#include <string>
#include <string_view>

namespace mailcore::smtp {

/// How a message came to us.
struct Reception {
    PeerInfo peer;           ///< its address and its TLS
    std::string client;      ///< what it called itself in EHLO
    std::string client_name; ///< the name that its address has in the DNS, checked; empty: none
    std::string by;          ///< our name
    Dialect dialect = Dialect::Smtp;
    bool extended = true; ///< EHLO or LHLO, not HELO
    bool authenticated = false;
    bool smtp_utf8 = false;        ///< the transaction had SMTPUTF8
    std::string id;                ///< an atom: how we call it in the log; empty: no clause
    std::optional<Path> recipient; ///< if there is exactly one: who else gets it is nobody's
                                   ///< business (RFC 5321 §7.2)
    std::string date;              ///< "Tue, 1 Jul 2003 10:52:37 +0200" (RFC 5322 §3.3)
};

/// The keyword of the "with" clause: "ESMTPSA" and so on (RFC 3848; RFC 6531 §4.3).
[[nodiscard]] std::string with_protocol(const Reception& reception);

/// The whole field, folded, with its CRLF. What the client has chosen cannot break out of its
/// place. With TLS there is a "tls" clause with the cipher suite (RFC 8314 §4.3).
[[nodiscard]] std::string received_field(const Reception& reception);

/// "Return-Path: <a@b>" with its CRLF: put in front of everything at final delivery.
[[nodiscard]] std::string return_path_field(const ReversePath& reverse_path);

} // namespace mailcore::smtp
