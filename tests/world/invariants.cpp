#include "tests/world/invariants.h"

#include "libmailcore/codec/ascii.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace mailcore::world {

namespace {

constexpr std::size_t received_fields_max = 14;

/// Is `name` what servers of this world add on top?
bool is_added(std::string_view field) {
    for (const std::string_view name : {"Return-Path:", "Received:", "Delivered-To:", "X-Rule:"})
        if (field.starts_with(name)) return true;
    return false;
}

/// The message without the fields that were added to it; nothing: too many of them, it went round.
std::optional<std::string> as_sent(std::string_view octets) {
    std::string out;
    std::size_t received = 0;
    bool added = false;
    while (!octets.empty() && !octets.starts_with("\r\n")) {
        const auto line = octets.substr(0, octets.find('\n') + 1);
        if (!line.starts_with(' ') && !line.starts_with('\t')) {
            added = is_added(line);
            received += line.starts_with("Received:") ? 1 : 0;
        }
        if (!added) out += line;
        if (line.empty()) break;
        octets.remove_prefix(line.size());
    }
    if (received > received_fields_max) return std::nullopt;
    return out + std::string(octets);
}

struct Report {
    std::string recipient;
    std::string action;
};

bool is_report(std::string_view octets) {
    return octets.substr(0, octets.find("\r\n\r\n")).find("multipart/report") !=
           std::string_view::npos;
}

std::vector<Report> reports_of(std::string_view octets) {
    std::vector<Report> reports;
    constexpr std::string_view recipient = "Final-Recipient: rfc822;", action = "Action: ";
    for (auto at = octets.find(recipient); at != std::string_view::npos;
         at = octets.find(recipient, at + 1)) {
        const auto rest = octets.substr(at + recipient.size());
        Report report;
        report.recipient = codec::trim(rest.substr(0, rest.find("\r\n")));
        if (const auto what = rest.find(action); what != std::string_view::npos)
            report.action =
                rest.substr(what + action.size(), rest.find("\r\n", what) - what - action.size());
        reports.push_back(std::move(report));
    }
    return reports;
}

class Examination {
  public:
    Examination(Letters& letters, const Rest& rest) : letters_(letters), rest_(rest) {}

    Counts run() {
        for (const auto& folder : rest_.folders)
            if (folder.key.folder == "INBOX") look_at_inbox(folder);
        for (const auto& folder : rest_.folders)
            if (folder.key.folder != "INBOX") look_at_other(folder);
        for (const auto& [key, messages] : letters_.seen)
            for (const auto& [uid, message] : messages) sort(key, uid, message);
        for (const auto& folder : rest_.folders)
            for (const auto& [uid, message] : folder.messages) look_at_draft(folder, uid, message);
        for (auto& what : letters_.appends.examine()) letters_.complain(std::move(what));
        for (const auto& append : letters_.appends.all()) {
            ++counts_.appends;
            counts_.appended += append.answer == Append::Answer::Done ? 1 : 0;
        }
        for (const auto& [number, letter] : letters_.letters)
            for (const auto& recipient : letter.recipients) follow(letter, recipient);
        for (const auto& [where, count] : copies_) {
            const auto& letter = letters_.letters.at(where.first);
            const bool meant = std::ranges::any_of(letter.recipients, [&](const auto& recipient) {
                return letters_.addresses.ends(recipient).contains(where.second);
            });
            if (!meant)
                letters_.complain(fmt::format("letter {} is in the mailbox of {}, for whom it is "
                                              "not",
                                              where.first, where.second));
            counts_.copies += count;
        }
        counts_.letters = letters_.letters.size();
        return counts_;
    }

  private:
    void look_at_inbox(const Folder& folder) {
        letters_.select(folder.key, folder.uidnext, folder.modseq);
        for (const auto& [uid, message] : folder.messages) {
            letters_.see(folder.key, uid, message.octets);
            if (letters_.find(folder.key, uid)->gone)
                letters_.complain(
                    fmt::format("UID {} of {} was expunged and is there", uid, folder.key.mailbox));
        }
        for (const auto& [uid, message] : letters_.seen[folder.key])
            if (!message.removed && !folder.messages.contains(uid))
                letters_.complain(fmt::format("UID {} of {} is gone, and nobody removed it", uid,
                                              folder.key.mailbox));
    }

    /// Only copies that readers have asked for, and what they have appended.
    void look_at_other(const Folder& folder) {
        if (folder.key.folder != "Archive") {
            for (const auto& [uid, message] : folder.messages)
                if (const auto number = draft_of(message.octets))
                    letters_.appends.found(*number, folder.key, uid, message.octets);
                else
                    letters_.complain(fmt::format("UID {} of {} {} was never put there", uid,
                                                  folder.key.mailbox, folder.key.folder));
            return;
        }
        struct Copies {
            unsigned there = 0, asked = 0, made = 0;
        };
        std::map<std::string, Copies> copies;
        for (const auto& [uid, message] : folder.messages) ++copies[message.octets].there;
        for (const auto& [key, messages] : letters_.seen)
            if (key.mailbox == folder.key.mailbox)
                for (const auto& [uid, message] : messages) {
                    if (message.copies_asked == 0) continue;
                    auto& each = copies[message.octets];
                    each.asked += message.copies_asked;
                    each.made += message.copies_made;
                }
        for (const auto& [octets, each] : copies)
            if (each.there < each.made || each.there > each.asked)
                letters_.complain(fmt::format("{} of {} has letter {} {} times; asked {} times, "
                                              "told of {}",
                                              folder.key.folder, folder.key.mailbox,
                                              letter_of(octets).value_or(0), each.there, each.asked,
                                              each.made));
    }

