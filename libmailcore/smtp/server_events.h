// What an SMTP or LMTP server engine tells its owner, and what it is owed for it.
#pragma once

#include "libmailcore/base/secret.h"
#include "libmailcore/base/strong.h"
#include "libmailcore/smtp/parameters.h"
#include "libmailcore/smtp/path.h"
#include "libmailcore/smtp/reply.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace mailcore::smtp {

/// Names the command that an event belongs to; its answer cites it. Grows by one a command.
using CommandId = base::Strong<struct CommandIdTag>;

/// A connection stands. Owed: `accept` (220), or `reply` with 554 (the client may only QUIT) or
/// 421.
struct Connected {
    CommandId id;
};

/// HELO, EHLO or LHLO. Owed: `accept` (250, with what is offered) or `reply` with a refusal.
struct Hello {
    enum class Verb : std::uint8_t { Helo, Ehlo, Lhlo };
    CommandId id;
    Verb verb;
    std::string client; ///< a domain, or an address literal with its brackets
};

/// MAIL. Owed: `accept` (250) or `reply`; a positive one begins a transaction.
struct Mail {
    CommandId id;
    ReversePath reverse_path;
    MailParameters parameters;
};

/// RCPT. Owed: `accept` (250) or `reply`; a positive one adds a recipient.
struct Rcpt {
    CommandId id;
    ForwardPath forward_path;
    RcptParameters parameters;
    std::size_t index; ///< how many recipients were accepted before: its place if it is
};

/// DATA, or the first BDAT. Owed: `accept` (354, or on with the chunk) or `reply` with a refusal,
/// which ends the transaction. Its `id` names the body until the last answer to it.
struct BodyBegin {
    CommandId id;
    std::optional<std::uint64_t> octets; ///< exactly, if one BDAT carries all of it
};

/// The header section with its empty line, or the whole message if there is none. What follows
/// comes as BodyChunk once this is answered. Owed: `accept` or `fail_body`.
struct Headers {
    CommandId id;
    std::string octets;
};

/// More of the body; a view valid until the next `next_event`. Nothing is owed; who cannot take
/// more does not call `next_event`, and the engine stops reading when its buffer is full.
struct BodyChunk {
    CommandId id;
    std::string_view octets;
};

/// The body is complete. Owed: `accept` (250) or `reply`; with LMTP one for each accepted
/// recipient, in their order (RFC 2033 §4.2).
struct BodyEnd {
    CommandId id;
    std::uint64_t octets;            ///< header section and body, without stuffed dots
    std::size_t longest_line_octets; ///< without CRLF; above 998 it must be encoded to be sent on
    bool has_8bit;
};

/// The engine itself refuses the body: too large, a bare CR or LF, a NUL, a line or a header
/// section too long. It answers when the rest has been swallowed. Nothing is owed; the message is
/// to be dropped, and with it the transaction. Comes without a BodyBegin if the first BDAT is too
/// large already.
struct BodyFailed {
    CommandId id;
    Reply reply;
};

/// The transaction is over without a message: RSET, an accepted hello, or QUIT. Nothing is owed.
struct TransactionReset {};

/// AUTH. Owed: `challenge` any number of times, then `reply` (235 ends it well, 535 and 454 do
/// not).
struct AuthBegin {
    CommandId id;
    std::string mechanism;         ///< upper case, one of those offered now
    std::optional<Secret> initial; ///< the initial response, decoded; absent: none was sent
};

/// The client's answer to a challenge, decoded. Owed: as for AuthBegin.
struct AuthData {
    CommandId id;
    Secret octets;
};

/// The client gave up (`*`), or sent what is not base64 or too long; the engine has answered.
/// Nothing is owed.
struct AuthEnd {
    CommandId id;
};

/// TLS stands; what the client said before is forgotten (RFC 3207 §4.2). Nothing is owed.
struct TlsStarted {};

using ServerEvent =
    std::variant<Connected, Hello, Mail, Rcpt, BodyBegin, Headers, BodyChunk, BodyEnd, BodyFailed,
                 TransactionReset, AuthBegin, AuthData, AuthEnd, TlsStarted>;

/// Why a session has ended; for logs and metrics.
enum class EndReason : std::uint8_t {
    None, ///< it has not
    Quit,
    PeerClosed, ///< without QUIT
    Refused,    ///< the owner answered 421
    Errors,     ///< too many bad commands
    Junk,       ///< octets that cannot be SMTP, or without an end
    Idle,       ///< a timer of RFC 5321 §4.5.3.2
    TooSlow,    ///< below the least rate
    Stalled,    ///< it does not read what we send
    ShutDown,
};
[[nodiscard]] std::string_view to_string(EndReason reason);

} // namespace mailcore::smtp
