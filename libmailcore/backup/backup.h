// Copying a server's data folder while it is in use, again and again into the same place.
#pragma once

#include "libmailcore/backup/manifest.h"
#include "libmailcore/base/clock.h"
#include "libmailcore/base/file.h"
#include "libmailcore/journal/journal.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::backup {

/// How far copying is.
struct Progress {
    std::uint64_t octets = 0, octets_of = 0;
    std::size_t files = 0, files_of = 0;
};
using OnProgress = std::function<void(const Progress&)>; ///< may be empty

/// What is copied.
struct BackupSource {
    std::string data; ///< the data folder
    /// What the store consists of now. Asked again when a file goes while it is being copied.
    std::function<Result<journal::Inventory>()> inventory;
    /// Files of the data folder beside the store, as paths in it: settings, keys, rules.
    std::vector<std::string> settings;
    std::string hostname;
};

struct BackupOptions {
    /// Files of the journal that the server has no more are kept, so that what was before can be
    /// restored; with a duration, those that went longer ago than that are removed. Nothing: none
    /// is.
    std::optional<std::chrono::seconds> keep;
    OnProgress progress;
};

struct BackupReport {
    Manifest manifest;
    std::size_t files_copied = 0;
    std::uint64_t octets_copied = 0;
    std::size_t files_removed = 0;
};

inline constexpr std::uint64_t settings_file_octets_max = std::uint64_t{64} << 20;
inline constexpr int inventories_max = 20; ///< asked for in one backup

/// Makes `folder`, whose parent exists, a backup of `source`, or brings it up to date: what is
/// there already is not copied again. Until it returns, the backup that was there before stays what
/// it was, whenever the process ends or the power is cut. Blocks. Conflict: another one is being
/// made there, or it is of another store. Rejected: made by a later release. Corrupt: its manifest
/// is damaged. LimitExceeded: no room, or files go faster than they can be copied.
Result<BackupReport> make_backup(base::FileSystem& files, const BackupSource& source,
                                 const std::string& folder, const BackupOptions& options,
                                 const base::Clock& clock);

} // namespace mailcore::backup