    /// Also a copy of one has its flags and its date.
    void look_at_draft(const Folder& folder, std::uint32_t uid, const Folder::Message& message) {
        const auto number = draft_of(message.octets);
        const auto* draft = number ? letters_.appends.find(*number) : nullptr;
        if (!draft) return;
        const auto where = fmt::format("draft {} as UID {} of {} {} ", *number, uid,
                                       folder.key.mailbox, folder.key.folder);
        if (draft->date && message.received != *draft->date)
            letters_.complain(where + "is of " + date_time(message.received) + " and not of " +
                              date_time(*draft->date));
        if (!flagged_drafts_.contains(*number) && message.flags != draft->flags)
            letters_.complain(fmt::format("{}has the flags {} and not {}", where,
                                          fmt::join(message.flags, " "),
                                          fmt::join(draft->flags, " ")));
    }

    void sort(const MailboxKey& key, std::uint32_t uid, const Seen& message) {
        if (const auto draft = draft_of(message.octets)) {
            letters_.appends.found(*draft, key, uid, message.octets);
            if (message.flagged) flagged_drafts_.insert(*draft);
            const auto* sent = letters_.appends.find(*draft);
            if (sent && sent->date && !message.date.empty() &&
                message.date != date_time(*sent->date))
                letters_.complain(fmt::format("draft {} is told to be of {} and not of {}", *draft,
                                              message.date, date_time(*sent->date)));
            return;
        }
        const auto number = letter_of(message.octets);
        const auto found = number ? letters_.letters.find(*number) : letters_.letters.end();
        const auto where = fmt::format("UID {} of {}", uid, key.mailbox);
        if (found == letters_.letters.end()) {
            letters_.complain(where + " was never sent: " + message.octets.substr(0, 300));
            return;
        }
        const auto& letter = found->second;
        if (!is_report(message.octets)) {
            const auto octets = as_sent(message.octets);
            if (octets != letter.octets)
                letters_.complain(where + (octets ? " was altered: " : " went in circles: ") +
                                  message.octets.substr(0, 600));
            ++copies_[{letter.number, key.mailbox}];
            return;
        }
        if (letter.sender != key.mailbox)
            letters_.complain(where + " is a report for " + letter.sender);
        for (const auto& report : reports_of(message.octets))
            if (report.action == "failed") {
                ++bounces_[{letter.number, report.recipient}];
                ++counts_.bounces;
            }
    }

    void follow(const Letter& letter, const std::string& recipient) {
        const auto count = [&](const std::map<std::string, unsigned>& counts,
                               const std::string& address) {
            const auto found = counts.find(address);
            return found == counts.end() ? 0U : found->second;
        };
        const auto certain = count(letter.acknowledged, recipient);
        const auto perhaps = count(letter.perhaps, recipient);
        counts_.acknowledged += certain;
        const auto way = letters_.addresses.way(recipient);
        unsigned doubts = 0, bounces = 0;
        for (const auto& address : way) {
            doubts += count(letter.uncertain, address);
            const auto bounced = bounces_.find({letter.number, address});
            if (bounced != bounces_.end()) bounces += bounced->second;
        }
        const bool waits = std::ranges::any_of(rest_.waiting, [&](const Waiting& row) {
            return row.letter == letter.number && (row.sender.empty() || way.contains(row.address));
        });
        const auto describe = [&](std::string_view mailbox, unsigned copies) {
            return fmt::format("letter {} from {} for {} ({}): answered 250 {} times, perhaps {} "
                               "times more, handed on in doubt {} times; {} copies, {} bounces{}",
                               letter.number, letter.sender, recipient, mailbox, certain, perhaps,
                               doubts, copies, bounces, waits ? ", still queued" : "");
        };
        const auto ends = letters_.addresses.ends(recipient);
        const bool settled = bounces > 0 || waits || may_be_given_up(letter);
        for (const auto& mailbox : ends) {
            const auto found = copies_.find({letter.number, mailbox});
            const auto copies = found == copies_.end() ? 0U : found->second;
            if (certain > 0 && copies == 0 && !settled)
                letters_.complain("lost: " + describe(mailbox, copies));
            if (copies > certain + perhaps + doubts)
                letters_.complain("too often: " + describe(mailbox, copies));
            if (copies > 1) counts_.doubles += copies - 1;
            if (ends.size() == 1 && copies > 0 && bounces > 0 &&
                certain + perhaps + doubts + letter.uncertain_reports < 2)
                letters_.complain("delivered and bounced: " + describe(mailbox, copies));
        }
        if (ends.empty() && certain > 0 && !settled)
            letters_.complain("neither bounced nor queued: " + describe("nobody", 0));
        const auto bounces_max =
            (certain + perhaps + doubts) * std::max<std::size_t>(1, ends.size()) +
            letter.uncertain_reports;
        if (bounces > bounces_max)
            letters_.complain("bounced too often: " + describe("its sender", 0));
    }

    /// A report about it, from another server than its author's.
    [[nodiscard]] bool may_be_given_up(const Letter& letter) const {
        const auto home = letter.sender.substr(letter.sender.find('@') + 1);
        return std::ranges::any_of(letters_.given_up, [&](const auto& each) {
            return !each.first.ends_with("." + home) && each.second.contains(home);
        });
    }

    Letters& letters_;
    const Rest& rest_;
    Counts counts_;
    std::map<std::pair<std::uint64_t, std::string>, unsigned> copies_;  // by letter and mailbox
    std::map<std::pair<std::uint64_t, std::string>, unsigned> bounces_; // by letter and address
    std::set<std::uint64_t> flagged_drafts_; // their flags are no more those of APPEND
};

} // namespace

Counts examine(Letters& letters, const Rest& rest) { return Examination(letters, rest).run(); }

} // namespace mailcore::world
