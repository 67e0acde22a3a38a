#include "libmailcore/store/access.h"

#include "libmailcore/store/detail/model_rows.h"

#include <algorithm>

namespace mailcore::store {

TxnTask<Result<std::vector<AclEntry>>> acl(ReadTransaction& txn, MailboxRef ref) {
    const auto key = Key(ref.owner, Table::Acl).id(ref.mailbox);
    MAILCORE_CO_TRY(const auto row, txn.get(key.str()));
    if (!row) co_return std::vector<AclEntry>{};
    co_return detail::decode_acl(*row);
}

TxnTask<Result<Rights>> rights_of(ReadTransaction& txn, Access access, MailboxRef ref) {
    const auto key = Key(ref.owner, Table::Mailbox).id(ref.mailbox);
    MAILCORE_CO_TRY(const auto row, txn.get(key.str()));
    if (!row) co_return Rights{};
    if (access.actor == ref.owner) co_return access.rights;
    MAILCORE_CO_TRY(const auto entries, acl(txn, ref));
    const auto own = std::find_if(entries.begin(), entries.end(), [&](const AclEntry& entry) {
        return entry.account == access.actor;
    });
    co_return own == entries.end() ? Rights{} : own->rights& access.rights;
}

TxnTask<Result<void>> set_acl(AccountEdit& edit, MailboxId id, AccountId who, Rights rights) {
    MAILCORE_CO_TRY(auto* mailbox, edit.mailbox(id, Right::Administer));
    MAILCORE_CO_TRY(auto entries, acl(edit.txn(), MailboxRef{edit.owner(), id}));
    std::erase_if(entries, [&](const AclEntry& entry) { return entry.account == who; });
    if (who != edit.owner() && !rights.empty()) {
        if (entries.size() >= acl_entries_max)
            co_return fail(ErrorKind::LimitExceeded, "entries of an access list");
        entries.push_back({who, rights});
    }
    auto key = Key(edit.owner(), Table::Acl).id(id).str();
    if (entries.empty())
        edit.txn().erase(std::move(key));
    else
        edit.txn().put(std::move(key), detail::encode(entries));
    edit.properties_changed(*mailbox);
    co_return Result<void>{};
}

} // namespace mailcore::store
