// backup.json: what a backup consists of.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/file.h"
#include "libmailcore/base/result.h"
#include "libmailcore/crypto/hash.h"
#include "libmailcore/journal/format.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::backup {

inline constexpr std::string_view manifest_name = "backup.json";
/// Below the data folder, and below the backup's.
inline constexpr std::string_view journal_folder = "store/journal";
inline constexpr std::uint64_t manifest_octets_max = std::uint64_t{256} << 20;

/// A file of a backup: its first `octets` octets count.
struct BackupFile {
    std::string path; ///< in the data folder
    std::string name; ///< in the backup's folder
    std::uint64_t octets = 0;
    crypto::Blake2b256::Digest digest{}; ///< of those octets
    /// When it was seen that the server has it no more. Kept for restoring what was before.
    std::optional<WallTime> gone;
    friend bool operator==(const BackupFile&, const BackupFile&) = default;
};

/// What the last backup into a folder left there. A value.
struct Manifest {
    journal::StoreId store{};
    std::string hostname;
    std::string release; ///< that made it
    WallTime made;
    journal::Position position = 0; ///< up to here the log is there
    std::vector<BackupFile> files;
    friend bool operator==(const Manifest&, const Manifest&) = default;
};

[[nodiscard]] std::string encode(const Manifest& manifest);
/// Corrupt: it is no manifest, or names files outside of the two folders. Rejected: of a later
/// release.
Result<Manifest> parse_manifest(std::string_view text);
/// NotFound: there is no backup in `folder`.
Result<Manifest> read_manifest(base::FileSystem& files, const std::string& folder);

} // namespace mailcore::backup
