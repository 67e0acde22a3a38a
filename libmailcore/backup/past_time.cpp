#include "libmailcore/backup/past_time.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/mime/date.h"

#include <string>

namespace mailcore::backup {

namespace {

using namespace std::chrono_literals;
using std::chrono::seconds;
constexpr seconds age_max = std::chrono::years{200};
using LocalSeconds = std::chrono::local_seconds;

/// `text` in lower case, one space between two words.
std::string normalised(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool space = c == ' ' || c == '\t';
        if (!space)
            out += codec::lower(c);
        else if (!out.empty() && out.back() != ' ')
            out += ' ';
    }
    if (out.ends_with(' ')) out.pop_back();
    return out;
}

bool take(std::string_view& text, std::string_view what) {
    if (!text.starts_with(what)) return false;
    text.remove_prefix(what.size());
    return true;
}

std::optional<unsigned> take_two_digits(std::string_view& text) {
    if (text.size() < 2 || !codec::is_digit(text[0]) || !codec::is_digit(text[1]))
        return std::nullopt;
    auto digits = text.substr(0, 2);
    text.remove_prefix(2);
    return codec::take_number<unsigned>(digits);
}

/// "12:00" or "12:00:30", all of `text`.
std::optional<seconds> parse_time_of_day(std::string_view text) {
    const auto hours = take_two_digits(text);
    if (!hours || *hours > 23 || !take(text, ":")) return std::nullopt;
    const auto minutes = take_two_digits(text);
    if (!minutes || *minutes > 59) return std::nullopt;
    unsigned second = 0;
    if (take(text, ":")) {
        const auto digits = take_two_digits(text);
        if (!digits || *digits > 59) return std::nullopt;
        second = *digits;
    }
    if (!text.empty()) return std::nullopt;
    return std::chrono::hours{*hours} + std::chrono::minutes{*minutes} + seconds{second};
}

/// "2026-01-31", which it takes.
std::optional<std::chrono::local_days> take_day(std::string_view& text) {
    auto rest = text;
    const auto century = take_two_digits(rest), year = take_two_digits(rest);
    if (!century || !year || !take(rest, "-")) return std::nullopt;
    const auto month = take_two_digits(rest);
    if (!month || !take(rest, "-")) return std::nullopt;
    const auto day = take_two_digits(rest);
    if (!day) return std::nullopt;
    const std::chrono::year_month_day date{
        std::chrono::year{static_cast<int>(*century * 100 + *year)}, std::chrono::month{*month},
        std::chrono::day{*day}};
    if (!date.ok()) return std::nullopt;
    text = rest;
    return std::chrono::local_days{date};
}

LocalSeconds to_local(WallTime time, const ZoneOffset& zone) {
    return LocalSeconds{std::chrono::floor<seconds>(time.time_since_epoch() + zone(time))};
}

WallTime from_local(LocalSeconds local, const ZoneOffset& zone) {
    // The offset is that of the moment that is looked for: it settles after the second look.
    const auto as_utc = WallTime{local.time_since_epoch()};
    const auto first = as_utc - zone(as_utc);
    return as_utc - zone(first);
}

/// "3 days ago", "2h ago".
std::optional<seconds> parse_age(std::string_view text) {
    if (!text.ends_with(" ago")) return std::nullopt;
    text.remove_suffix(4);
    const auto count = codec::take_number<std::uint32_t>(text);
    if (!count) return std::nullopt;
    take(text, " ");
    struct Unit {
        std::string_view letter, name;
        seconds length;
    };
    static constexpr Unit units[] = {{"s", "second", 1s},     {"m", "minute", 60s},
                                     {"h", "hour", 3600s},    {"d", "day", 86400s},
                                     {"w", "week", 604'800s}, {"min", "min", 60s}};
    for (const auto& unit : units)
        if (text == unit.letter || text == unit.name ||
            (text.starts_with(unit.name) && text.substr(unit.name.size()) == "s"))
            return *count <= age_max / unit.length ? std::optional(unit.length * *count)
                                                   : std::nullopt;
    return std::nullopt;
}

std::optional<WallTime> parse(std::string_view text, WallTime now, const ZoneOffset& zone) {
    if (text == "now") return now;
    if (const auto age = parse_age(text)) return now - *age;
    if (text == "yesterday") return now - 24h;
    const auto today = std::chrono::floor<std::chrono::days>(to_local(now, zone));
    auto rest = text;
    std::optional<std::chrono::local_days> day;
    if (take(rest, "yesterday "))
        day = today - std::chrono::days{1};
    else if (take(rest, "today "))
        day = today;
    else if (const auto named = take_day(rest)) {
        day = named;
        if (!rest.empty() && !take(rest, " ") && !take(rest, "t")) return std::nullopt;
        if (rest.empty()) return from_local(*day, zone);
    }
    const auto of_day = parse_time_of_day(rest);
    if (!of_day) return std::nullopt;
    if (day) return from_local(*day + *of_day, zone);
    const auto at = from_local(today + *of_day, zone);
    return at <= now ? at : from_local(today - std::chrono::days{1} + *of_day, zone);
}

} // namespace

std::optional<WallTime> parse_past_time(std::string_view text, WallTime now,
                                        const ZoneOffset& zone) {
    std::optional<WallTime> time;
    if (const auto date = mime::parse_rfc3339(text))
        time = date->time;
    else if (text.size() <= 64)
        time = parse(normalised(text), now, zone);
    if (time && *time < WallTime{}) time.reset();
    return time;
}

} // namespace mailcore::backup
