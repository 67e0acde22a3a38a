// Making a data folder out of a backup.
#pragma once

#include "libmailcore/backup/backup.h"
#include "libmailcore/base/log.h"
#include "libmailcore/base/random.h"
#include "libmailcore/base/task.h"
#include "libmailcore/store/journal_store.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::backup {

/// What becomes of mail that was under way: some of it may have been handed over since.
enum class QueuedMail : std::uint8_t {
    Hold,    ///< until somebody releases it
    Release, ///< it goes out when a server starts
    Drop,    ///< nobody is told
};

struct RestoreOptions {
    /// The state at this time; nothing: the newest.
    std::optional<WallTime> at;
    QueuedMail queued = QueuedMail::Hold;
    store::JournalStoreOptions store; ///< it is opened to change what must change
    OnProgress progress;
};

struct RestoreReport {
    Manifest manifest;
    WallTime at; ///< when the last change was made that is in it
    std::uint64_t accounts = 0, mailboxes = 0, emails = 0, email_octets = 0;
    std::uint64_t queued = 0; ///< recipients that were held or dropped, or are left
    std::vector<std::string> settings;
    /// What of the backup is damaged; everything else is restored.
    std::vector<std::string> problems;
};

/// Fills `folder`, which is empty or missing and whose parent exists, with the store as it was and
/// the settings of the backup. Every mailbox gets a new UIDVALIDITY (RFC 9051 §2.3.1.1) and every
/// account a new epoch: clients must not take old numbers for new mail. The store goes on under the
/// id it had, with numbers of files that the original does not come to. `mdserver.toml` comes last:
/// a folder without it was not finished. Conflict: the folder is not empty. NotFound: there is no
/// backup, or it does not reach back that far. Blocks the scheduler's thread.
Task<Result<RestoreReport>> restore(base::FileSystem& files, std::string backup, std::string folder,
                                    RestoreOptions options, base::Random& random,
                                    const base::Clock& clock, Log log);

} // namespace mailcore::backup
