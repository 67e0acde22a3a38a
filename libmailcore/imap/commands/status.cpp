#include "libmailcore/imap/commands/parsers.h"

#include <algorithm>

namespace mailcore::imap {
namespace {

bool is_offered(StatusItem item, Extensions extensions) {
    switch (item) {
    case StatusItem::Deleted: return extensions.has(Extension::Imap4rev2);
    case StatusItem::Size: return extensions.has(Extension::StatusSize);
    case StatusItem::HighestModSeq: return extensions.has(Extension::CondStore);
    case StatusItem::MailboxId: return extensions.has(Extension::ObjectId);
    case StatusItem::AppendLimit: return extensions.has(Extension::AppendLimit);
    default: return true;
    }
}

} // namespace

// "(" status-att *(SP status-att) ")"
std::vector<StatusItem> parse_status_items(WireReader& in) {
    std::vector<StatusItem> items;
    in.open();
    do {
        const auto item = parse_status_item(in.atom());
        if (!item || !is_offered(*item, in.grammar().extensions))
            in.fail("a status item");
        else if (std::ranges::find(items, *item) == items.end())
            items.push_back(*item);
    } while (in.take(' '));
    in.close();
    return items;
}

// status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
Command parse_status(WireReader& in) {
    command::Status status;
    in.sp();
    status.mailbox = in.mailbox();
    in.sp();
    status.items = parse_status_items(in);
    return status;
}

} // namespace mailcore::imap
