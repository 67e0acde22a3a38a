#include "libmailcore/mime/report.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/writer.h"

#include <algorithm>

namespace mailcore::mime {

namespace {

std::string_view to_string(RecipientReport::Action action) {
    switch (action) {
    case RecipientReport::Action::Failed: return "failed";
    case RecipientReport::Action::Delayed: return "delayed";
    case RecipientReport::Action::Delivered: return "delivered";
    case RecipientReport::Action::Relayed: return "relayed";
    case RecipientReport::Action::Expanded: return "expanded";
    }
    return "failed";
}

bool is_international(const DeliveryReport& report) {
    return std::any_of(report.recipients.begin(), report.recipients.end(),
                       [](const auto& recipient) {
                           return !codec::is_ascii(recipient.final_recipient) ||
                                  !codec::is_ascii(recipient.original_recipient) ||
                                  !codec::is_ascii(recipient.diagnostic);
                       });
}

// An address with its type: "rfc822;a@b", or "utf-8;..." (RFC 6533 §3).
std::string typed(std::string_view address) {
    return (codec::is_ascii(address) ? "rfc822; " : "utf-8; ") + std::string(address);
}

void append_recipient(const RecipientReport& recipient, Utf8 utf8, std::string& out) {
    HeaderWriter fields(out, utf8);
    if (!recipient.original_recipient.empty())
        fields.structured("Original-Recipient", recipient.original_recipient);
    fields.structured("Final-Recipient", typed(recipient.final_recipient));
    fields.structured("Action", to_string(recipient.action));
    fields.structured("Status", recipient.status);
    if (!recipient.remote_mta.empty())
        fields.structured("Remote-MTA", "dns; " + recipient.remote_mta);
    if (!recipient.diagnostic.empty())
        fields.structured("Diagnostic-Code", "smtp; " + recipient.diagnostic);
    if (recipient.last_attempt)
        fields.structured("Last-Attempt-Date", format_date(*recipient.last_attempt));
    if (recipient.will_retry_until && recipient.action == RecipientReport::Action::Delayed)
        fields.structured("Will-Retry-Until", format_date(*recipient.will_retry_until));
}

std::string delivery_status(const DeliveryReport& report, Utf8 utf8) {
    std::string out;
    HeaderWriter fields(out, utf8);
    if (!report.envelope_id.empty()) fields.structured("Original-Envelope-Id", report.envelope_id);
    fields.structured("Reporting-MTA", "dns; " + report.reporting_mta);
    if (!report.received_from_mta.empty())
        fields.structured("Received-From-MTA", "dns; " + report.received_from_mta);
    if (report.arrival) fields.structured("Arrival-Date", format_date(*report.arrival));
    for (const auto& recipient : report.recipients) {
        out += "\r\n";
        append_recipient(recipient, utf8, out);
    }
    return out;
}

OutgoingPart leaf(std::string type, std::string subtype, std::string content) {
    OutgoingPart part;
    part.type.type = std::move(type);
    part.type.subtype = std::move(subtype);
    part.content = std::move(content);
    return part;
}

OutgoingPart returned_message(const DeliveryReport& report) {
    if (report.returned == DeliveryReport::Return::Full) {
        auto part = leaf("message", "rfc822", report.original);
        // RFC 6533 §5: headers in UTF-8 are allowed only there.
        if (!codec::is_ascii(
                std::string_view(report.original).substr(0, header_octets(report.original))))
            part.type.subtype = "global";
        return part;
    }
    auto header = report.original.substr(0, header_octets(report.original));
    if (codec::is_ascii(header)) return leaf("text", "rfc822-headers", std::move(header));
    return leaf("message", "global-headers", std::move(header));
}

} // namespace

std::string write_delivery_report(const DeliveryReport& report, Random& random) {
    const bool international = is_international(report);
    const auto utf8 = international ? Utf8::Allowed : Utf8::Forbidden;

    OutgoingPart whole;
    whole.type = {"multipart", "report", {{"report-type", "delivery-status"}}};
    auto text = leaf("text", "plain", report.text);
    text.type.parameters = {{"charset", codec::is_ascii(report.text) ? "us-ascii" : "utf-8"}};
    whole.parts.push_back(std::move(text));
    auto status = delivery_status(report, utf8);
    const bool global = !codec::is_ascii(status);
    whole.parts.push_back(
        leaf("message", global ? "global-delivery-status" : "delivery-status", std::move(status)));
    if (!report.original.empty()) whole.parts.push_back(returned_message(report));

    std::string out;
    HeaderWriter header(out, utf8);
    header.date("Date", DateTime{report.now, 0, false});
    header.addresses("From", {report.from});
    auto to = parse_addresses(report.to, 1);
    header.addresses("To", to);
    header.text("Subject", report.subject);
    header.structured("Message-ID", report.message_id);
    if (!report.original_message_id.empty()) {
        header.structured("In-Reply-To", report.original_message_id);
        header.structured("References", report.original_message_id);
    }
    header.structured("Auto-Submitted", "auto-replied"); // RFC 3834 §5
    header.structured("MIME-Version", "1.0");
    write_part(whole, Transport::Bit7, random, out);
    return out;
}

} // namespace mailcore::mime
