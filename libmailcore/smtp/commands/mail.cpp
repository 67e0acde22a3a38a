// MAIL (RFC 5321 §4.1.1.2).
#include "libmailcore/codec/ascii.h"
#include "libmailcore/smtp/server_engine.h"

namespace mailcore::smtp {

// "MAIL FROM:" Reverse-path [SP Mail-parameters]
void ServerEngine::mail(std::string_view arguments) {
    if (messages_ >= options_->messages_max)
        return close_with({421, EnhancedStatus{4, 7, 0}, "Too many messages on one connection"},
                          EndReason::Errors);
    auto path = take_path("FROM:", arguments);
    if (!path) return;
    auto parameters = parse_mail_parameters(arguments, extended_ ? capabilities() : Capabilities{});
    if (!parameters) {
        // Too large is no mistake of the protocol.
        if (parameters.error().code == 552) return say(parameters.error());
        return bad_command(std::move(parameters.error()));
    }
    // RFC 6531 §3.5
    if (path->needs_utf8() && !parameters->smtp_utf8)
        return bad_command(
            {550, EnhancedStatus{5, 6, 7}, "A sender that is not ASCII needs SMTPUTF8"});
    body_type_ = parameters->body_type();
    smtp_utf8_ = parameters->smtp_utf8;
    const auto id = begin(Doing::Mail);
    events_.push_back(Mail{id, std::move(*path), std::move(*parameters)});
}

/// Reads what MAIL and RCPT share: the keyword and the path; leaves the parameters.
std::optional<Path> ServerEngine::take_path(std::string_view keyword, std::string_view& arguments) {
    const bool from = keyword == "FROM:";
    const auto refuse = [&](Reply reply) -> std::optional<Path> {
        if (from)
            bad_command(std::move(reply));
        else
            refuse_recipient(std::move(reply));
        return std::nullopt;
    };
    if (!codec::starts_with_ignoring_case(arguments, keyword))
        return refuse({501, EnhancedStatus{5, 5, 4},
                       from ? "Syntax: MAIL FROM:<address>" : "Syntax: RCPT TO:<address>"});
    arguments.remove_prefix(keyword.size());
    if (options_->space_before_path)
        while (arguments.starts_with(' ')) arguments.remove_prefix(1);
    auto text = std::string(arguments.substr(0, path_end(arguments)));
    arguments.remove_prefix(text.size());
    if (options_->path_without_brackets && !text.empty() && !text.starts_with('<'))
        text = '<' + text + '>';
    auto path =
        parse_path(text, options_->smtp_utf8 && extended_ ? Utf8::Allowed : Utf8::Forbidden);
    if (path) return *std::move(path);
    // RFC 3463 §3.2: 7 is the sender's syntax, 3 the recipient's.
    const auto detail = static_cast<std::uint16_t>(from ? 7 : 3);
    return refuse({501, EnhancedStatus{5, 1, detail},
                   "Syntax error in the address: expected " + std::string(path.error().expected)});
}

} // namespace mailcore::smtp
