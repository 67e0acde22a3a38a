#include "libmailcore/session/imap_replies.h"

#include <fmt/format.h>

namespace mailcore::session {

using imap::Code;
using imap::no;

imap::Reply reply_to(const Error& error, Doing doing) {
    switch (error.kind) {
    case ErrorKind::Rejected:
        if (doing == Doing::Mailboxes)
            return no("That cannot be done with this mailbox", Code::Cannot);
        return no("Not permitted", Code::NoPerm);
    case ErrorKind::NotFound:
        if (doing == Doing::Filing) return no("No such mailbox", Code::TryCreate);
        if (doing == Doing::Mailboxes) return no("No such mailbox", Code::NonExistent);
        return no("Some messages are gone", Code::ExpungeIssued);
    case ErrorKind::Conflict:
        if (doing == Doing::Mailboxes)
            return no("A mailbox of that name exists", Code::AlreadyExists);
        return no("Somebody else changed it meanwhile", Code::InUse);
    case ErrorKind::LimitExceeded:
        if (doing == Doing::Filing) return no("Quota or disk space is used up", Code::OverQuota);
        return no("A limit is reached", Code::Limit);
    case ErrorKind::Unavailable:
        return no("That cannot be done now; try again later", Code::Unavailable);
    case ErrorKind::Corrupt: return no("Stored data is damaged", Code::Corruption);
    }
    return no("That failed", Code::ServerBug);
}

imap::Reply reply_to(const LoginRefused& refused) {
    switch (refused.why) {
    case LoginRefused::Why::Credentials:
        return no("Authentication failed", Code::AuthenticationFailed);
    case LoginRefused::Why::Throttled:
        return no("Too many failed attempts; try again later", Code::Limit);
    case LoginRefused::Why::Unavailable:
        return no("Cannot authenticate now; try again later", Code::Unavailable);
    case LoginRefused::Why::Malformed: return imap::bad("The authentication exchange is malformed");
    }
    return no("Authentication failed", Code::AuthenticationFailed);
}

std::string object_id(store::MailboxId id) { return fmt::format("M{}", id.value); }
std::string object_id(store::EmailId id) { return fmt::format("E{}", id.value); }
std::string object_id(store::ThreadId id) { return fmt::format("T{}", id.value); }

} // namespace mailcore::session
