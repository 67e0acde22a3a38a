#include "libmailcore/mime/date.h"

#include "libmailcore/base/random.h"
#include "tests/catch.h"

using namespace mailcore;
using namespace mailcore::mime;

TEST_CASE("dates are read as they are written in mail") {
    struct Case {
        const char* name;
        std::string_view input, expected; // as `format_date` writes it; "": refused
    };
    static constexpr Case cases[] = {
        {"usual", "Tue, 1 Jul 2003 10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200"},
        {"two-digit day", "Tue, 01 Jul 2003 10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200"},
        {"no weekday", "1 Jul 2003 10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200"},
        {"wrong weekday", "Fri, 1 Jul 2003 10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200"},
        {"foreign weekday", "Mar, 1 Jul 2003 10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200"},
        {"no seconds", "1 Jul 2003 10:52 +0200", "Tue, 1 Jul 2003 10:52:00 +0200"},
        {"no zone", "1 Jul 2003 10:52:37", "Tue, 1 Jul 2003 10:52:37 -0000"},
        {"zone not told", "1 Jul 2003 10:52:37 -0000", "Tue, 1 Jul 2003 10:52:37 -0000"},
        {"named zone", "1 Jul 2003 10:52:37 EDT", "Tue, 1 Jul 2003 10:52:37 -0400"},
        {"military zone", "1 Jul 2003 10:52:37 Z", "Tue, 1 Jul 2003 10:52:37 +0000"},
        {"other military zone", "1 Jul 2003 10:52:37 K", "Tue, 1 Jul 2003 10:52:37 -0000"},
        {"zone with colon", "1 Jul 2003 10:52:37 +02:00", "Tue, 1 Jul 2003 10:52:37 +0200"},
        {"zone with hyphen", "1 Jul 2003 10:52:37 +05-30", "Tue, 1 Jul 2003 10:52:37 +0530"},
        {"zone GMT+2", "1 Jul 2003 10:52:37 GMT+0200", "Tue, 1 Jul 2003 10:52:37 +0200"},
        {"zone that cannot be", "1 Jul 2003 10:52:37 +9999", "Tue, 1 Jul 2003 10:52:37 -0000"},
        {"half an hour", "1 Jul 2003 10:52:37 -0330", "Tue, 1 Jul 2003 10:52:37 -0330"},
        {"two-digit years", "1 Jul 03 10:52:37 +0000", "Tue, 1 Jul 2003 10:52:37 +0000"},
        {"two-digit years of the last century", "1 Jul 97 10:52:37 +0000",
         "Tue, 1 Jul 1997 10:52:37 +0000"},
        {"three-digit years", "1 Jul 103 10:52:37 +0000", "Tue, 1 Jul 2003 10:52:37 +0000"},
        {"comments", "Tue (x), 1 (\\)y) Jul 2003 10 (a(b)) :52:37 +0200", ""},
        {"comments between", "Tue (x), 1 (\\)y) Jul 2003 10:52:37 (z) +0200 (CEST)",
         "Tue, 1 Jul 2003 10:52:37 +0200"},
        {"folded", "Tue,\r\n 1 Jul 2003\r\n\t10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200"},
        {"hyphens", "1-Jul-2003 10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200"},
        {"month in full", "1 July 2003 10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200"},
        {"month first", "July 1, 2003 10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200"},
        {"ctime", "Tue Jul  1 10:52:37 2003", "Tue, 1 Jul 2003 10:52:37 -0000"},
        {"ctime with zone", "Tue Jul  1 10:52:37 CEST 2003", "Tue, 1 Jul 2003 10:52:37 +0200"},
        {"ISO 8601", "2003-07-01 10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200"},
        {"ISO 8601 with T", "2003-07-01T10:52:37.123Z", "Tue, 1 Jul 2003 10:52:37 +0000"},
        {"afternoon", "1 Jul 2003 1:52:37 PM +0000", "Tue, 1 Jul 2003 13:52:37 +0000"},
        {"leap second", "31 Dec 2016 23:59:60 +0000", "Sun, 1 Jan 2017 00:00:00 +0000"},
        {"29 February", "29 Feb 2024 00:00:00 +0000", "Thu, 29 Feb 2024 00:00:00 +0000"},
        {"no 29 February", "29 Feb 2023 00:00:00 +0000", ""},
        {"no day 0", "0 Jul 2003 10:52:37 +0200", ""},
        {"no hour 25", "1 Jul 2003 25:52:37 +0200", ""},
        {"no minute 60", "1 Jul 2003 10:60:37 +0200", ""},
        {"no time", "1 Jul 2003", ""},
        {"no month", "1 2003 10:52:37 +0200", ""},
        {"empty", "", ""},
        {"words", "yesterday at noon", ""},
        {"huge numbers", "99999999999999999999 Jul 2003 10:52:37 +0200", ""},
        {"no end of a comment", "1 Jul 2003 (10:52:37 +0200", ""},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto date = parse_date(c.input);
        CHECK((date ? format_date(*date) : "") == c.expected);
    }
}

