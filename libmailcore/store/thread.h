// Threads: emails of an account that answer each other (RFC 8621 §3, RFC 8474 §5.2).
#pragma once

#include "libmailcore/store/transaction.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::store {

class AccountEdit;

/// Digest of a message identifier together with a base subject: two emails belong to one thread if
/// they share one.
using ThreadKey = std::array<unsigned char, 12>;
inline constexpr std::size_t thread_keys_max = 12;

/// Keys of an email from its identifiers, own first. Beyond `thread_keys_max` those in the middle
/// are left out: the nearest and the farthest ancestors find the thread. An email without any has a
/// thread of its own.
[[nodiscard]] std::vector<ThreadKey> thread_keys(const std::vector<std::string>& message_ids,
                                                 std::string_view base_subject);

/// The thread of the first key that is known, else a new one; and the rows that put `email` into
/// it. At most `thread_keys_max` look-ups. Threads are never joined later: THREADID does not
/// change.
TxnTask<Result<ThreadId>> join_thread(AccountEdit& edit, EmailId email,
                                      std::vector<ThreadKey> keys);
/// Removes the rows that `join_thread` put: a key is known as long as an email has it.
void leave_thread(AccountEdit& edit, EmailId email, ThreadId thread,
                  const std::vector<ThreadKey>& keys);

/// The emails of a thread by id, at most `emails_max`.
TxnTask<Result<std::vector<EmailId>>> thread_emails(ReadTransaction& txn, AccountId owner,
                                                    ThreadId thread,
                                                    std::size_t emails_max = 1'000);

} // namespace mailcore::store
