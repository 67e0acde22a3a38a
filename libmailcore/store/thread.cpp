#include "libmailcore/store/thread.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/crypto/hash.h"
#include "libmailcore/store/account.h"
#include "libmailcore/store/detail/model_rows.h"

#include <algorithm>
#include <set>

namespace mailcore::store {

namespace {

Key thread_key(AccountId account, const ThreadKey& key) {
    return Key(account, Table::ThreadKeys)
        .text({reinterpret_cast<const char*>(key.data()), key.size()});
}

} // namespace

std::vector<ThreadKey> thread_keys(const std::vector<std::string>& message_ids,
                                   std::string_view base_subject) {
    // RFC 8621 §3: subjects are compared without their white space; people do not type them alike.
    auto subject = codec::fold_case_sanitised(base_subject);
    std::erase_if(subject, [](char c) { return codec::is_space(c); });
    crypto::Blake2b256 of_subject;
    of_subject.update(subject);
    of_subject.update(std::string_view("\0", 1));

    std::vector<std::string_view> chosen;
    const auto choose = [&](const std::string& id) {
        if (!id.empty() && std::find(chosen.begin(), chosen.end(), id) == chosen.end())
            chosen.push_back(id);
    };
    // All but the last place from the front, then the farthest ancestor, the root of the thread.
    for (const auto& id : message_ids) {
        if (chosen.size() + 1 >= thread_keys_max) break;
        choose(id);
    }
    if (!message_ids.empty()) choose(message_ids.back());

    std::vector<ThreadKey> keys;
    for (const auto id : chosen) {
        auto hash = of_subject;
        hash.update(id);
        const auto digest = hash.finish();
        ThreadKey key;
        std::copy_n(digest.begin(), key.size(), key.begin());
        keys.push_back(key);
    }
    return keys;
}

TxnTask<Result<ThreadId>> join_thread(AccountEdit& edit, EmailId email,
                                      std::vector<ThreadKey> keys) {
    auto& txn = edit.txn();
    ThreadId thread;
    for (const auto& key : keys) {
        const auto all = thread_key(edit.owner(), key);
        const auto end = all.end();
        MAILCORE_CO_TRY(const auto rows, txn.range(all.str(), end, 1));
        if (rows.empty()) continue;
        const auto known = detail::decode_id(rows.front().value);
        if (!known) co_return std::unexpected(known.error());
        thread = ThreadId{*known};
        break;
    }
    if (thread.value == 0) thread = ThreadId{edit.next_id()};
    for (const auto& key : keys)
        txn.put(thread_key(edit.owner(), key).id(email).str(), detail::encode_id(thread.value));
    txn.put(Key(edit.owner(), Table::ThreadMember).id(thread).id(email).str(),
            detail::encode_mark());
    co_return thread;
}

void leave_thread(AccountEdit& edit, EmailId email, ThreadId thread,
                  const std::vector<ThreadKey>& keys) {
    for (const auto& key : keys) edit.txn().erase(thread_key(edit.owner(), key).id(email).str());
    edit.txn().erase(Key(edit.owner(), Table::ThreadMember).id(thread).id(email).str());
}

TxnTask<Result<std::vector<EmailId>>> thread_emails(ReadTransaction& txn, AccountId owner,
                                                    ThreadId thread, std::size_t emails_max) {
    const auto all = Key(owner, Table::ThreadMember).id(thread);
    const auto end = all.end();
    MAILCORE_CO_TRY(const auto rows, txn.range(all.str(), end, emails_max));
    std::vector<EmailId> emails;
    for (const auto& row : rows) emails.emplace_back(detail::key_u64(row.key, 8));
    co_return emails;
}

} // namespace mailcore::store
