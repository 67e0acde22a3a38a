// What an IMAP server engine tells its owner. README.md says for each command what is owed.
#pragma once

#include "libmailcore/base/secret.h"
#include "libmailcore/base/strong.h"
#include "libmailcore/imap/command.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

namespace mailcore::imap {

/// Names the command that an event belongs to; its answers cite it. Grows by one a command.
using CommandId = base::Strong<struct CommandIdTag>;

/// A command to be done. Owed: any number of `respond`, then one `reply`.
/// Append: `accept` first, or at once the `reply` that refuses it. Authenticate: see SaslResponse.
/// Idle: see IdleDone.
struct CommandReceived {
    CommandId id;
    Command command;
    /// It is the first to show that the client knows CONDSTORE, and a mailbox is selected: owed as
    /// well is an untagged OK with HIGHESTMODSEQ, before the reply (RFC 7162 §3.1).
    bool owes_highest_modseq = false;
};

/// Octets of an accepted APPEND's message. Owed: `body_taken` when the next may come; or the
/// `reply` that fails it: what is left is swallowed before that is sent.
struct BodyChunk {
    CommandId id;
    std::string octets; ///< 1 to 64 KiB
};
/// The message before it is complete, and the APPEND goes on with another (RFC 3502). Owed: as for
/// the first, `accept` or the `reply` that refuses all of them.
struct AppendNext {
    CommandId id;
    command::AppendedMessage message;
};
/// The last message is complete and its command well-formed. Owed: the `reply`.
struct BodyEnd {
    CommandId id;
};

/// The client answered a challenge. Owed: another `challenge`, or the `reply`.
struct SaslResponse {
    CommandId id;
    Secret octets; ///< decoded
};

/// The client wants IDLE to end. Owed: the last announcements, then the `reply`.
/// Until then, nothing is owed for Idle but `announce` where there is something to announce.
struct IdleDone {
    CommandId id;
};

/// The client took back or spoilt the command (AUTHENTICATE cancelled or not base64, garbage behind
/// an APPEND's message, end of input); the engine has answered. Nothing is owed; forget the
/// command.
struct Aborted {
    CommandId id;
};

/// It is the turn of a `response::Pulled`, from `offset` on. Owed: `body` with 1 to `room` octets,
/// or `body_failed`.
struct NeedBody {
    CommandId id;
    std::uint64_t token;
    std::uint64_t offset;
    std::size_t room;
};

/// There is room again, as asked for by `await_room`. Nothing is owed.
struct Room {
    CommandId id;
};

/// The client has said who it is (ID); the engine has answered. Nothing is owed.
struct ClientId {
    IdFields fields;
};

using Event = std::variant<CommandReceived, BodyChunk, AppendNext, BodyEnd, SaslResponse, IdleDone,
                           Aborted, NeedBody, Room, ClientId>;

} // namespace mailcore::imap
