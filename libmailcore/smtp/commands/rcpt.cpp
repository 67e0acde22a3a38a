// RCPT (RFC 5321 §4.1.1.3).
#include "libmailcore/smtp/server_engine.h"

namespace mailcore::smtp {

// "RCPT TO:" ( "<Postmaster>" / Forward-path ) [SP Rcpt-parameters]
void ServerEngine::rcpt(std::string_view arguments) {
    auto path = take_path("TO:", arguments);
    if (!path) return;
    if (path->is_null())
        return refuse_recipient({501, EnhancedStatus{5, 1, 3}, "A recipient has a name"});
    auto parameters = parse_rcpt_parameters(arguments, extended_ ? capabilities() : Capabilities{});
    if (!parameters) return refuse_recipient(std::move(parameters.error()));
    // RFC 6531 §3.5
    if (path->needs_utf8() && !smtp_utf8_)
        return refuse_recipient(
            {553, EnhancedStatus{5, 6, 7}, "A recipient that is not ASCII needs SMTPUTF8"});
    // RFC 5321 §4.5.3.1.10
    if (recipients_ >= options_->recipients_max)
        return refuse_recipient({452, EnhancedStatus{4, 5, 3}, "Too many recipients"});
    const auto id = begin(Doing::Rcpt);
    events_.push_back(Rcpt{id, std::move(*path), std::move(*parameters), recipients_});
}

} // namespace mailcore::smtp
