#include "libmailcore/session/smtp_replies.h"

#include "libmailcore/base/assert.h"

namespace mailcore::session {

smtp::Reply reply(std::uint16_t code, std::string_view status, std::string text) {
    return smtp::Reply{code, smtp::parse_enhanced_status(status), std::move(text)};
}

smtp::Reply smtp_reply_to(const Error& error) {
    switch (error.kind) {
    case ErrorKind::Rejected: return reply(550, "5.3.0", "refused");
    case ErrorKind::LimitExceeded:
        return reply(452, "4.3.1", "no room for mail now; try again later");
    case ErrorKind::NotFound: return reply(550, "5.1.1", "no such mailbox here");
    default: return reply(451, "4.3.0", "local trouble; try again later");
    }
}

smtp::Reply smtp_reply_to(const LoginRefused& refused) {
    switch (refused.why) {
    case LoginRefused::Why::Credentials: return reply(535, "5.7.8", "authentication failed");
    case LoginRefused::Why::Throttled:
        return reply(454, "4.7.0", "too many failed attempts; try again later");
    case LoginRefused::Why::Unavailable:
        return reply(454, "4.7.0", "cannot authenticate now; try again later");
    case LoginRefused::Why::Malformed:
        return reply(501, "5.5.2", "authentication exchange is malformed");
    }
    return reply(454, "4.7.0", "cannot authenticate now");
}

smtp::Reply smtp_reply_to(delivery::Routing::Kind kind) {
    switch (kind) {
    case delivery::Routing::Kind::Unknown: return reply(550, "5.1.1", "no such mailbox here");
    case delivery::Routing::Kind::Disabled: return reply(550, "5.2.1", "mailbox takes no mail");
    case delivery::Routing::Kind::Broken: return reply(550, "5.4.6", "address leads in a circle");
    default: break;
    }
    MAILCORE_ASSERT(!"a routing that leads somewhere is no refusal");
    return {};
}

smtp::Reply smtp_reply_to(const filter::Verdict& verdict) {
    MAILCORE_ASSERT(verdict.refuses());
    return reply(verdict.code, verdict.enhanced, verdict.text.empty() ? "refused" : verdict.text);
}

} // namespace mailcore::session
