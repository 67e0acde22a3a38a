#include "libmailcore/delivery/report.h"

#include "libmailcore/mime/message_id.h"

#include <algorithm>
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
        return "Your message could not be delivered yet to these recipients. Nothing has to be "
               "done: it is "
               "tried again.";
    default: return "Your message was delivered to these recipients:";
    }
}

std::string text(const ReportOptions& options, const std::vector<Reported>& reported) {
    std::string out = fmt::format("This is the mail system at {}.\r\n\r\n{}\r\n\r\n",
                                  options.hostname, introduction(reported.front().action));
    for (const auto& [recipient, action, until] : reported) {
        fmt::format_to(std::back_inserter(out), "<{}>", recipient.address);
        if (!recipient.reply.empty())
            fmt::format_to(
                std::back_inserter(out), ": {}{}{}",
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

store::TxnTask<Result<std::optional<queue::QueueId>>> enqueue(store::WriteTransaction& txn,
                                                              PreparedReport report) {
    if (!report.blob) co_return std::nullopt;
    const auto blob = txn.add_blob(*report.blob);
    report.envelope.arrived = txn.now();
    report.envelope.size = report.blob->size();
    report.envelope.pieces.clear();
    report.envelope.pieces.push_back(store::Piece::of(blob, 0, report.blob->size()));
    for (auto& recipient : report.recipients) recipient.next_try = report.envelope.arrived;
    MAILCORE_CO_TRY(const auto id,
                    queue::enqueue(txn, std::move(report.envelope), std::move(report.recipients)));
    co_return id;
}

Task<Result<PreparedReport>> Reporter::prepare(queue::Message message,
                                               std::vector<Reported> reported) {
    PreparedReport prepared;
    if (reported.empty() || message.sender.empty()) co_return prepared;
    auto routing = co_await router_.route(message.sender);
    if (!routing && routing.error().kind == ErrorKind::Unavailable)
        co_return std::unexpected(routing.error());
    if (!routing || routing->recipients.empty()) co_return prepared;
    const bool failure = reported.front().action == mime::RecipientReport::Action::Failed;
    bool full = failure && message.returns != queue::Return::Headers &&
                message.size <= options_.returned_octets_max;
    std::string original;
    auto read =
        co_await store::read_octets(store_, message.pieces, 0, options_.returned_octets_max);
    if (read) {
        original = std::move(*read);
    } else if (read.error().kind == ErrorKind::Corrupt) {
        // The sender must know all the same (RFC 5321 §6.1), and reads better on no other day.
        full = false;
    } else {
        co_return std::unexpected(std::move(read).error());
    }
    if (!full) {
        const auto end = original.find("\r\n\r\n");
        if (end != std::string::npos) original.resize(end + 2);
    }
    const auto text = write_report(options_, message, reported, std::move(original),
                                   full ? mime::DeliveryReport::Return::Full
                                        : mime::DeliveryReport::Return::Headers,
                                   scheduler_.wall_now(), random_);
    const auto writer = store_.new_blob(scheduler_, text.size());
    MAILCORE_CO_TRY(writer->append(text));
    MAILCORE_CO_TRY(prepared.blob, writer->finish());
    prepared.envelope.trace = message.trace;
    prepared.envelope.smtputf8 = message.smtputf8;
    prepared.envelope.auto_submitted = true;
    prepared.envelope.eight_bit =
        std::ranges::any_of(text, [](char c) { return static_cast<signed char>(c) < 0; });
    prepared.recipients = std::move(routing->recipients);
    for (auto& recipient : prepared.recipients)
        recipient.notify = queue::Notify{false, false, false};
    co_return prepared;
}

} // namespace mailcore::delivery
