#include "libmailcore/admin/operations.h"

#include "libmailcore/admin/detail/operations.h"

#include <algorithm>

namespace mailcore::admin {

std::span<const Operation> operations() {
    using enum Permission;
    static constexpr Operation table[] = {
        {"account.add", Change,
         "address, password, name?, administrator?, quota_octets?, quota_messages?",
         "Makes an account with its mailboxes.", detail::account_add},
        {"account.list", Look, "", "All accounts with what they hold.", detail::account_list},
        {"account.passwd", Change, "address, password",
         "Sets a password; every login with the old one is void.", detail::account_passwd},
        {"account.quota", Change, "address, quota_octets?, quota_messages?",
         "Sets what an account may hold; 0: no limit.", detail::account_quota},
        {"account.remove", Change, "address", "Removes an account and all its mail.",
         detail::account_remove},
        {"account.show", Look, "address", "One account.", detail::account_show},
        {"account.status", Change, "address, status",
         "active, frozen (receives, no login) or disabled.", detail::account_status},
        {"alias.list", Look, "", "All aliases.", detail::alias_list},
        {"alias.remove", Change, "address", "Removes an alias.", detail::alias_remove},
        {"alias.set", Change, "address, targets, description?", "Adds or replaces an alias.",
         detail::alias_set},
        {"backup.hold", Look, "",
         "Those files are still being copied; NotFound: they are not held any more.",
         detail::backup_hold},
        {"backup.list", Look, "",
         "The files that hold all that was acknowledged, and how much of each; none of them goes "
         "as long as the caller is connected.",
         detail::backup_list},
        {"domain.add", Change, "name, catch_all?, separators?, alias_of?",
         "Takes mail for a domain.", detail::domain_add},
        {"domain.list", Look, "", "All domains.", detail::domain_list},
        {"domain.remove", Change, "name",
         "Takes no more mail for a domain that has no addresses left.", detail::domain_remove},
        {"domain.set", Change, "name, catch_all?, disabled?", "Changes a domain.",
         detail::domain_set},
        {"email.add", Change,
         "address, mailbox, emails: [{octets or upload, received?, flags?}], over_quota?, "
         "uidvalidity?, uidnext?",
         "Adds emails to a mailbox, all or none; with uidnext not those that came since.",
         detail::email_add},
        {"email.digest", Look, "address, mailbox, uids",
         "BLAKE2b-256 of the octets of emails, as far as one answer goes.", detail::email_digest},
        {"email.list", Look, "address, mailbox, after?, limit?",
         "Emails of a mailbox by UID, with flags, dates and sizes.", detail::email_list},
        {"email.read", Look, "address, mailbox, uids, offset?",
         "Octets of emails, as far as one answer goes.", detail::email_read},
        {"email.upload", Change, "octets, upload?",
         "Takes octets of a message that is too large for one request.", detail::email_upload},
        {"mailbox.create", Change, "address, mailbox, role?, subscribe?",
         "Makes a mailbox and the levels above it.", detail::mailbox_create},
        {"mailbox.list", Look, "address", "The mailboxes of an account.", detail::mailbox_list},
        {"queue.hold", Change, "id or all", "Keeps mail in the queue until it is released.",
         detail::queue_hold},
        {"queue.list", Look, "limit?", "Messages under way with their recipients.",
         detail::queue_list},
        {"queue.release", Change, "id or all", "Sends held mail on.", detail::queue_release},
        {"queue.remove", Change, "id or all", "Deletes mail from the queue; nobody is told.",
         detail::queue_remove},
        {"queue.retry", Change, "id or all", "Tries now, whatever the wait.", detail::queue_retry},
        {"queue.show", Look, "id", "One message with all its recipients.", detail::queue_show},
        {"restore.begin", Change, "address, at, mailbox?, into?, all?, journal?, position?",
         "Looks up an account's mail as it was; of this connection's earlier one nothing is left.",
         detail::restore_begin},
        {"restore.step", Change, "", "Files the next of that mail below the mailbox \"into\".",
         detail::restore_step},
        {"rule.replay", Look, "name, rule, list_names?, list_texts?, seconds?, limit?",
         "What a rule would have done to the mail of the last days; nothing is changed.",
         detail::rule_replay},
    };
    return table;
}

Task<Result<std::string>> run(Context& context, std::string method, std::string request) {
    const auto all = operations();
    const auto found = std::ranges::find(all, method, &Operation::method);
    if (found == all.end()) co_return fail(ErrorKind::NotFound, "no operation " + method);
    auto answer = co_await found->run(context, std::move(request));
    if (found->permission == Permission::Change)
        MAILCORE_LOG(context.log, Info, "admin.operation",
                     {{"method", method}, {"actor", context.actor}, {"done", answer.has_value()}});
    co_return answer;
}

} // namespace mailcore::admin
