// Reports to senders: what could not be delivered, is late, or was delivered (RFC 3464, RFC 3461
// §6).
#pragma once

#include "libmailcore/base/random.h"
#include "libmailcore/delivery/router.h"
#include "libmailcore/mime/report.h"
#include "libmailcore/queue/rows.h"
#include "libmailcore/store/store.h"

#include <optional>
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
    std::string hostname; ///< of this server: Reporting-MTA, Message-ID
    std::string from_name = "Mail Delivery System";
    std::string from_local = "MAILER-DAEMON"; ///< at `hostname`
    std::uint64_t returned_octets_max =
        50 * 1024; ///< a larger message is returned as its header only
};

/// The report as a whole message with CRLFs, to be sent with the null sender. `original`: the
/// message concerned, or its header; of a report about failure as `message.returns` wishes. All of
/// `reported` have the same action.
[[nodiscard]] std::string write_report(const ReportOptions& options, const queue::Message& message,
                                       const std::vector<Reported>& reported, std::string original,
                                       mime::DeliveryReport::Return returned, WallTime now,
                                       Random& random);

/// A report that is written and routed, and not yet in the queue. Without recipients there is none
/// to send: the sender cannot be reached.
struct PreparedReport {
    store::NewBlobRef blob; ///< absent: nothing to send
    queue::Message envelope;
    std::vector<queue::Recipient> recipients;
};
/// Puts it into the queue with whatever else the transaction does. Nothing: there is none.
store::TxnTask<Result<std::optional<queue::QueueId>>> enqueue(store::WriteTransaction& txn,
                                                              PreparedReport report);

/// Makes reports. One scheduler's thread.
class Reporter {
  public:
    Reporter(Scheduler& scheduler, store::Store& store, Router& router, ReportOptions options,
             Random& random)
        : scheduler_(scheduler), store_(store), router_(router), options_(std::move(options)),
          random_(random) {}

    /// A report to the sender of `message`; empty for the null sender, who never gets one (RFC 5321
    /// §6.1), and where `reported` is empty. All of `reported` have the same action. Unavailable:
    /// try again later.
    Task<Result<PreparedReport>> prepare(queue::Message message, std::vector<Reported> reported);

  private:
    Scheduler& scheduler_;
    store::Store& store_;
    Router& router_;
    ReportOptions options_;
    Random& random_;
};

} // namespace mailcore::delivery
