// Copying files of a backup in bounded memory, with their digests.
#pragma once

#include "libmailcore/base/file.h"
#include "libmailcore/crypto/hash.h"

#include <cstdint>
#include <functional>
#include <string>

namespace mailcore::backup::detail {

using Digest = crypto::Blake2b256::Digest;
using OnOctets = std::function<void(std::uint64_t octets)>; ///< may be empty

/// The digest of the first `octets` octets of a file. Corrupt: it is shorter. NotFound.
Result<Digest> digest_of(base::FileSystem& files, const std::string& path, std::uint64_t octets,
                         const OnOctets& read);
/// Copies the first `octets` octets to `to`, of which only the first `kept` are written, and syncs
/// them: there is the old file or the new one, never a part. Answers the digest of all `octets`.
/// The folder is the caller's to sync. Corrupt: it is shorter. NotFound.
Result<Digest> copy(base::FileSystem& files, const std::string& from, std::uint64_t octets,
                    const std::string& to, std::uint64_t kept, const OnOctets& read);
/// What a copy that was interrupted leaves has a name that ends so.
inline constexpr std::string_view partial_ends = ".part";

} // namespace mailcore::backup::detail
