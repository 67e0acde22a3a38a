// ESMTP parameters of MAIL and RCPT (RFC 5321 §4.1.2), one type a command.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/smtp/capabilities.h"
#include "libmailcore/smtp/path.h"

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::smtp {

/// BODY= of RFC 6152 §3 and RFC 3030 §3.
enum class BodyType : std::uint8_t { SevenBit, EightBitMime, BinaryMime };

/// RET= of RFC 3461 §4.3: what a report of failure returns.
enum class Return : std::uint8_t { Full, Headers };

/// NOTIFY= of RFC 3461 §4.1; all false: NEVER.
struct Notify {
    bool success = false;
    bool failure = false;
    bool delay = false;
    [[nodiscard]] bool never() const { return !success && !failure && !delay; }
    friend bool operator==(const Notify&, const Notify&) = default;
};

/// ORCPT= of RFC 3461 §4.2: where the sender sent it to.
struct OriginalRecipient {
    std::string type;    ///< "rfc822" or "utf-8" (RFC 6533 §3), as it was written
    std::string address; ///< decoded from xtext; of type utf-8 as it was written
    friend bool operator==(const OriginalRecipient&, const OriginalRecipient&) = default;
};

struct MailParameters {
    std::optional<std::uint64_t> size; ///< SIZE=: octets the client thinks to send
    std::optional<BodyType> body;      ///< absent: 7BIT
    bool smtp_utf8 = false;            ///< RFC 6531 §3.4
    std::optional<Path> auth; ///< AUTH=: who submitted it; the null path: unknown (RFC 4954 §5)
    std::optional<Return> ret;
    std::optional<std::string> envelope_id;       ///< ENVID=, decoded
    bool require_tls = false;                     ///< RFC 8689 §2
    std::optional<int> mt_priority;               ///< -9 to 9 (RFC 6710 §3)
    std::optional<std::chrono::seconds> hold_for; ///< RFC 4865 §4
    std::optional<WallTime> hold_until;

    [[nodiscard]] BodyType body_type() const { return body.value_or(BodyType::SevenBit); }
    friend bool operator==(const MailParameters&, const MailParameters&) = default;
};

struct RcptParameters {
    std::optional<Notify> notify;
    std::optional<OriginalRecipient> original_recipient;
    friend bool operator==(const RcptParameters&, const RcptParameters&) = default;
};

/// Parses what follows the path: `text` is empty or " KEYWORD[=value]" any number of times, one
/// space before each. A parameter that `offered` does not hold is refused with 555, one that is
/// malformed or given twice with 501, a size above the offered one with 552 (RFC 1870 §6.1).
[[nodiscard]] std::expected<MailParameters, Reply>
parse_mail_parameters(std::string_view text, const Capabilities& offered);
[[nodiscard]] std::expected<RcptParameters, Reply>
parse_rcpt_parameters(std::string_view text, const Capabilities& offered);

/// The same as a client writes it: each with its space in front; only what `offered` holds.
void append_parameters(const MailParameters& parameters, const Capabilities& offered,
                       std::string& out);
void append_parameters(const RcptParameters& parameters, const Capabilities& offered,
                       std::string& out);

} // namespace mailcore::smtp
