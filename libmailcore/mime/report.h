// Delivery reports: multipart/report with message/delivery-status (RFC 3461 §6, RFC 3464, RFC
// 6522).
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/random.h"
#include "libmailcore/mime/address.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::mime {

/// What became of one recipient (RFC 3464 §2.3).
struct RecipientReport {
    enum class Action : std::uint8_t { Failed, Delayed, Delivered, Relayed, Expanded };
    std::string final_recipient; ///< an address; UTF-8 if it is internationalised
    std::string
        original_recipient; ///< ORCPT as given, "rfc822;a@b", still in xtext decoded form; "": none
    Action action = Action::Failed;
    std::string status;     ///< "5.1.1"
    std::string remote_mta; ///< host name; "": none
    std::string diagnostic; ///< the reply, "550 5.1.1 no such user"; "": none
    std::optional<WallTime> last_attempt;
    std::optional<WallTime> will_retry_until; ///< only for Delayed
};

/// A report to the sender of a message.
struct DeliveryReport {
    std::string reporting_mta;     ///< our host name
    Address from;                  ///< usually the mailer daemon's
    std::string to;                ///< the sender of the message concerned
    std::string subject;           ///< UTF-8
    std::string text;              ///< for people, UTF-8, CRLF or LF; names each recipient and why
    std::string envelope_id;       ///< ENVID, decoded; "": none
    std::string received_from_mta; ///< "": none
    std::optional<WallTime> arrival;
    std::vector<RecipientReport> recipients; ///< at least one
    /// The message concerned: all of it, or its header only; empty: nothing is returned (RFC 6522
    /// §3: it need not be).
    std::string original;
    enum class Return : std::uint8_t { Full, Headers } returned = Return::Headers;
    std::string original_message_id; ///< for References; with brackets; "": none
    WallTime now;
    std::string message_id; ///< of the report, with brackets
};

/// The report as a whole message. Auto-Submitted and the null sender's rules are obeyed (RFC 3834
/// §5); where addresses are internationalised the global types are used (RFC 6533).
[[nodiscard]] std::string write_delivery_report(const DeliveryReport& report, Random& random);

} // namespace mailcore::mime
