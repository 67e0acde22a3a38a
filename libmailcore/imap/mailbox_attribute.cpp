#include "libmailcore/imap/mailbox_attribute.h"

#include "libmailcore/codec/ascii.h"

namespace mailcore::imap {
namespace {

struct Named {
    MailboxAttribute attribute;
    std::string_view name;
};
constexpr Named names[] = {
    {MailboxAttribute::NonExistent, "\\NonExistent"},
    {MailboxAttribute::NoInferiors, "\\Noinferiors"},
    {MailboxAttribute::NoSelect, "\\Noselect"},
    {MailboxAttribute::HasChildren, "\\HasChildren"},
    {MailboxAttribute::HasNoChildren, "\\HasNoChildren"},
    {MailboxAttribute::Marked, "\\Marked"},
    {MailboxAttribute::Unmarked, "\\Unmarked"},
    {MailboxAttribute::Subscribed, "\\Subscribed"},
    {MailboxAttribute::Remote, "\\Remote"},
    {MailboxAttribute::All, "\\All"},
    {MailboxAttribute::Archive, "\\Archive"},
    {MailboxAttribute::Drafts, "\\Drafts"},
    {MailboxAttribute::Flagged, "\\Flagged"},
    {MailboxAttribute::Junk, "\\Junk"},
    {MailboxAttribute::Sent, "\\Sent"},
    {MailboxAttribute::Trash, "\\Trash"},
};

} // namespace

std::string_view to_string(MailboxAttribute attribute) {
    for (const auto& named : names)
        if (named.attribute == attribute) return named.name;
    return {};
}

std::optional<MailboxAttribute> parse_special_use(std::string_view name) {
    for (const auto& named : names)
        if (is_special_use(named.attribute) && codec::equal_ignoring_case(named.name, name))
            return named.attribute;
    return std::nullopt;
}

} // namespace mailcore::imap
