#include "libmailcore/imap/status_item.h"

#include "libmailcore/codec/ascii.h"

namespace mailcore::imap {
namespace {

struct Named {
    StatusItem item;
    std::string_view name;
};
constexpr Named items[] = {
    {StatusItem::Messages, "MESSAGES"},   {StatusItem::Recent, "RECENT"},
    {StatusItem::UidNext, "UIDNEXT"},     {StatusItem::UidValidity, "UIDVALIDITY"},
    {StatusItem::Unseen, "UNSEEN"},       {StatusItem::Deleted, "DELETED"},
    {StatusItem::Size, "SIZE"},           {StatusItem::HighestModSeq, "HIGHESTMODSEQ"},
    {StatusItem::MailboxId, "MAILBOXID"}, {StatusItem::AppendLimit, "APPENDLIMIT"},
};

} // namespace

std::string_view to_string(StatusItem item) {
    for (const auto& named : items)
        if (named.item == item) return named.name;
    return {};
}

std::optional<StatusItem> parse_status_item(std::string_view name) {
    for (const auto& named : items)
        if (codec::equal_ignoring_case(named.name, name)) return named.item;
    return std::nullopt;
}

} // namespace mailcore::imap
