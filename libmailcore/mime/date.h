// Dates of messages and of IMAP (RFC 5322 §3.3, §4.3; RFC 9051 §9 date-time).
#pragma once

#include "libmailcore/base/clock.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::mime {

/// An instant together with the zone in which it was written: what Date: and INTERNALDATE hold.
struct DateTime {
    WallTime time;
    std::int16_t zone_minutes = 0; ///< east of UTC, -1439 to 1439
    /// "-0000": the zone of the writer is not told (RFC 5322 §3.3). Then zone_minutes is 0.
    bool zone_unknown = false;

    /// The calendar date and the second of day in the writer's zone; IMAP's SENTON disregards the
    /// zone.
    [[nodiscard]] std::chrono::sys_days local_day() const;

    friend bool operator==(const DateTime&, const DateTime&) = default;
};

/// A Date: field, folded or not; comments are skipped. Also what is no longer or was never allowed,
/// and is read all the same: years of two or three digits, zones by name, missing or wrong weekday,
/// missing seconds or zone (UTC), a zone "GMT+0200" or "+02:00", hyphens in the date
/// ("1-Jan-2024"), month names in full, month before day, and ctime's order. Nothing if no valid
/// date can be made of it.
[[nodiscard]] std::optional<DateTime> parse_date(std::string_view text);

/// "Tue, 1 Jul 2003 10:52:37 +0200" (RFC 5322 §3.3). Years 1900 to 9999; others are clamped.
[[nodiscard]] std::string format_date(const DateTime& date);
/// The same in UTC.
[[nodiscard]] std::string format_date(WallTime time);
/// ctime's order in UTC, "Tue Jul  1 08:52:37 2003": what the "From " line of an mbox ends with
/// (RFC 4155, appendix A).
[[nodiscard]] std::string format_mbox_date(WallTime time);

/// IMAP's date-time without its quotes, " 1-Jul-2003 10:52:37 +0200": exactly 26 characters.
/// Strict.
[[nodiscard]] std::optional<DateTime> parse_imap_date_time(std::string_view text);
[[nodiscard]] std::string format_imap_date_time(const DateTime& date);
/// IMAP's date, "1-Jul-2003", without quotes. Strict.
[[nodiscard]] std::optional<std::chrono::sys_days> parse_imap_date(std::string_view text);

/// "2003-07-01T08:52:37Z" (RFC 3339): logs, tables, JSON. UTC, whole seconds.
[[nodiscard]] std::string format_utc(WallTime time);
/// The same in the zone of `date`: "2003-07-01T10:52:37+02:00"; "Z" for UTC.
[[nodiscard]] std::string format_rfc3339(const DateTime& date);
/// "2003-07-01T10:52:37.5+02:00". Strict, but a space may stand for "T" (RFC 3339 §5.6).
[[nodiscard]] std::optional<DateTime> parse_rfc3339(std::string_view text);

} // namespace mailcore::mime
