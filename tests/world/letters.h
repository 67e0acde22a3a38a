// What was sent in a world and where it leads, what people have seen, and what they took away.
#pragma once

#include "libmailcore/base/random.h"
#include "tests/world/drafts.h"
#include "tests/world/handover.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::world {

/// The number that a message of this world carries in its header, also one inside a report.
[[nodiscard]] std::optional<std::uint64_t> letter_of(std::string_view octets);

/// Who has a mailbox, and what other addresses lead to.
class Addresses {
  public:
    std::set<std::string> mailboxes;
    std::map<std::string, std::vector<std::string>> aliases;

    /// The mailboxes where mail for `address` ends, none if it leads nowhere or in circles.
    [[nodiscard]] std::set<std::string> ends(const std::string& address) const;
    /// All addresses on the way to them, its own included.
    [[nodiscard]] std::set<std::string> way(const std::string& address) const;
};

struct Letter {
    std::uint64_t number = 0;
    std::string sender;
    std::vector<std::string> recipients;
    std::string octets;
    /// By recipient: how often a server has taken it from its author, for certain and perhaps.
    std::map<std::string, unsigned> acknowledged, perhaps;
    /// By recipient: how often two servers may have disagreed about who has it.
    std::map<std::string, unsigned> uncertain;
    unsigned uncertain_reports = 0;
};

/// One message that was in a mailbox.
struct Seen {
    std::string octets;
    bool removed = false; ///< somebody asked for that, and it may have happened
    bool gone = false;    ///< somebody was told that it has
    bool flagged = false; ///< somebody has stored flags
    std::string date;     ///< INTERNALDATE in quotes; empty: nobody has asked
    unsigned copies_asked = 0, copies_made = 0; ///< into Archive, by COPY and MOVE
};

/// What is known from outside. Whatever contradicts it is kept in `wrong`.
class Letters {
  public:
    Addresses addresses;
    std::map<std::uint64_t, Letter> letters;
    std::map<MailboxKey, std::map<std::uint32_t, Seen>> seen; ///< by UID
    Appends appends;
    std::vector<std::string> wrong; ///< first ones only
    /// Which servers may have given up a report to a domain: they were told lies about it that
    /// are for good, or their clock jumped beyond the lifetime of reports. Nobody is told of that
    /// (RFC 5321 §6.1).
    std::map<std::string, std::set<std::string>> given_up;

    Letter& write(Random& random, const std::string& sender, std::vector<std::string> recipients,
                  std::size_t lines);
    void acknowledge(std::uint64_t number, const std::vector<std::string>& recipients);
    /// A handover of which only one side knows what became of it.
    void doubt(bool by_author, const Handover& handover);

    /// A reader was shown this. The same UID is always the same message.
    void see(const MailboxKey& mailbox, std::uint32_t uid, std::string_view octets);
    /// ... and this is its INTERNALDATE, which never changes either. It was seen.
    void see_date(const MailboxKey& mailbox, std::uint32_t uid, std::string_view date);
    [[nodiscard]] bool has_seen(const MailboxKey& mailbox, std::uint32_t uid) const;
    void remove(const MailboxKey& mailbox, std::uint32_t uid);
    /// Absent: nobody has seen it.
    [[nodiscard]] Seen* find(const MailboxKey& mailbox, std::uint32_t uid);
    /// What SELECT says; none of it ever goes back.
    void select(const MailboxKey& mailbox, std::uint32_t uidnext, std::uint64_t modseq);
    void complain(std::string what);

  private:
    struct Counters {
        std::uint32_t uidnext = 0;
        std::uint64_t modseq = 0;
    };
    std::map<MailboxKey, Counters> counters_;
};

} // namespace mailcore::world
