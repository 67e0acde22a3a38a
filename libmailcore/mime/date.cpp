#include "libmailcore/mime/date.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace mailcore::mime {

namespace {

using namespace std::chrono;

constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 12> long_months = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> weekdays = {"Sun", "Mon", "Tue", "Wed",
                                                      "Thu", "Fri", "Sat"};

struct NamedZone {
    std::string_view name;
    std::int16_t hours;
};
// RFC 5322 §4.3; the others as senders mean them.
constexpr NamedZone named_zones[] = {
    {"UT", 0},   {"GMT", 0},  {"UTC", 0},  {"Z", 0},    {"EST", -5}, {"EDT", -4}, {"CST", -6},
    {"CDT", -5}, {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}, {"WET", 0},  {"WEST", 1},
    {"BST", 1},  {"CET", 1},  {"CEST", 2}, {"MET", 1},  {"MEST", 2}, {"EET", 2},  {"EEST", 3},
    {"MSK", 3},  {"JST", 9},  {"KST", 9},  {"HKT", 8},
};

constexpr int zone_minutes_max = 24 * 60 - 1;

// 1 to 12; 0 if it is no month. The name in full, or its first three letters and maybe a dot.
unsigned month_of(std::string_view word) {
    for (unsigned i = 0; i < 12; ++i) {
        if (codec::equal_ignoring_case(word, months[i]) ||
            codec::equal_ignoring_case(word, long_months[i]))
            return i + 1;
    }
    return codec::equal_ignoring_case(word, "Sept") ? 9 : 0;
}

struct Fields {
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    int zone_minutes = 0;
    bool zone_unknown = false;
    int microseconds = 0;
};

std::optional<DateTime> from_fields(const Fields& f) {
    const year_month_day date{year{f.year}, month{f.month}, day{f.day}};
    if (f.year < 1 || f.year > 9999 || !date.ok()) return std::nullopt;
    if (f.hour > 23 || f.minute > 59 || f.second > 60) return std::nullopt;
    const auto local = sys_days{date} + hours{f.hour} + minutes{f.minute} + seconds{f.second};
    const auto utc = local - minutes{f.zone_minutes};
    DateTime out;
    out.time = WallTime{utc.time_since_epoch() + microseconds{f.microseconds}};
    out.zone_minutes = static_cast<std::int16_t>(f.zone_minutes);
    out.zone_unknown = f.zone_unknown;
    return out;
}

// Reads a Date field by what its pieces look like, not by where they stand.
class DateReader {
  public:
    explicit DateReader(std::string_view text) : rest_(text) {}

    std::optional<DateTime> read() {
        while (!rest_.empty() && !done_) {
            const char c = rest_.front();
            if (c == '(') {
                if (!skip_comment()) break;
            } else if (codec::is_digit(c)) {
                if (!number()) return std::nullopt;
            } else if (codec::is_alpha(c)) {
                word();
            } else if ((c == '+' || c == '-') && has_time_ && !has_offset_) {
                rest_.remove_prefix(1);
                offset(c == '-');
            } else {
                rest_.remove_prefix(1);
            }
        }
        if (!has_time_ || fields_.day == 0 || fields_.month == 0 || !has_year_) return std::nullopt;
        if (!has_zone_ && !has_offset_) fields_.zone_unknown = true;
        return from_fields(fields_);
    }

  private:
    bool skip_comment() {
        std::size_t depth = 0;
        for (std::size_t i = 0; i < rest_.size(); ++i) {
            if (rest_[i] == '\\')
                ++i;
            else if (rest_[i] == '(')
                ++depth;
            else if (rest_[i] == ')' && --depth == 0) {
                rest_.remove_prefix(i + 1);
                return true;
            }
        }
        return false;
    }

