// What a POP3 server engine tells its owner, and what it is answered with.
#pragma once

#include "libmailcore/base/secret.h"
#include "libmailcore/base/strong.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace mailcore::pop3 {

/// Names the command that an event belongs to; its answer cites it. Grows by one a command.
using CommandId = base::Strong<struct CommandIdTag>;

/// A message's place in the maildrop, from 1 (RFC 1939 §5).
using MessageNumber = base::Strong<struct MessageNumberTag, std::uint32_t>;

/// One message of the maildrop as it is at login; nothing of it changes during the session.
struct Message {
    std::uint64_t octets = 0; ///< exactly what RETR sends, without the stuffed dots
    std::string unique_id; ///< 1 to 70 octets of 0x21 to 0x7E, never used for another (RFC 1939 §7)
};

/// USER and PASS. Owed: `log_in` or `refuse`.
struct Login {
    CommandId id;
    std::string user;
    Secret password;
};

/// AUTH begins. Owed: `challenge` any number of times, then `log_in` or `refuse`.
struct AuthBegin {
    CommandId id;
    std::string mechanism;         ///< upper case, one of Options::mechanisms
    std::optional<Secret> initial; ///< the initial response, decoded; absent: none was sent
};

/// The client's answer to a challenge, decoded. Owed: as for AuthBegin.
struct AuthData {
    CommandId id;
    Secret octets;
};

/// The client gave up (`*`) or sent what is not base64; the engine has answered. Nothing is owed.
struct AuthEnd {
    CommandId id;
};

/// RETR or TOP. Owed: `begin_body` and then what NeedBody asks for, or `refuse`.
struct Retrieve {
    CommandId id;
    MessageNumber message;
    bool utf8 = false; ///< UTF8 was given: headers may be sent as they are (RFC 6856 §2.1)
};

/// There is room for `room` octets of the body. Owed: `body`, or `body_failed`.
struct NeedBody {
    CommandId id;
    std::size_t room;
};

/// The rest of the body is not wanted (TOP has its lines). Nothing is owed.
struct BodyEnough {
    CommandId id;
};

/// QUIT after login: these messages are to be deleted (RFC 1939 §6). Owed: `committed`.
/// Without this event nothing may be deleted, however the connection ends.
struct Commit {
    CommandId id;
    std::vector<MessageNumber> deleted;
};

using Event =
    std::variant<Login, AuthBegin, AuthData, AuthEnd, Retrieve, NeedBody, BodyEnough, Commit>;

/// Why a command is refused, as the response codes of RFC 2449 §8 and RFC 3206 tell it.
enum class Refusal : std::uint8_t {
    Plain,      ///< no code
    Auth,       ///< [AUTH]: the credentials are not good
    InUse,      ///< [IN-USE]: another session holds the maildrop
    LoginDelay, ///< [LOGIN-DELAY]: too soon
    Temporary,  ///< [SYS/TEMP]
    Permanent,  ///< [SYS/PERM]
    Utf8,       ///< [UTF8]: the message needs UTF8 mode (RFC 6856 §5)
};

} // namespace mailcore::pop3
