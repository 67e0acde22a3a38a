// The mailboxes of an account.
#include "libmailcore/admin/detail/operations.h"
#include "libmailcore/admin/detail/request.h"

#include "libmailcore/store/account.h"
#include "libmailcore/store/mailbox.h"

namespace mailcore::admin::detail {

namespace {

using store::ReadTransaction;
using store::TxnTask;
using store::WriteTransaction;

std::optional<store::Role> parse_role(std::string_view text) {
    using enum store::Role;
    for (const auto role : {None, Archive, Drafts, Important, Junk, Sent, Trash})
        if (to_string(role) == text) return role;
    return std::nullopt; // INBOX is there always
}

Json to_json(const store::ListedMailbox& listed) {
    const auto& mailbox = listed.mailbox;
    return Json{{"path", listed.path},
                {"role", to_string(mailbox.role)},
                {"selectable", mailbox.selectable},
                {"subscribed", mailbox.subscribed},
                {"uidvalidity", mailbox.uidvalidity.value},
                {"uidnext", mailbox.uidnext.value},
                {"messages", mailbox.exists},
                {"unseen", mailbox.unseen},
                {"octets", mailbox.octets}};
}

TxnTask<Result<store::Mailbox>> create(WriteTransaction& txn, store::AccountId account,
                                       store::CreateMailbox wanted) {
    const auto access = store::Access::owner(account);
    store::AccountEdit edit(txn, access, account);
    MAILCORE_CO_TRY(edit.begin());
    MAILCORE_CO_TRY(const auto made, store::create_mailbox(edit, std::move(wanted)));
    MAILCORE_CO_TRY(edit.save());
    const store::MailboxRef ref{account, made.id};
    co_return co_await store::mailbox_status(txn, access, ref);
}

} // namespace

Answer mailbox_list(Context& context, std::string text) {
    Request request(text);
    const auto address = request.text("address");
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(const auto account, account_of(context, address));
    MAILCORE_CO_TRY(const auto list, context.store.read([id = account.id](ReadTransaction& txn) {
        return store::list_mailboxes(txn, store::Access::owner(id), id);
    }));
    Json mailboxes = Json::array();
    for (const auto& listed : list.mailboxes) mailboxes.push_back(to_json(listed));
    co_return text_of(Json{{"mailboxes", std::move(mailboxes)},
                           {"message_octets_max", context.message_octets_max}});
}

Answer mailbox_create(Context& context, std::string text) {
    Request request(text);
    const auto address = request.text("address");
    store::CreateMailbox wanted;
    wanted.path = request.text("mailbox");
    const auto role = parse_role(request.text_or("role", ""));
    wanted.subscribe = request.flag("subscribe");
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    if (!role)
        co_return fail(ErrorKind::Rejected,
                       "role: expected archive, drafts, important, junk, sent or trash");
    wanted.role = *role;
    MAILCORE_CO_TRY(const auto account, account_of(context, address));
    const auto path = wanted.path;
    MAILCORE_CO_AWAIT(auto made,
                      context.store.write([id = account.id, wanted](WriteTransaction& txn) {
                          return create(txn, id, wanted);
                      }));
    if (!made && made.error().kind == ErrorKind::Conflict)
        co_return fail(ErrorKind::Conflict,
                       "mailbox " + path + " exists, or another one has its role");
    if (!made) co_return std::unexpected(std::move(made).error());
    MAILCORE_CO_TRY(const auto normal, ready(store::split_path(path)));
    co_return text_of(
        Json{{"path", store::join_path(normal)}, {"uidvalidity", made->uidvalidity.value}});
}

} // namespace mailcore::admin::detail
