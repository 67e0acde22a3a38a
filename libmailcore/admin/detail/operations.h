// The operations, as the table in operations.cpp names them.
#pragma once

#include "libmailcore/accounts/account.h"
#include "libmailcore/admin/operations.h"

namespace mailcore::admin::detail {

/// A Result that is there already, for MAILCORE_CO_TRY.
template <class T>
Task<Result<T>> ready(Result<T> result) {
    co_return std::move(result);
}

/// The account that has this address as its own. NotFound.
Task<Result<accounts::Account>> account_of(Context& context, std::string address);

/// The same in any store.
Task<Result<accounts::Account>> account_in(store::Store& store, std::string address);

using Answer = Task<Result<std::string>>;

Answer account_add(Context& context, std::string request);
Answer account_list(Context& context, std::string request);
Answer account_show(Context& context, std::string request);
Answer account_passwd(Context& context, std::string request);
Answer account_status(Context& context, std::string request);
Answer account_quota(Context& context, std::string request);
Answer account_remove(Context& context, std::string request);
Answer domain_add(Context& context, std::string request);
Answer domain_list(Context& context, std::string request);
Answer domain_set(Context& context, std::string request);
Answer domain_remove(Context& context, std::string request);
Answer alias_set(Context& context, std::string request);
Answer alias_list(Context& context, std::string request);
Answer alias_remove(Context& context, std::string request);
Answer queue_list(Context& context, std::string request);
Answer queue_show(Context& context, std::string request);
Answer queue_retry(Context& context, std::string request);
Answer queue_hold(Context& context, std::string request);
Answer queue_release(Context& context, std::string request);
Answer queue_remove(Context& context, std::string request);
Answer mailbox_create(Context& context, std::string request);
Answer mailbox_list(Context& context, std::string request);
Answer email_add(Context& context, std::string request);
Answer email_digest(Context& context, std::string request);
Answer email_list(Context& context, std::string request);
Answer email_read(Context& context, std::string request);
Answer email_upload(Context& context, std::string request);
Answer backup_hold(Context& context, std::string request);
Answer backup_list(Context& context, std::string request);
Answer restore_begin(Context& context, std::string request);
Answer restore_step(Context& context, std::string request);
Answer rule_replay(Context& context, std::string request);

} // namespace mailcore::admin::detail
