// Where state and filters speak SMTP: the one place that makes reply codes of what they answer.
#pragma once

#include "libmailcore/delivery/router.h"
#include "libmailcore/filter/verdict.h"
#include "libmailcore/session/authentication.h"
#include "libmailcore/smtp/reply.h"

namespace mailcore::session {

[[nodiscard]] smtp::Reply reply(std::uint16_t code, std::string_view status, std::string text);
/// Of an Error while doing what the client asked for.
[[nodiscard]] smtp::Reply smtp_reply_to(const Error& error);
[[nodiscard]] smtp::Reply smtp_reply_to(const LoginRefused& refused);
/// Of a routing that leads nowhere; `Known` and `NotLocal` assert.
[[nodiscard]] smtp::Reply smtp_reply_to(delivery::Routing::Kind kind);
/// Of a verdict that refuses; others assert.
[[nodiscard]] smtp::Reply smtp_reply_to(const filter::Verdict& verdict);

} // namespace mailcore::session
