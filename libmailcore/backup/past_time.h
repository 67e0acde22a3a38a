// Times of the past as people write them: "2h ago", "yesterday 12:00", RFC 3339.
#pragma once

#include "libmailcore/base/clock.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

namespace mailcore::backup {

/// How far local time is ahead of UTC at a moment. The clocks of a zone jump.
using ZoneOffset = std::function<std::chrono::minutes(WallTime)>;

/// Reads one of, in any case:
///
///     2026-01-31T12:00:00+01:00      RFC 3339; "Z" for UTC, a space may stand for "T"
///     2026-01-31 12:00[:30]          local time; without a time of day: when that day began
///     12:00[:30], today 12:00        the last time that it was so late; today
///     yesterday [12:00]              a day ago, or that time of that day
///     90s ago, 2h ago, 3 days ago    seconds, minutes, hours, days, weeks (s, m, h, d, w)
///     now
///
/// Of a local time that comes twice a year, the second; of one that never was, an hour later.
/// Nothing: it is none of these, no such day or time, or before 1970.
[[nodiscard]] std::optional<WallTime> parse_past_time(std::string_view text, WallTime now,
                                                      const ZoneOffset& zone);

} // namespace mailcore::backup
