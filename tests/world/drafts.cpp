#include "tests/world/drafts.h"

#include "libmailcore/codec/number.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace mailcore::world {

namespace {

constexpr std::string_view number_field = "X-World-Draft: ";
constexpr const char* flags[] = {"\\Seen", "\\Flagged", "\\Answered", "\\Draft", "work", "$Junk"};

std::string describe(const Append& append, const Draft& draft) {
    constexpr const char* answers[] = {"not answered", "answered OK", "refused"};
    return fmt::format("draft {} in {} of {}, {}: ", draft.number, append.folder, append.mailbox,
                       answers[static_cast<std::size_t>(append.answer)]);
}

} // namespace

std::optional<std::uint64_t> draft_of(std::string_view octets) {
    const auto at = octets.substr(0, octets.find("\r\n\r\n")).find(number_field);
    if (at == std::string_view::npos) return std::nullopt;
    const auto rest = octets.substr(at + number_field.size());
    return codec::parse_u32(rest.substr(0, rest.find('\r')), UINT32_MAX);
}

std::string date_time(const store::Received& date) {
    using namespace std::chrono;
    constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const sys_seconds local(seconds(base::unix_seconds(date.at)) + minutes(date.zone_minutes));
    const auto day = floor<days>(local);
    const year_month_day when(day);
    const hh_mm_ss time(local - day);
    const auto zone = date.zone_minutes < 0 ? -date.zone_minutes : date.zone_minutes;
    return fmt::format(
        "\"{:2}-{}-{:04} {:02}:{:02}:{:02} {}{:02}{:02}\"", static_cast<unsigned>(when.day()),
        months[static_cast<unsigned>(when.month()) - 1], static_cast<int>(when.year()),
        time.hours().count(), time.minutes().count(), time.seconds().count(),
        date.zone_minutes < 0 ? '-' : '+', zone / 60, zone % 60);
}

Append& Appends::write(Random& random, std::string mailbox, std::string folder) {
    auto& append = appends_.emplace_back();
    append.mailbox = std::move(mailbox);
    append.folder = std::move(folder);
    append.drafts.resize(random.below(3) == 0 ? 2 + random.below(2) : 1);
    for (auto& draft : append.drafts) {
        draft.number = drafts_.size() + 1;
        draft.octets = fmt::format("From: <{0}>\r\nSubject: draft {1}\r\n{2}{1}\r\n\r\n",
                                   append.mailbox, draft.number, number_field);
        for (auto lines = random.below(30) == 0 ? 300 : random.below(20); lines > 0; --lines)
            draft.octets += random.hex(1 + random.below(35)) + "\r\n";
        for (const auto* flag : flags)
            if (random.below(4) == 0) draft.flags.insert(flag);
        if (random.below(2) == 0) {
            store::Received date;
            date.at = base::wall_time(static_cast<std::int64_t>(random.below(1'900'000'000)));
            date.zone_minutes = static_cast<std::int16_t>(15 * random.below(105) - 12 * 60);
            draft.date = date;
        }
        drafts_[draft.number] = &draft;
    }
    return append;
}

const Draft* Appends::find(std::uint64_t number) const {
    const auto found = drafts_.find(number);
    return found == drafts_.end() ? nullptr : found->second;
}

void Appends::found(std::uint64_t number, const MailboxKey& key, std::uint32_t uid,
                    std::string_view octets) {
    const auto* draft = find(number);
    places_[number].push_back({key, uid, !draft || draft->octets != octets});
}

std::vector<std::string> Appends::examine() const {
    std::vector<std::string> wrong;
    std::size_t known = 0;
    for (const auto& append : appends_) {
        std::size_t there = 0;
        for (std::size_t i = 0; i < append.drafts.size(); ++i) {
            const auto& draft = append.drafts[i];
            const auto complain = [&](const std::string& what) {
                wrong.push_back(describe(append, draft) + what);
            };
            const auto found = places_.find(draft.number);
            const auto count = found == places_.end() ? 0 : found->second.size();
            if (append.answer == Append::Answer::Done && count == 0) complain("is not there");
            if (append.answer == Append::Answer::Refused && !append.refused_in_trouble && count > 0)
                complain("is there");
            if (count > 1) complain(fmt::format("is there {} times", count));
            if (count == 0) continue;
            ++known;
            ++there;
            const auto& place = found->second.front();
            if (place.altered) complain("was altered");
            if (place.key.mailbox != append.mailbox || place.key.folder != append.folder)
                complain("is in " + place.key.folder + " of " + place.key.mailbox);
            else if (append.answer == Append::Answer::Done &&
                     (place.key != append.key || place.uid != append.first_uid + i))
                complain(
                    fmt::format("is UID {}, and UID {} was told", place.uid, append.first_uid + i));
        }
        if (there > 0 && there < append.drafts.size())
            wrong.push_back(describe(append, append.drafts.front()) +
                            "only a part of its APPEND is there");
    }
    if (known != places_.size()) wrong.emplace_back("a draft is there that nobody has appended");
    return wrong;
}

} // namespace mailcore::world