    bool number() {
        const auto before = rest_.size();
        const auto value = codec::take_number<std::uint32_t>(rest_, 99'999);
        if (!value) return false;
        const auto digits = before - rest_.size();
        if (!has_time_ && !rest_.empty() && rest_.front() == ':')
            return time(static_cast<int>(*value));
        if (fields_.day == 0 && digits <= 2 && *value >= 1 && *value <= 31) {
            fields_.day = *value;
        } else if (fields_.month == 0 && digits <= 2 && fields_.day != 0) {
            if (*value < 1 || *value > 12) return false;
            fields_.month = *value;
        } else if (!has_year_) {
            // RFC 5322 §4.3
            fields_.year = static_cast<int>(*value);
            if (digits == 2)
                fields_.year += *value < 50 ? 2000 : 1900;
            else if (digits == 3)
                fields_.year += 1900;
            else if (digits != 4)
                return false;
            has_year_ = true;
            if (fields_.day == 0 && fields_.month == 0 && rest_.starts_with('-')) return iso_date();
        } else if (has_time_) {
            done_ = true; // whatever follows is no part of a date
        } else {
            return false;
        }
        return true;
    }

    // "2024-01-31", the year is read.
    bool iso_date() {
        rest_.remove_prefix(1);
        const auto month = codec::take_number<std::uint32_t>(rest_, 12);
        if (!month || !rest_.starts_with('-')) return false;
        rest_.remove_prefix(1);
        const auto day = codec::take_number<std::uint32_t>(rest_, 31);
        if (!day) return false;
        fields_.month = *month;
        fields_.day = *day;
        if (rest_.starts_with('T')) rest_.remove_prefix(1);
        return true;
    }

    bool time(int hour) {
        fields_.hour = hour;
        rest_.remove_prefix(1);
        skip_blanks();
        const auto minute = codec::take_number<std::uint32_t>(rest_, 59);
        if (!minute || hour > 24) return false;
        fields_.minute = static_cast<int>(*minute);
        if (rest_.starts_with(':')) {
            rest_.remove_prefix(1);
            skip_blanks();
            const auto second = codec::take_number<std::uint32_t>(rest_, 60);
            if (!second) return false;
            fields_.second = static_cast<int>(*second);
            if (rest_.starts_with('.')) {
                rest_.remove_prefix(1);
                while (!rest_.empty() && codec::is_digit(rest_.front())) rest_.remove_prefix(1);
            }
        }
        has_time_ = true;
        return true;
    }

    void skip_blanks() {
        while (!rest_.empty() && codec::is_space(rest_.front())) rest_.remove_prefix(1);
    }

    void word() {
        std::size_t size = 0;
        while (size < rest_.size() && codec::is_alpha(rest_[size])) ++size;
        const auto word = rest_.substr(0, size);
        rest_.remove_prefix(size);
        // "Mar, 1 Jul": a weekday in another language.
        if (fields_.day == 0 && rest_.starts_with(',')) return;
        if (const auto month = month_of(word); month != 0 && fields_.month == 0) {
            fields_.month = month;
            return;
        }
        if (has_time_ &&
            (codec::equal_ignoring_case(word, "AM") || codec::equal_ignoring_case(word, "PM"))) {
            if (fields_.hour >= 1 && fields_.hour <= 12)
                fields_.hour = fields_.hour % 12 + (codec::lower(word[0]) == 'p' ? 12 : 0);
            return;
        }
        if (!has_time_ || has_zone_ || has_offset_) return;
        has_zone_ = true;
        fields_.zone_unknown = true;
        for (const auto& zone : named_zones) {
            if (!codec::equal_ignoring_case(word, zone.name)) continue;
            fields_.zone_minutes = zone.hours * 60;
            fields_.zone_unknown = false;
        }
    }

    void offset(bool west) {
        std::size_t digits = 0;
        int value = 0;
        for (; digits < 4 && digits < rest_.size() && codec::is_digit(rest_[digits]); ++digits)
            value = value * 10 + (rest_[digits] - '0');
        if (digits == 0) return;
        const auto tail = rest_.substr(digits);
        rest_ = tail;
        int minutes = value / 100 * 60 + value % 100;
        if (digits <= 2) {
            minutes = value * 60;
            auto colon = tail;
            if (colon.starts_with(':') ||
                colon.starts_with('-')) { // "+05:30", and "+05-30" of some senders
                colon.remove_prefix(1);
                if (const auto more = codec::take_number<std::uint32_t>(colon, 59)) {
                    minutes += static_cast<int>(*more);
                    rest_ = colon;
                }
            }
        } else if (value % 100 > 59) {
            minutes = zone_minutes_max + 1;
        }
        has_offset_ = true;
        const bool possible = minutes <= zone_minutes_max;
        fields_.zone_minutes = !possible ? 0 : west ? -minutes : minutes;
        fields_.zone_unknown = !possible || (west && minutes == 0); // RFC 5322 §3.3
    }

    std::string_view rest_; // of the caller's text, during the one call
    Fields fields_;
    bool has_year_ = false;
    bool has_time_ = false;
    bool has_zone_ = false;   // by name
    bool has_offset_ = false; // by digits
    bool done_ = false;
};

// Strict pieces for IMAP and RFC 3339: each takes what it names off the front, or fails for good.
class StrictReader {
  public:
    explicit StrictReader(std::string_view text) : rest_(text) {}

