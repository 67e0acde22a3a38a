// Where state speaks IMAP: the one place that makes response codes of what it answers (RFC 5530).
#pragma once

#include "libmailcore/imap/response.h"
#include "libmailcore/session/authentication.h"
#include "libmailcore/store/ids.h"

namespace mailcore::session {

/// What was being done when an Error came: the same kind means something else to a client.
enum class Doing : std::uint8_t {
    Mailboxes, ///< CREATE, DELETE, RENAME, SUBSCRIBE, SELECT, STATUS
    Filing,    ///< APPEND, COPY, MOVE: into a mailbox that the client may have to create
    Messages,  ///< of the selected mailbox
};
[[nodiscard]] imap::Reply reply_to(const Error& error, Doing doing);
[[nodiscard]] imap::Reply reply_to(const LoginRefused& refused);

/// OBJECTID's ids (RFC 8474 §4, §5).
[[nodiscard]] std::string object_id(store::MailboxId id);
[[nodiscard]] std::string object_id(store::EmailId id);
[[nodiscard]] std::string object_id(store::ThreadId id);
/// MODSEQ is never 0 on the wire, but of a mailbox in which nothing happened yet it is in the
/// store.
[[nodiscard]] inline std::uint64_t shown(store::ModSeq modseq) {
    return modseq.value == 0 ? 1 : modseq.value;
}

} // namespace mailcore::session
