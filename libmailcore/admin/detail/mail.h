// What the operations on an account's emails share.
#pragma once

#include "libmailcore/admin/detail/operations.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/crypto/hash.h"
#include "libmailcore/store/email.h"
#include "libmailcore/store/flags.h"
#include "libmailcore/store/mailbox.h"

namespace mailcore::admin::detail {

/// A mailbox that a request names, and to whom it belongs.
struct Target {
    accounts::Account account;
    store::Mailbox mailbox;
    [[nodiscard]] store::Access access() const { return store::Access::owner(account.id); }
    [[nodiscard]] store::MailboxRef ref() const { return {account.id, mailbox.id}; }
};
/// NotFound: the account, the mailbox, or it is only a name above others.
Task<Result<Target>> target_of(Context& context, std::string address, std::string mailbox);

/// The UIDs of a request.
[[nodiscard]] store::UidSet uid_set(const std::vector<std::uint64_t>& numbers);

/// The digest of all octets of an email, which outlives the call; read in bounded pieces.
Task<Result<crypto::Blake2b256::Digest>> digest_of(store::Store& store, const store::Email& email);

/// Flags by IMAP's names, and back. Nothing: one is no flag that can be stored.
[[nodiscard]] std::vector<std::string> flag_names(const store::MessageFlags& flags,
                                                  const std::vector<std::string>& keywords);
[[nodiscard]] std::optional<store::NamedFlags> parse_flags(const std::vector<std::string>& names);

} // namespace mailcore::admin::detail
