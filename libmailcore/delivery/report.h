// Reports to senders: what could not be delivered, is late, or was delivered (RFC 3464, RFC 3461 §6).
#pragma once

#include "libmailcore/base/random.h"
#include "libmailcore/mime/report.h"
#include "libmailcore/queue/message.h"

#include <string>
#include <vector>

namespace mailcore::delivery {

/// One recipient's part of a report.
struct Reported {
    queue::Recipient recipient; ///< with status, reply and remote host of the last attempt
    mime::RecipientReport::Action action = mime::RecipientReport::Action::Failed;
    std::optional<WallTime> will_retry_until; ///< only for Delayed
};

struct ReportOptions {
    std::string hostname;                ///< of this server: Reporting-MTA, Message-ID
    std::string from_name = "Mail Delivery System";
    std::string from_local = "MAILER-DAEMON"; ///< at `hostname`
};

/// The report as a whole message with CRLFs, to be sent with the null sender. `original`: the message
/// concerned, or its header; of a report about failure as `message.returns` wishes. All of `reported` have
/// the same action.
[[nodiscard]] std::string write_report(const ReportOptions& options, const queue::Message& message,
                                       const std::vector<Reported>& reported, std::string original,
                                       mime::DeliveryReport::Return returned, WallTime now, Random& random);

} // namespace mailcore::delivery
