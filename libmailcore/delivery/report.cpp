#include "libmailcore/delivery/report.h"

#include "libmailcore/mime/message_id.h"

#include <fmt/format.h>
#include <iterator>

namespace mailcore::delivery {

namespace {

using Action = mime::RecipientReport::Action;

std::string_view subject(Action action) {
    switch (action) {
    case Action::Failed: return "Undelivered mail returned to sender";
    case Action::Delayed: return "Delivery is delayed";
    default: return "Delivery report";
    }
}

std::string_view introduction(Action action) {
    switch (action) {
    case Action::Failed: return "Your message could not be delivered to these recipients:";
    case Action::Delayed:
        return "Your message could not be delivered yet to these recipients. Nothing has to be done: it is "
               "tried again.";
    default: return "Your message was delivered to these recipients:";
    }
}

std::string text(const ReportOptions& options, const std::vector<Reported>& reported) {
    std::string out = fmt::format("This is the mail system at {}.\r\n\r\n{}\r\n\r\n", options.hostname,
                                  introduction(reported.front().action));
    for (const auto& [recipient, action, until] : reported) {
        fmt::format_to(std::back_inserter(out), "<{}>", recipient.address);
        if (!recipient.reply.empty())
            fmt::format_to(std::back_inserter(out), ": {}{}{}",
                           recipient.remote_host.empty() ? "" : "host " + recipient.remote_host + " said: ",
                           recipient.reply, "");
        out += "\r\n";
    }
    return out;
}

} // namespace

std::string write_report(const ReportOptions& options, const queue::Message& message,
                         const std::vector<Reported>& reported, std::string original,
                         mime::DeliveryReport::Return returned, WallTime now, Random& random) {
    mime::DeliveryReport report;
    report.reporting_mta = options.hostname;
    report.from.name = options.from_name;
    report.from.local = options.from_local;
    report.from.domain = options.hostname;
    report.to = message.sender;
    report.subject = subject(reported.front().action);
    report.text = text(options, reported);
    report.envelope_id = message.envid;
    report.arrival = message.arrived;
    for (const auto& [recipient, action, until] : reported) {
        mime::RecipientReport row;
        row.final_recipient = recipient.address;
        row.original_recipient = recipient.original;
        row.action = action;
        row.status = recipient.status.empty() ? "5.0.0" : recipient.status;
        row.remote_mta = recipient.remote_host;
        row.diagnostic = recipient.reply;
        row.last_attempt = now;
        row.will_retry_until = until;
        report.recipients.push_back(std::move(row));
    }
    report.original = std::move(original);
    report.returned = returned;
    report.now = now;
    report.message_id = mime::make_message_id(random, now, options.hostname);
    return mime::write_delivery_report(report, random);
}

} // namespace mailcore::delivery
