// Reading a whole backup: is it what it was, and does it hold what its server had?
#pragma once

#include "libmailcore/backup/backup.h"
#include "libmailcore/base/log.h"
#include "libmailcore/base/random.h"
#include "libmailcore/store/past_store.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mailcore::backup {

/// What `verify` found. The backup is good if there are no problems.
struct VerifyReport {
    Manifest manifest;
    WallTime from, until; ///< what can be restored: any state between, but for the gaps
    /// Where backups were made too rarely: what was written between these times is gone.
    std::vector<std::pair<WallTime, WallTime>> gaps;
    std::uint64_t octets = 0;
    std::uint64_t accounts = 0, mailboxes = 0, emails = 0, email_octets = 0, queued = 0;
    store::CheckReport store;
    std::vector<std::string> problems; ///< the first thousand
};

/// Compares all files with their digests, follows the log with all its checksums, reads every body
/// and compares each account with itself. Makes an index in the backup's folder meanwhile.
/// `open_index` may be empty: LMDB. Blocks, for long. NotFound, Corrupt, Rejected: as
/// `read_manifest`.
Result<VerifyReport> verify(base::FileSystem& files, const std::string& folder,
                            const OnProgress& progress, const store::IndexOpener& open_index,
                            base::Random& random, const base::Clock& clock, Log log);

} // namespace mailcore::backup
