// Where an import takes messages from: one class for each format.
#pragma once

#include "mail_files.h"

#include "libmailcore/mime/date.h"
#include "libmailcore/mime/mbox.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mdctl {

/// A mailbox as the files have it.
struct SourceMailbox {
    std::vector<std::string> levels; ///< {"INBOX"} for that one
    std::string role;                ///< "sent" ...; empty: not said
    std::string place;               ///< its folder or file
    std::uint64_t messages = 0;      ///< 0: not known yet
    std::uint64_t octets = 0;
    std::optional<bool> subscribed;
};

/// A message, or why there is none.
struct SourceEmail {
    std::string name; ///< for people: which one it is
    std::string octets;
    std::uint64_t size = 0; ///< of what was read for it
    std::optional<mailcore::mime::DateTime> received;
    std::vector<std::string> flags;
    std::string problem; ///< not empty: it is left out
    std::string warning; ///< it is taken, but something is odd
};

class MailSource {
  public:
    virtual ~MailSource() = default;
    /// All there are, parents before children.
    virtual Result<std::vector<SourceMailbox>> mailboxes() = 0;
    virtual Result<void> open(const SourceMailbox& mailbox) = 0;
    /// The next message of the mailbox that is open; nothing: that was all.
    virtual std::optional<SourceEmail> next() = 0;
};

struct SourceOptions {
    std::string path;
    std::optional<MailFormat> format;
    mailcore::mime::MboxOptions mbox; ///< `message_octets_max` is for all formats
};
/// Recognises the format if none is named. NotFound, Rejected: nothing to read there.
Result<std::unique_ptr<MailSource>> open_source(const SourceOptions& options);

} // namespace mdctl
