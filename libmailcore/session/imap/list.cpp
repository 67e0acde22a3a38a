// LIST with its options, LSUB, NAMESPACE (RFC 9051 §6.3.9, §6.3.10; RFC 3501 §6.3.9; RFC 6154 §2).
#include "libmailcore/session/imap.h"
#include "libmailcore/session/imap_replies.h"
#include "libmailcore/store/account.h"

#include <algorithm>
#include <set>

namespace mailcore::session {

namespace {

using imap::MailboxAttribute;
using store::ReadTransaction;

std::optional<MailboxAttribute> special_use(store::Role role) {
    switch (role) {
    case store::Role::Archive: return MailboxAttribute::Archive;
    case store::Role::Drafts: return MailboxAttribute::Drafts;
    case store::Role::Junk: return MailboxAttribute::Junk;
    case store::Role::Sent: return MailboxAttribute::Sent;
    case store::Role::Trash: return MailboxAttribute::Trash;
    case store::Role::None:
    case store::Role::Inbox:
    case store::Role::Important: break;
    }
    return std::nullopt;
}

bool matches(const std::string& reference, const std::string& pattern, const std::string& path) {
    return imap::matches_list_pattern(reference + pattern, path, store::hierarchy_separator);
}

bool has_below(const std::set<std::string>& names, const std::string& path) {
    const auto below = path + store::hierarchy_separator;
    const auto first = names.lower_bound(below);
    return first != names.end() && first->starts_with(below);
}

/// Subscribed names that are no mailboxes, and what is above them (RFC 9051 §6.3.9.6: for
/// RECURSIVEMATCH).
std::set<std::string> names_without_mailbox(const store::MailboxList& all) {
    std::set<std::string> names;
    for (const auto& name : all.subscribed_only) {
        names.insert(name);
        for (auto at = name.find(store::hierarchy_separator); at != std::string::npos;
             at = name.find(store::hierarchy_separator, at + 1))
            names.insert(name.substr(0, at));
    }
    for (const auto& mailbox : all.mailboxes) names.erase(mailbox.path);
    return names;
}

/// What LIST answers for one name; nothing if the selection options leave it out.
std::optional<imap::response::List> listed(const imap::command::List& command,
                                           const store::ListedMailbox& mailbox, bool exists,
                                           const std::set<std::string>& subscribed) {
    imap::response::List list;
    list.mailbox = mailbox.path;
    const bool is_subscribed = subscribed.contains(mailbox.path);
    const auto use = exists ? special_use(mailbox.mailbox.role) : std::nullopt;
    const bool wanted =
        (!command.select_subscribed || is_subscribed) && (!command.select_special_use || use);
    list.child_info_subscribed =
        command.recursive_match && command.select_subscribed && has_below(subscribed, mailbox.path);
    if (!wanted && !list.child_info_subscribed) return std::nullopt;
    if (!exists)
        list.attributes.push_back(MailboxAttribute::NonExistent);
    else if (!mailbox.mailbox.selectable)
        list.attributes.push_back(MailboxAttribute::NoSelect);
    if (exists)
        list.attributes.push_back(mailbox.has_children ? MailboxAttribute::HasChildren
                                                       : MailboxAttribute::HasNoChildren);
    if (is_subscribed && (command.return_subscribed || command.select_subscribed))
        list.attributes.push_back(MailboxAttribute::Subscribed);
    if (use) list.attributes.push_back(*use);
    return list;
}

} // namespace

Task<void> ImapSession::run(Id id, imap::command::List command) {
    if (!command.extended && command.patterns.size() == 1 && command.patterns.front().empty()) {
        // Asks for the delimiter only.
        imap::response::List root;
        root.attributes = {MailboxAttribute::NoSelect};
        engine_.respond(id, root);
        MAILCORE_CO_AWAIT(finish(id, imap::ok("LIST completed")));
        co_return;
    }
    MAILCORE_CO_AWAIT(auto all, services_.store.read([access = access()](ReadTransaction& txn) {
        return store::list_mailboxes(txn, access, access.actor);
    }));
    if (!all) {
        MAILCORE_CO_AWAIT(finish(id, reply_to(all.error(), Doing::Mailboxes)));
        co_return;
    }
    std::set<std::string> subscribed(all->subscribed_only.begin(), all->subscribed_only.end());
    for (const auto& mailbox : all->mailboxes)
        if (mailbox.mailbox.subscribed) subscribed.insert(mailbox.path);
    const auto real = all->mailboxes.size();
    if (command.select_subscribed)
        for (const auto& name : names_without_mailbox(*all)) {
            store::ListedMailbox none;
            none.path = name;
            all->mailboxes.push_back(std::move(none));
        }
    for (std::size_t i = 0; i < all->mailboxes.size(); ++i) {
        const auto& mailbox = all->mailboxes[i];
        const bool named = std::ranges::any_of(command.patterns, [&](const std::string& pattern) {
            return matches(command.reference, pattern, mailbox.path);
        });
        if (!named) continue;
        const auto answer = listed(command, mailbox, i < real, subscribed);
        if (!answer) continue;
        const bool goes_on = co_await room(id);
        if (!goes_on) co_return;
        engine_.respond(id, *answer);
        const bool has_status = !command.return_status.empty() && i < real &&
                                mailbox.mailbox.selectable &&
                                mailbox.rights.has(store::Right::Read);
        if (!has_status) continue;
        auto status = co_await status_of(mailbox.path, mailbox.mailbox, command.return_status);
        if (status) engine_.respond(id, *status); // RFC 5819 §2: left out where it cannot be told
    }
    MAILCORE_CO_AWAIT(finish(id, imap::ok("LIST completed")));
}

// RFC 3501 §6.3.9: with "%", a name that is not subscribed stands for those below it that are.
Task<void> ImapSession::run(Id id, imap::command::Lsub command) {
    MAILCORE_CO_AWAIT(auto all, services_.store.read([access = access()](ReadTransaction& txn) {
        return store::list_mailboxes(txn, access, access.actor);
    }));
    if (!all) {
        MAILCORE_CO_AWAIT(finish(id, reply_to(all.error(), Doing::Mailboxes)));
        co_return;
    }
    std::set<std::string> subscribed(all->subscribed_only.begin(), all->subscribed_only.end());
    for (const auto& mailbox : all->mailboxes)
        if (mailbox.mailbox.subscribed) subscribed.insert(mailbox.path);
    std::set<std::string> answered;
    for (const auto& name : subscribed) {
        if (matches(command.reference, command.pattern, name)) {
            answered.insert(name);
            continue;
        }
        if (!command.pattern.ends_with('%')) continue;
        for (auto at = name.find('/'); at != std::string::npos; at = name.find('/', at + 1))
            if (auto above = name.substr(0, at); matches(command.reference, command.pattern, above))
                answered.insert(std::move(above));
    }
    for (const auto& name : answered) {
        const bool goes_on = co_await room(id);
        if (!goes_on) co_return;
        imap::response::List list;
        list.kind = imap::response::List::Kind::Lsub;
        list.mailbox = name;
        if (!subscribed.contains(name)) list.attributes.push_back(MailboxAttribute::NoSelect);
        engine_.respond(id, list);
    }
    MAILCORE_CO_AWAIT(finish(id, imap::ok("LSUB completed")));
}

Task<void> ImapSession::run(Id id, imap::command::Namespace) {
    imap::response::Namespace names;
    imap::response::Namespace::Entry personal;
    personal.delimiter = store::hierarchy_separator;
    names.personal.push_back(std::move(personal));
    engine_.respond(id, names);
    return finish(id, imap::ok("NAMESPACE completed"));
}

} // namespace mailcore::session