    int digits(std::size_t count) {
        int value = 0;
        if (rest_.size() < count) return failed();
        for (std::size_t i = 0; i < count; ++i) {
            if (!codec::is_digit(rest_[i])) return failed();
            value = value * 10 + (rest_[i] - '0');
        }
        rest_.remove_prefix(count);
        return value;
    }
    bool take(char c) {
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    void need(char c) {
        if (!take(c)) failed();
    }
    unsigned month() {
        for (unsigned i = 0; i < 12; ++i) {
            if (!codec::starts_with_ignoring_case(rest_, months[i])) continue;
            rest_.remove_prefix(3);
            return i + 1;
        }
        failed();
        return 0;
    }
    std::string_view rest() const { return rest_; }
    bool ok() const { return ok_ && rest_.empty(); }
    int failed() {
        ok_ = false;
        rest_ = {};
        return 0;
    }

  private:
    std::string_view rest_; // of the caller's text, during the one call
    bool ok_ = true;
};

// Zone digits "+hhmm", with a colon between for RFC 3339.
int strict_zone(StrictReader& reader, bool colon, bool& unknown) {
    const bool west = reader.take('-');
    if (!west) reader.need('+');
    const int hour = reader.digits(2);
    if (colon) reader.need(':');
    const int minute = reader.digits(2);
    if (hour > 23 || minute > 59) return reader.failed();
    unknown = west && hour == 0 && minute == 0;
    return (west ? -1 : 1) * (hour * 60 + minute);
}

struct Civil {
    year_month_day date;
    hh_mm_ss<seconds> time;
};
Civil civil(const DateTime& at) {
    const auto shown = floor<seconds>(sys_time<microseconds>{at.time.time_since_epoch()}) +
                       minutes{at.zone_minutes};
    const auto clamped = std::clamp(shown, sys_seconds{sys_days{year{1900} / 1 / 1}},
                                    sys_seconds{sys_days{year{9999} / 12 / 31}} + hours{23});
    const auto midnight = floor<days>(clamped);
    return {year_month_day{midnight}, hh_mm_ss<seconds>{clamped - midnight}};
}

void append_clock(const hh_mm_ss<seconds>& time, std::string& out) {
    codec::append_number(out, static_cast<std::uint64_t>(time.hours().count()), 2);
    out += ':';
    codec::append_number(out, static_cast<std::uint64_t>(time.minutes().count()), 2);
    out += ':';
    codec::append_number(out, static_cast<std::uint64_t>(time.seconds().count()), 2);
}

void append_zone(const DateTime& date, std::string& out) {
    const bool west = date.zone_minutes < 0 || date.zone_unknown;
    const auto size = static_cast<std::uint64_t>(std::abs(static_cast<int>(date.zone_minutes)));
    out += west ? '-' : '+';
    codec::append_number(out, size / 60 * 100 + size % 60, 4);
}

std::uint64_t year_of(const Civil& at) {
    return static_cast<std::uint64_t>(static_cast<int>(at.date.year()));
}
unsigned month_index(const Civil& at) { return static_cast<unsigned>(at.date.month()) - 1; }
unsigned day_of(const Civil& at) { return static_cast<unsigned>(at.date.day()); }

} // namespace

sys_days DateTime::local_day() const {
    return floor<days>(sys_time<microseconds>{time.time_since_epoch()} + minutes{zone_minutes});
}

std::optional<DateTime> parse_date(std::string_view text) { return DateReader(text).read(); }

std::string format_date(const DateTime& date) {
    const auto at = civil(date);
    std::string out(weekdays[weekday{sys_days{at.date}}.c_encoding()]);
    out += ", ";
    codec::append_number(out, day_of(at));
    out += ' ';
    out += months[month_index(at)];
    out += ' ';
    codec::append_number(out, year_of(at), 4);
    out += ' ';
    append_clock(at.time, out);
    out += ' ';
    append_zone(date, out);
    return out;
}

std::string format_date(WallTime time) { return format_date(DateTime{time, 0, false}); }

std::optional<DateTime> parse_imap_date_time(std::string_view text) {
    StrictReader reader(text);
    Fields f;
    f.day = static_cast<unsigned>(reader.take(' ') ? reader.digits(1) : reader.digits(2));
    reader.need('-');
    f.month = reader.month();
    reader.need('-');
    f.year = reader.digits(4);
    reader.need(' ');
    f.hour = reader.digits(2);
    reader.need(':');
    f.minute = reader.digits(2);
    reader.need(':');
    f.second = reader.digits(2);
    reader.need(' ');
    f.zone_minutes = strict_zone(reader, false, f.zone_unknown);
    return reader.ok() ? from_fields(f) : std::nullopt;
}

std::string format_imap_date_time(const DateTime& date) {
    const auto at = civil(date);
    std::string out;
    if (day_of(at) < 10) out += ' ';
    codec::append_number(out, day_of(at));
    out += '-';
    out += months[month_index(at)];
    out += '-';
    codec::append_number(out, year_of(at), 4);
    out += ' ';
    append_clock(at.time, out);
    out += ' ';
    append_zone(date, out);
    return out;
}

std::optional<sys_days> parse_imap_date(std::string_view text) {
    StrictReader reader(text);
    const bool two = text.size() > 1 && codec::is_digit(text[1]);
    const auto day_number = static_cast<unsigned>(reader.digits(two ? 2 : 1));
    reader.need('-');
    const auto month_number = reader.month();
    reader.need('-');
    const int year_number = reader.digits(4);
    const year_month_day date{year{year_number}, month{month_number}, day{day_number}};
    if (!reader.ok() || !date.ok()) return std::nullopt;
    return sys_days{date};
}

std::string format_mbox_date(WallTime time) {
    const auto at = civil(DateTime{time, 0, false});
    std::string out(weekdays[weekday{sys_days{at.date}}.c_encoding()]);
    out += ' ';
    out += months[month_index(at)];
    out += day_of(at) < 10 ? "  " : " ";
    codec::append_number(out, day_of(at));
    out += ' ';
    append_clock(at.time, out);
    out += ' ';
    codec::append_number(out, year_of(at), 4);
    return out;
}

std::string format_utc(WallTime time) { return format_rfc3339(DateTime{time, 0, false}); }

std::string format_rfc3339(const DateTime& date) {
    const auto at = civil(date);
    std::string out;
    codec::append_number(out, year_of(at), 4);
    out += '-';
    codec::append_number(out, month_index(at) + 1, 2);
    out += '-';
    codec::append_number(out, day_of(at), 2);
    out += 'T';
    append_clock(at.time, out);
    if (date.zone_minutes == 0) {
        out += 'Z';
        return out;
    }
    const auto size = static_cast<std::uint64_t>(std::abs(static_cast<int>(date.zone_minutes)));
    out += date.zone_minutes < 0 ? '-' : '+';
    codec::append_number(out, size / 60, 2);
    out += ':';
    codec::append_number(out, size % 60, 2);
    return out;
}

std::optional<DateTime> parse_rfc3339(std::string_view text) {
    StrictReader reader(text);
    Fields f;
    f.year = reader.digits(4);
    reader.need('-');
    f.month = static_cast<unsigned>(reader.digits(2));
    reader.need('-');
    f.day = static_cast<unsigned>(reader.digits(2));
    if (!reader.take('T') && !reader.take('t')) reader.need(' ');
    f.hour = reader.digits(2);
    reader.need(':');
    f.minute = reader.digits(2);
    reader.need(':');
    f.second = reader.digits(2);
    if (reader.take('.')) {
        int unit = 100'000;
        do {
            f.microseconds += unit * reader.digits(1);
            unit /= 10;
        } while (!reader.rest().empty() && codec::is_digit(reader.rest().front()));
    }
    if (!reader.take('Z') && !reader.take('z'))
        f.zone_minutes = strict_zone(reader, true, f.zone_unknown);
    return reader.ok() ? from_fields(f) : std::nullopt;
}

} // namespace mailcore::mime
