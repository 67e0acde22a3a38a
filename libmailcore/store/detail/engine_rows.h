// The rows that an engine keeps for itself: keys that begin with octet 0, out of reach of
// transactions.
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/store/ids.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::store::detail {

/// The first key that belongs to the store's users.
inline constexpr std::string_view user_keys_from{"\x01", 1};

/// The highest number handed out by `next_id`, 64 bits little endian.
inline constexpr std::string_view last_id_key{"\0i", 2};

/// In an index: how far the journal is applied to it. Absent until it is complete.
inline constexpr std::string_view applied_key{"\0a", 2};

/// When all bodies were read and checked last.
inline constexpr std::string_view scrubbed_key{"\0u", 2};

/// Where a body lies.
[[nodiscard]] std::string blob_key(BlobId blob);
/// That `owner` needs `blob`. All of a blob's are in `references_of`.
[[nodiscard]] std::string reference_key(BlobId blob, std::string_view owner);
struct KeyRange {
    std::string from, to;
};
[[nodiscard]] KeyRange references_of(BlobId blob);
[[nodiscard]] KeyRange all_blobs();
[[nodiscard]] KeyRange all_references();
/// The blob that such a key is about; nothing: it is another kind of key.
[[nodiscard]] std::optional<BlobId> blob_of_key(std::string_view key);
[[nodiscard]] std::optional<BlobId> blob_of_reference(std::string_view key);

[[nodiscard]] std::string encode_number(std::uint64_t number);
[[nodiscard]] Result<std::uint64_t> decode_number(std::string_view value);

} // namespace mailcore::store::detail