TEST_CASE("dates come back as they were written") {
    base::SeededRandom random(1);
    for (int i = 0; i < 2'000; ++i) {
        DateTime date;
        date.time =
            base::wall_time(static_cast<std::int64_t>(random.below(8'000'000'000)) - 1'000'000'000);
        date.zone_minutes =
            static_cast<std::int16_t>(static_cast<int>(random.below(2 * 1439 + 1)) - 1439);
        CHECK(parse_date(format_date(date)) == date);
        CHECK(parse_imap_date_time(format_imap_date_time(date)) == date);
        CHECK(format_imap_date_time(date).size() == 26);
        CHECK(parse_rfc3339(format_utc(date.time))->time == date.time);
    }
    CHECK(format_date(base::wall_time(568'971'820'800)).ends_with("9999 23:00:00 +0000"));
}

TEST_CASE("IMAP's dates are strict") {
    CHECK(format_utc(parse_imap_date_time(" 1-Jul-2003 10:52:37 +0200")->time) ==
          "2003-07-01T08:52:37Z");
    CHECK(parse_imap_date_time("01-jul-2003 10:52:37 -0000")->zone_unknown);
    for (const std::string_view bad :
         {"", "1-Jul-2003 10:52:37 +0200", " 1-Jul-03 10:52:37 +0200", " 1-Jul-2003 10:52 +0200",
          " 1-Jul-2003 10:52:37", " 1-Jul-2003 10:52:37 +0200 ", "31-Feb-2003 10:52:37 +0200",
          " 1-Xxx-2003 10:52:37 +0200", " 1-Jul-2003 10:52:37 +0260", " 1-Jul-2003 24:52:37 +0200",
          " 1-Jul-2003 10:52:37 0200"})
        CHECK_FALSE(parse_imap_date_time(bad));
    const auto day = std::chrono::sys_days{std::chrono::year{2003} / 7 / 1};
    CHECK(parse_imap_date("1-Jul-2003") == day);
    CHECK(parse_imap_date("01-JUL-2003") == day);
    for (const std::string_view bad :
         {"", " 1-Jul-2003", "001-Jul-2003", "1-Jul-03", "30-Feb-2003", "1-Jul-2003 "})
        CHECK_FALSE(parse_imap_date(bad));
    CHECK(parse_imap_date_time(" 1-Jul-2003 23:52:37 -0800")->local_day() == day);
    CHECK(format_utc(parse_rfc3339("2003-07-01t10:52:37.25+02:00")->time) ==
          "2003-07-01T08:52:37Z");
    CHECK(parse_rfc3339("2003-07-01T10:52:37.25Z")->time.time_since_epoch().count() % 1'000'000 ==
          250'000);
    for (const std::string_view bad :
         {"", "2003-07-01", "2003-07-01T10:52:37", "2003-7-01T10:52:37Z", "2003-07-01T10:52:37.Z",
          "2003-07-01T10:52:37+0200"})
        CHECK_FALSE(parse_rfc3339(bad));
}
