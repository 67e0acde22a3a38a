#include "libmailcore/backup/past_time.h"

#include "libmailcore/mime/date.h"
#include "tests/catch.h"

#include <string>

using namespace mailcore;

namespace {

struct Case {
    const char* name;
    const char* text;
    const char* expected; // empty: no time
};

// 2026-03-31 14:30:00 in Berlin, two days after the clocks went forward.
constexpr std::int64_t now_seconds = 1'774'960'200;

std::chrono::minutes berlin(WallTime at) {
    // 2026-03-29 01:00 UTC and 2025-10-26 01:00 UTC.
    const bool summer = at >= base::wall_time(1'774'746'000) || at < base::wall_time(1'761'440'400);
    return std::chrono::minutes{summer ? 120 : 60};
}

const Case cases[] = {
    {"RFC 3339 in UTC", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"},
    {"RFC 3339 with a zone", "2026-01-31t12:00:00+02:00", "2026-01-31T10:00:00Z"},
    {"RFC 3339 with a space", "2026-01-31 12:00:00-01:00", "2026-01-31T13:00:00Z"},
    {"local time in winter", "2026-01-31 12:00", "2026-01-31T11:00:00Z"},
    {"local time in summer", "2026-03-30 12:00:30", "2026-03-30T10:00:30Z"},
    {"local time with T", "2026-01-31T12:00", "2026-01-31T11:00:00Z"},
    {"a day", "2026-01-31", "2026-01-30T23:00:00Z"},
    {"29 February", "2024-02-29", "2024-02-28T22:00:00Z"},
    {"a time of today", "9:30", ""},
    {"a time of today with two digits", "09:30", "2026-03-31T07:30:00Z"},
    {"a time that is still to come is yesterday's", "23:15", "2026-03-30T21:15:00Z"},
    {"today", "today 08:00", "2026-03-31T06:00:00Z"},
    {"yesterday", "yesterday", "2026-03-30T12:30:00Z"},
    {"yesterday at a time", "Yesterday  12:00", "2026-03-30T10:00:00Z"},
    {"hours", "2h ago", "2026-03-31T10:30:00Z"},
    {"hours in words", "2 hours ago", "2026-03-31T10:30:00Z"},
    {"minutes", "30 min ago", "2026-03-31T12:00:00Z"},
    {"one minute", "1 minute ago", "2026-03-31T12:29:00Z"},
    {"seconds", "90s ago", "2026-03-31T12:28:30Z"},
    {"days", "3 DAYS AGO", "2026-03-28T12:30:00Z"},
    {"weeks", "1 week ago", "2026-03-24T12:30:00Z"},
    {"now", " now ", "2026-03-31T12:30:00Z"},
    {"a local time that never was", "2026-03-29 02:30", "2026-03-29T01:30:00Z"},
    {"nothing", "", ""},
    {"a word", "lunchtime", ""},
    {"no such day", "2026-02-29", ""},
    {"no such month", "2026-13-01 10:00", ""},
    {"no such hour", "2026-01-31 24:00", ""},
    {"no such minute", "12:60", ""},
    {"something behind it", "2026-01-31 12:00 or so", ""},
    {"a unit that is none", "2 moons ago", ""},
    {"no number", "h ago", ""},
    {"a negative age", "-2h ago", ""},
    {"a number that is too large", "99999999999d ago", ""},
    {"before 1970", "4000000 weeks ago", ""},
    {"ago what", "2 h", ""},
};

} // namespace

TEST_CASE("times of the past are read as people write them") {
    for (const auto& c : cases) {
        INFO(c.name);
        const auto at = backup::parse_past_time(c.text, base::wall_time(now_seconds), berlin);
        CHECK((at ? mime::format_utc(*at) : std::string()) == c.expected);
    }
}

TEST_CASE("a time of the past is bounded in length") {
    const auto now = base::wall_time(now_seconds);
    CHECK_FALSE(backup::parse_past_time(std::string(100'000, '1') + "h ago", now, berlin));
    CHECK_FALSE(backup::parse_past_time(std::string(100'000, ' ') + "x", now, berlin));
}
