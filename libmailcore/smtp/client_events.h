// What an SMTP or LMTP client engine is asked to send, and what it tells its owner.
#pragma once

#include "libmailcore/base/secret.h"
#include "libmailcore/base/strong.h"
#include "libmailcore/smtp/parameters.h"
#include "libmailcore/smtp/path.h"
#include "libmailcore/smtp/reply.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace mailcore::smtp {

/// Names a transaction, or an authentication; grows by one.
using TransactionId = base::Strong<struct TransactionIdTag>;

/// How far a session or transaction was.
enum class Stage : std::uint8_t {
    Greeting,
    Hello,
    StartTls,
    Auth,
    Idle,
    Mail,
    Rcpt,
    Data,
    Body,
    Final,
    Quit
};
[[nodiscard]] std::string_view to_string(Stage stage);

/// One message for one server.
struct Envelope {
    struct Recipient {
        ForwardPath path;
        RcptParameters parameters;
    };
    ReversePath sender;
    MailParameters parameters;
    std::vector<Recipient> recipients; ///< at least one; at most Capabilities::limits where stated
};

/// Why something failed that the server has not refused.
enum class Problem : std::uint8_t {
    None,
    NeedsEightBitMime, ///< the server takes 7 bits only: encode the body, or return it (RFC 6152
                       ///< §3)
    NeedsBinaryMime,
    NeedsSmtpUtf8,   ///< an address or header is not ASCII (RFC 6531 §3.5)
    NeedsRequireTls, ///< RFC 8689 §4.2.1
    TooLarge,        ///< above the SIZE that it offers (RFC 1870 §6)
    BadAddress,      ///< cannot be written
    BareLineEnd,     ///< a bare CR or LF, or NUL, with BareLineEnds::Refuse
    BodyUnavailable, ///< `body_failed` was called
    TlsUnavailable,  ///< required, and not offered or refused
    PeerClosed,
    TimedOut,
    Stalled,       ///< it does not read what we send
    ProtocolError, ///< what came is no reply, or answers nothing
    ShutDown,
};
[[nodiscard]] std::string_view to_string(Problem problem);

/// What became of one recipient. Either the server's `reply` or a `problem`.
struct RecipientResult {
    Stage stage = Stage::Mail; ///< where it was decided
    std::optional<Reply> reply;
    Problem problem = Problem::None;

    [[nodiscard]] bool delivered() const {
        return stage == Stage::Final && reply && reply->is_positive();
    }
};

/// The session stands: a transaction or `authenticate` may begin. Once a connection.
struct Ready {};

/// 334. Owed: `respond` or `cancel`.
struct AuthChallenge {
    TransactionId id;
    Secret octets;
};

/// The authentication is over; 235 is the good end.
struct AuthDone {
    TransactionId id;
    Reply reply;
};

/// There is room for `room` octets of the message. Owed: `body`, or `body_failed`.
struct NeedBody {
    TransactionId id;
    std::size_t room;
};

/// The transaction is over; the next may begin, unless `Ended` follows.
struct TransactionDone {
    TransactionId id;
    std::vector<RecipientResult> recipients; ///< in the order of the envelope
    std::size_t longest_line_octets =
        0; ///< of what was sent, without CRLF; above 998 it was too long
};

/// The connection is at its end and closes by itself. Once, and the last.
struct Ended {
    Stage stage;
    Problem problem;            ///< None after QUIT, or when `reply` tells
    std::optional<Reply> reply; ///< the refusal, or 421
};

using ClientEvent = std::variant<Ready, AuthChallenge, AuthDone, NeedBody, TransactionDone, Ended>;

} // namespace mailcore::smtp
