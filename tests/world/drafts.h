// What readers file in their own mailboxes (IMAP APPEND), and what became of it.
#pragma once

#include "libmailcore/base/random.h"
#include "libmailcore/store/email.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::world {

struct MailboxKey {
    std::string mailbox, folder;
    std::uint32_t uidvalidity = 0;
    friend auto operator<=>(const MailboxKey&, const MailboxKey&) = default;
};

/// The number that a message which was appended in this world carries in its header.
[[nodiscard]] std::optional<std::uint64_t> draft_of(std::string_view octets);

struct Draft {
    std::uint64_t number = 0;
    std::string octets;
    std::set<std::string> flags;
    std::optional<store::Received> date;
};
/// RFC 9051 §9, date-time with its quotes.
[[nodiscard]] std::string date_time(const store::Received& date);

/// One APPEND, of several messages if it is more than one (RFC 3502).
struct Append {
    enum class Answer : std::uint8_t {
        None,    ///< it may be there
        Done,    ///< it is there
        Refused, ///< it is not there
    };
    std::string mailbox, folder;
    std::vector<Draft> drafts;
    Answer answer = Answer::None;
    bool refused_in_trouble = false; ///< by a server that may remember it all the same
    MailboxKey key;                  ///< where it is when it is done
    std::uint32_t first_uid = 0;     ///< ... and the UID of its first message
};

/// Every APPEND of a world. What it gives stays where it is.
class Appends {
  public:
    Append& write(Random& random, std::string mailbox, std::string folder);
    [[nodiscard]] const std::deque<Append>& all() const { return appends_; }
    [[nodiscard]] const Draft* find(std::uint64_t number) const;

    /// At rest: a message of that number is, or was, there.
    void found(std::uint64_t number, const MailboxKey& key, std::uint32_t uid,
               std::string_view octets);
    /// What does not hold of what was found:
    /// - what was answered OK is there, once, where it was said to be;
    /// - what was refused is not, and what was not answered at most once, all of it or nothing;
    /// - each as it was sent, and where it was sent to.
    [[nodiscard]] std::vector<std::string> examine() const;

  private:
    struct Place {
        MailboxKey key;
        std::uint32_t uid = 0;
        bool altered = false;
    };
    std::deque<Append> appends_;
    std::map<std::uint64_t, const Draft*> drafts_; // of appends_
    std::map<std::uint64_t, std::vector<Place>> places_;
};

} // namespace mailcore::world
