#include "tests/world/letters.h"

#include "libmailcore/codec/number.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>

namespace mailcore::world {

namespace {

constexpr std::string_view number_field = "X-World-Letter: ";
constexpr std::size_t complaints_max = 5;

} // namespace

std::optional<std::uint64_t> letter_of(std::string_view octets) {
    const auto at = octets.find(number_field);
    if (at == std::string_view::npos) return std::nullopt;
    const auto rest = octets.substr(at + number_field.size());
    const auto end = rest.find('\r');
    if (end == std::string_view::npos) return std::nullopt;
    return codec::parse_u32(rest.substr(0, end), UINT32_MAX);
}

std::set<std::string> Addresses::way(const std::string& address) const {
    std::set<std::string> way;
    std::vector<std::string> open{address};
    while (!open.empty()) {
        auto next = std::move(open.back());
        open.pop_back();
        if (!way.insert(next).second) continue;
        if (const auto alias = aliases.find(next); alias != aliases.end())
            open.insert(open.end(), alias->second.begin(), alias->second.end());
    }
    return way;
}

std::set<std::string> Addresses::ends(const std::string& address) const {
    std::set<std::string> ends;
    for (const auto& each : way(address))
        if (mailboxes.contains(each)) ends.insert(each);
    return ends;
}

Letter& Letters::write(Random& random, const std::string& sender,
                       std::vector<std::string> recipients, std::size_t lines) {
    const auto number = letters.size() + 1;
    auto& letter = letters[number];
    letter.number = number;
    letter.sender = sender;
    letter.octets = fmt::format("From: <{}>\r\nTo: <{}>\r\nSubject: letter {}\r\n"
                                "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
                                "Message-ID: <{}.{}@world.test>\r\n{}{}\r\n\r\n",
                                sender, recipients.front(), number, number, random.hex(4),
                                number_field, number);
    for (; lines > 0; --lines)
        letter.octets +=
            (random.below(4) == 0 ? "." : "") + random.hex(1 + random.below(35)) + "\r\n";
    letter.recipients = std::move(recipients);
    return letter;
}

void Letters::acknowledge(std::uint64_t number, const std::vector<std::string>& recipients) {
    for (const auto& each : recipients) ++letters.at(number).acknowledged[each];
}

void Letters::doubt(bool by_author, const Handover& handover) {
    if (!handover.letter) return;
    const auto found = letters.find(*handover.letter);
    if (found == letters.end()) return;
    if (handover.report) {
        ++found->second.uncertain_reports;
        return;
    }
    auto& counts = by_author ? found->second.perhaps : found->second.uncertain;
    for (const auto& each : handover.recipients) ++counts[each];
}

void Letters::see(const MailboxKey& mailbox, std::uint32_t uid, std::string_view octets) {
    auto [at, fresh] = seen[mailbox].try_emplace(uid);
    if (fresh)
        at->second.octets = octets;
    else if (at->second.octets != octets)
        complain(fmt::format("UID {} of {} {} is now another message", uid, mailbox.mailbox,
                             mailbox.folder));
}

void Letters::see_date(const MailboxKey& mailbox, std::uint32_t uid, std::string_view date) {
    auto& known = seen[mailbox][uid].date;
    if (known.empty())
        known = date;
    else if (known != date)
        complain(fmt::format("INTERNALDATE of UID {} of {} {} was {} and is {}", uid,
                             mailbox.mailbox, mailbox.folder, known, date));
}

bool Letters::has_seen(const MailboxKey& mailbox, std::uint32_t uid) const {
    const auto found = seen.find(mailbox);
    return found != seen.end() && found->second.contains(uid);
}

Seen* Letters::find(const MailboxKey& mailbox, std::uint32_t uid) {
    const auto found = seen.find(mailbox);
    if (found == seen.end()) return nullptr;
    const auto message = found->second.find(uid);
    return message == found->second.end() ? nullptr : &message->second;
}

void Letters::remove(const MailboxKey& mailbox, std::uint32_t uid) {
    if (auto* message = find(mailbox, uid)) message->removed = true;
}

void Letters::select(const MailboxKey& mailbox, std::uint32_t uidnext, std::uint64_t modseq) {
    auto& known = counters_[mailbox];
    if (uidnext < known.uidnext)
        complain(fmt::format("UIDNEXT of {} {} went from {} to {}", mailbox.mailbox, mailbox.folder,
                             known.uidnext, uidnext));
    if (modseq < known.modseq)
        complain(fmt::format("HIGHESTMODSEQ of {} {} went from {} to {}", mailbox.mailbox,
                             mailbox.folder, known.modseq, modseq));
    known.uidnext = std::max(known.uidnext, uidnext);
    known.modseq = std::max(known.modseq, modseq);
    for (const auto& [other, counts] : counters_)
        if (other.mailbox == mailbox.mailbox && other.folder == mailbox.folder &&
            other.uidvalidity != mailbox.uidvalidity)
            complain(fmt::format("UIDVALIDITY of {} {} was {} and is {}", mailbox.mailbox,
                                 mailbox.folder, other.uidvalidity, mailbox.uidvalidity));
    if (const auto found = seen.find(mailbox);
        found != seen.end() && !found->second.empty() && found->second.rbegin()->first >= uidnext)
        complain(fmt::format("UIDNEXT of {} {} is {}, and there was a UID {}", mailbox.mailbox,
                             mailbox.folder, uidnext, found->second.rbegin()->first));
}

void Letters::complain(std::string what) {
    if (wrong.size() < complaints_max) wrong.push_back(std::move(what));
}

} // namespace mailcore::world
