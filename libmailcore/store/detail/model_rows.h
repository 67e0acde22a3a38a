// The rows of the mailbox model as octets, and back. Each begins with its format's version.
#pragma once

#include "libmailcore/store/account.h"
#include "libmailcore/store/email.h"
#include "libmailcore/store/keys.h"
#include "libmailcore/store/mailbox.h"

#include <string>
#include <string_view>
#include <vector>

namespace mailcore::store::detail {

[[nodiscard]] std::string encode(const AccountState& state);
[[nodiscard]] Result<AccountState> decode_account(std::string_view row);

[[nodiscard]] std::string encode(const Mailbox& mailbox);
[[nodiscard]] Result<Mailbox> decode_mailbox(MailboxId id, std::string_view row);

/// One id behind a version: rows of MailboxName and ThreadKeys.
[[nodiscard]] std::string encode_id(std::uint64_t id);
[[nodiscard]] Result<std::uint64_t> decode_id(std::string_view row);

/// A row that only has to be there.
[[nodiscard]] std::string encode_mark();

[[nodiscard]] std::string encode_texts(const std::vector<std::string>& texts);
[[nodiscard]] Result<std::vector<std::string>> decode_texts(std::string_view row);

[[nodiscard]] std::string encode(const std::vector<AclEntry>& entries);
[[nodiscard]] Result<std::vector<AclEntry>> decode_acl(std::string_view row);

/// UIDs in rows of about `octets_max`.
[[nodiscard]] std::vector<std::string> encode_uids(const UidSet& uids, std::size_t octets_max);
[[nodiscard]] Result<void> decode_uids(std::string_view row, UidSet& into);

/// Ascending ids in rows of about `octets_max`.
[[nodiscard]] std::vector<std::string> encode_ids(const std::vector<std::uint64_t>& ids,
                                                  std::size_t octets_max);
[[nodiscard]] Result<void> decode_ids(std::string_view row, std::vector<std::uint64_t>& into);

/// An email's rows, in order of their parts; `email.id` is in the key.
[[nodiscard]] std::vector<std::string> encode(const Email& email);
/// `octets` is all parts together.
[[nodiscard]] Result<Email> decode_email(EmailId id, std::string octets);

/// What stays below the size up to which LMDB keeps rows in its leaves.
inline constexpr std::size_t row_octets = 1'000;

/// Big-endian numbers at the end of keys.
[[nodiscard]] std::uint32_t key_u32(std::string_view key, std::size_t from_end);
[[nodiscard]] std::uint64_t key_u64(std::string_view key, std::size_t from_end);

[[nodiscard]] std::unexpected<Error> corrupt(std::string_view what, std::uint64_t id);

} // namespace mailcore::store::detail
