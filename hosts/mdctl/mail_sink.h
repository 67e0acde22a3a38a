// Where an export puts messages: one class for each format.
#pragma once

#include "mail_files.h"

#include "libmailcore/base/clock.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mdctl {

/// How far the export of a mailbox came; kept in the folder.
struct ExportedMailbox {
    std::uint64_t uidvalidity = 0;
    std::uint64_t uid = 0;    ///< of the last message that is complete
    std::uint64_t octets = 0; ///< of the file that grows (mbox, the index of an .eml folder)
};

/// What is known of a message beside its octets.
struct EmailFacts {
    std::uint64_t uid = 0;
    std::uint64_t size = 0;
    mailcore::WallTime received;
    std::string received_text; ///< RFC 3339, with its zone
    std::vector<std::string> flags;
};

/// Takes messages of one mailbox after the other. A message is there as a whole or not at all; it
/// is durable once `flush` and `sync_files` have returned.
class MailSink {
  public:
    virtual ~MailSink() = default;
    /// Begins a mailbox, or goes on behind what `state` says: all that is newer is removed.
    /// Rejected: the format has no name for it.
    virtual Result<void> open(const std::vector<std::string>& levels,
                              const ExportedMailbox& state) = 0;
    virtual Result<void> begin(const EmailFacts& facts) = 0;
    virtual Result<void> write(std::string_view octets) = 0;
    virtual Result<void> finish() = 0;
    /// The message that was begun is not to be had.
    virtual Result<void> drop() = 0;
    /// Puts everything into files; answers what `ExportedMailbox::octets` is now.
    virtual Result<std::uint64_t> flush() = 0;
    /// Names of mailboxes that people want to see, where the format has a place for that.
    virtual Result<void> subscribe(const std::vector<std::vector<std::string>>& mailboxes) = 0;
    /// Keywords for which the format has no room.
    [[nodiscard]] virtual std::size_t keywords_lost() const { return 0; }
};

/// `host` stands in the names of files.
[[nodiscard]] std::unique_ptr<MailSink> make_maildir_sink(std::string folder, std::string host);
[[nodiscard]] std::unique_ptr<MailSink> make_mbox_sink(std::string folder);
[[nodiscard]] std::unique_ptr<MailSink> make_eml_sink(std::string folder);

} // namespace mdctl
