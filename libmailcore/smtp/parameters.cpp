#include "libmailcore/smtp/parameters.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/smtp/xtext.h"

#include <algorithm>
#include <span>

namespace mailcore::smtp {

namespace {

constexpr std::size_t envelope_id_octets_max = 100;        // RFC 3461 §4.4
constexpr std::size_t original_recipient_octets_max = 500; // RFC 3461 §4.2

struct Parameter {
    std::string_view keyword;
    std::optional<std::string_view> value;
};

Reply syntax_error(std::string_view what) {
    return {501, EnhancedStatus{5, 5, 4}, "Syntax error in parameters: " + std::string(what)};
}

// esmtp-keyword ["=" esmtp-value]; RFC 6531 §3.3 adds UTF-8 to the value.
std::expected<Parameter, Reply> parse_parameter(std::string_view text, Utf8 utf8) {
    const auto equals = text.find('=');
    Parameter parameter{text.substr(0, equals), std::nullopt};
    if (equals != std::string_view::npos) parameter.value = text.substr(equals + 1);
    const auto keyword = parameter.keyword;
    if (keyword.empty() || !codec::is_alnum(keyword.front()) ||
        !std::ranges::all_of(keyword, [](char c) { return codec::is_alnum(c) || c == '-'; }))
        return std::unexpected(syntax_error("a keyword is letters, digits and hyphens"));
    if (!parameter.value) return parameter;
    const auto value = *parameter.value;
    const auto allowed = [&](char c) {
        return codec::is_8bit(c) ? utf8 == Utf8::Allowed : codec::is_visible(c) && c != '=';
    };
    if (value.empty() || !std::ranges::all_of(value, allowed) || !codec::is_utf8(value))
        return std::unexpected(syntax_error("malformed value of " + std::string(keyword)));
    return parameter;
}

/// What the value of a parameter is read into; a failure is what a reply says about it.
template <class Parameters>
struct Row {
    std::string_view keyword;
    bool (*offered)(const Capabilities&);
    bool takes_value;
    /// Empty: good. Otherwise what is wrong with it.
    std::string_view (*read)(std::string_view value, Parameters& into);
};

bool is_printable(std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return c == ' ' || c == '\t' || codec::is_visible(c); });
}

bool is_atom(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return codec::is_alnum(c) || std::string_view("!#$%&'*+-/=?^_`{|}~").contains(c);
    });
}

std::string_view read_size(std::string_view value, MailParameters& into) {
    // size-value = 1*20DIGIT, RFC 1870 §3
    if (value.size() > 20) return "SIZE has at most 20 digits";
    const auto size = codec::parse_u64(value);
    if (!size) return "SIZE is a number of octets";
    into.size = *size;
    return {};
}

std::string_view read_body(std::string_view value, MailParameters& into) {
    if (codec::equal_ignoring_case(value, "7BIT"))
        into.body = BodyType::SevenBit;
    else if (codec::equal_ignoring_case(value, "8BITMIME"))
        into.body = BodyType::EightBitMime;
    else if (codec::equal_ignoring_case(value, "BINARYMIME"))
        into.body = BodyType::BinaryMime;
    else
        return "BODY is 7BIT, 8BITMIME or BINARYMIME";
    return {};
}

std::string_view read_smtp_utf8(std::string_view, MailParameters& into) {
    into.smtp_utf8 = true;
    return {};
}

std::string_view read_auth(std::string_view value, MailParameters& into) {
    const auto text = xtext_decode(value);
    if (!text) return "AUTH is xtext";
    if (*text == "<>") {
        into.auth = Path{};
        return {};
    }
    // Utf8 as RFC 6531 §3.3 makes of <mailbox>; RFC 4954 itself is older.
    auto mailbox = parse_mailbox(*text, Utf8::Allowed);
    if (!mailbox) return "AUTH is a mailbox or <>";
    into.auth = Path{std::move(*mailbox)};
    return {};
}

std::string_view read_ret(std::string_view value, MailParameters& into) {
    if (codec::equal_ignoring_case(value, "FULL"))
        into.ret = Return::Full;
    else if (codec::equal_ignoring_case(value, "HDRS"))
        into.ret = Return::Headers;
    else
        return "RET is FULL or HDRS";
    return {};
}

std::string_view read_envelope_id(std::string_view value, MailParameters& into) {
    if (value.size() > envelope_id_octets_max) return "ENVID has at most 100 characters";
    auto text = xtext_decode(value);
    if (!text || !is_printable(*text)) return "ENVID is xtext of printable characters";
    into.envelope_id = std::move(*text);
    return {};
}

std::string_view read_require_tls(std::string_view, MailParameters& into) {
    into.require_tls = true;
    return {};
}

std::string_view read_mt_priority(std::string_view value, MailParameters& into) {
    const bool negative = value.starts_with('-');
    if (negative) value.remove_prefix(1);
    if (value.size() != 1 || !codec::is_digit(value[0]) || (negative && value[0] == '0'))
        return "MT-PRIORITY is -9 to 9";
    into.mt_priority = negative ? -(value[0] - '0') : value[0] - '0';
    return {};
}

std::string_view read_hold_for(std::string_view value, MailParameters& into) {
    // future-release-interval = 1*9DIGIT, RFC 4865 §4
    const auto seconds = value.size() <= 9 ? codec::parse_u32(value) : std::nullopt;
    if (!seconds || *seconds == 0) return "HOLDFOR is 1 to 999999999 seconds";
    into.hold_for = std::chrono::seconds{*seconds};
    return {};
}

/// "2024-06-07T08:09:10Z", RFC 4865 §4: RFC 3339's form, always in UTC.
std::optional<WallTime> parse_utc(std::string_view text) {
    const auto number = [&](std::size_t at, std::size_t digits) {
        return codec::parse_u32(text.substr(at, digits));
    };
    if (text.size() != 20 || text[4] != '-' || text[7] != '-' || codec::upper(text[10]) != 'T' ||
        text[13] != ':' || text[16] != ':' || codec::upper(text[19]) != 'Z')
        return std::nullopt;
    const auto year = number(0, 4), month = number(5, 2), day = number(8, 2), hour = number(11, 2),
               minute = number(14, 2), second = number(17, 2);
    if (!year || !month || !day || !hour || !minute || !second || *hour > 23 || *minute > 59 ||
        *second > 59)
        return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(*year)},
                                           std::chrono::month{*month}, std::chrono::day{*day}};
    if (!date.ok()) return std::nullopt;
    const auto days = std::chrono::sys_days{date}.time_since_epoch();
    return WallTime{days + std::chrono::hours{*hour} + std::chrono::minutes{*minute} +
                    std::chrono::seconds{*second}};
}

std::string to_utc(WallTime time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch());
    const auto days = std::chrono::floor<std::chrono::days>(seconds);
    const std::chrono::year_month_day date{std::chrono::sys_days{days}};
    const std::chrono::hh_mm_ss of_day{seconds - days};
    std::string text;
    codec::append_number(text, static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
    const auto two = [&](char before, auto value) {
        text += before;
        codec::append_number(text, static_cast<std::uint64_t>(value), 2);
    };
    two('-', static_cast<unsigned>(date.month()));
    two('-', static_cast<unsigned>(date.day()));
    two('T', of_day.hours().count());
    two(':', of_day.minutes().count());
    two(':', of_day.seconds().count());
    text += 'Z';
    return text;
}

std::string_view read_hold_until(std::string_view value, MailParameters& into) {
    const auto time = parse_utc(value);
    if (!time) return "HOLDUNTIL is a date and time in UTC";
    into.hold_until = *time;
    return {};
}

std::string_view read_notify(std::string_view value, RcptParameters& into) {
    constexpr std::string_view wrong = "NOTIFY is NEVER, or some of SUCCESS, FAILURE and DELAY";
    Notify notify;
    if (!codec::equal_ignoring_case(value, "NEVER")) {
        // A comma at the end is an empty element: refused.
        for (bool more = true; more;) {
            const auto comma = value.find(',');
            const auto element = value.substr(0, comma);
            more = comma != std::string_view::npos;
            if (more) value.remove_prefix(comma + 1);
            if (codec::equal_ignoring_case(element, "SUCCESS"))
                notify.success = true;
            else if (codec::equal_ignoring_case(element, "FAILURE"))
                notify.failure = true;
            else if (codec::equal_ignoring_case(element, "DELAY"))
                notify.delay = true;
            else
                return wrong;
        }
    }
    into.notify = notify;
    return {};
}

std::string_view read_original_recipient(std::string_view value, RcptParameters& into) {
    if (value.size() > original_recipient_octets_max) return "ORCPT has at most 500 characters";
    const auto semicolon = value.find(';');
    if (semicolon == 0 || semicolon == std::string_view::npos)
        return "ORCPT is a type, ';' and an address";
    OriginalRecipient recipient;
    recipient.type = value.substr(0, semicolon);
    if (!is_atom(recipient.type)) return "ORCPT's type is an atom";
    const auto address = value.substr(semicolon + 1);
    if (codec::equal_ignoring_case(recipient.type, "utf-8")) {
        recipient.address = address; // RFC 6533 §3 has an encoding of its own, or none
    } else {
        auto text = xtext_decode(address);
        if (!text || !is_printable(*text))
            return "ORCPT's address is xtext of printable characters";
        recipient.address = std::move(*text);
    }
    into.original_recipient = std::move(recipient);
    return {};
}

/// The address of an ORCPT of type utf-8: as utf-8-addr-unitext to a peer that takes UTF-8, else as
/// utf-8-addr-xtext (RFC 6533 §3). It is kept as it was written, so a "\\x{...}" in it stays.
void append_utf8_address(std::string_view address, Utf8 utf8, std::string& out) {
    constexpr std::string_view hex = codec::hex_digits_upper;
    while (!address.empty()) {
        const auto step = codec::decode_utf8(address);
        const auto octets = address.substr(0, step.octets);
        address.remove_prefix(step.octets);
        const bool plain = codec::is_visible(octets[0]) && octets[0] != '+' && octets[0] != '=';
        if (plain || (utf8 == Utf8::Allowed && step.valid && codec::is_8bit(octets[0]))) {
            out += octets;
            continue;
        }
        out += "\\x{";
        bool leading = true;
        for (int shift = 20; shift >= 0; shift -= 4) {
            const auto digit = (static_cast<std::uint32_t>(step.character) >> shift) & 15;
            leading = leading && digit == 0 && shift > 4;
            if (!leading) out += hex[digit];
        }
        out += '}';
    }
}

// The parameters of MAIL, each with the extension that brings it.
constexpr Row<MailParameters> mail_rows[] = {
    {"SIZE", [](const Capabilities& c) { return c.size.has_value(); }, true, read_size},
    {"BODY", [](const Capabilities& c) { return c.eight_bit_mime || c.binary_mime; }, true,
     read_body},
    {"SMTPUTF8", [](const Capabilities& c) { return c.smtp_utf8; }, false, read_smtp_utf8},
    {"AUTH", [](const Capabilities& c) { return c.auth; }, true, read_auth},
    {"RET", [](const Capabilities& c) { return c.dsn; }, true, read_ret},
    {"ENVID", [](const Capabilities& c) { return c.dsn; }, true, read_envelope_id},
    {"REQUIRETLS", [](const Capabilities& c) { return c.require_tls; }, false, read_require_tls},
    {"MT-PRIORITY", [](const Capabilities& c) { return c.mt_priority; }, true, read_mt_priority},
    {"HOLDFOR", [](const Capabilities& c) { return c.future_release.has_value(); }, true,
     read_hold_for},
    {"HOLDUNTIL", [](const Capabilities& c) { return c.future_release.has_value(); }, true,
     read_hold_until},
};

// And those of RCPT.
constexpr Row<RcptParameters> rcpt_rows[] = {
    {"NOTIFY", [](const Capabilities& c) { return c.dsn; }, true, read_notify},
    {"ORCPT", [](const Capabilities& c) { return c.dsn; }, true, read_original_recipient},
};

template <class Parameters>
std::expected<Parameters, Reply> parse(std::string_view text, const Capabilities& offered,
                                       std::span<const Row<Parameters>> rows) {
    Parameters parameters;
    std::uint32_t seen = 0;
    const auto utf8 = offered.smtp_utf8 ? Utf8::Allowed : Utf8::Forbidden;
    while (!text.empty()) { // each row at most once: bounded
        if (text.front() != ' ') return std::unexpected(syntax_error("a space before each"));
        text.remove_prefix(1);
        const auto word = text.substr(0, text.find(' '));
        text.remove_prefix(word.size());
        const auto parameter = parse_parameter(word, utf8);
        if (!parameter) return std::unexpected(parameter.error());
        const auto row = std::ranges::find_if(rows, [&](const auto& r) {
            return codec::equal_ignoring_case(r.keyword, parameter->keyword);
        });
        // RFC 5321 §4.1.1.11
        if (row == rows.end() || !row->offered(offered))
            return std::unexpected(Reply{555, EnhancedStatus{5, 5, 4},
                                         "Parameter not recognized or not implemented: " +
                                             std::string(parameter->keyword)});
        const auto bit = 1u << (row - rows.begin());
        if (seen & bit)
            return std::unexpected(syntax_error(std::string(row->keyword) + " is given twice"));
        seen |= bit;
        if (row->takes_value != parameter->value.has_value())
            return std::unexpected(
                syntax_error(std::string(row->keyword) +
                             (row->takes_value ? " needs a value" : " takes no value")));
        if (const auto wrong = row->read(parameter->value.value_or(""), parameters); !wrong.empty())
            return std::unexpected(syntax_error(wrong));
    }
    return parameters;
}

} // namespace

std::expected<MailParameters, Reply> parse_mail_parameters(std::string_view text,
                                                           const Capabilities& offered) {
    auto parameters = parse<MailParameters>(text, offered, mail_rows);
    if (!parameters) return parameters;
    const auto refuse = [](Reply reply) { return std::unexpected(std::move(reply)); };
    if (parameters->body_type() == BodyType::BinaryMime && !offered.binary_mime)
        return refuse(syntax_error("BINARYMIME is not offered"));
    if (parameters->hold_for && parameters->hold_until)
        return refuse(syntax_error("HOLDFOR and HOLDUNTIL exclude each other")); // RFC 4865 §4
    if (parameters->size && offered.size && *offered.size > 0 && *parameters->size > *offered.size)
        return refuse(
            {552, EnhancedStatus{5, 3, 4}, "Message size exceeds fixed maximum message size"});
    return parameters;
}

std::expected<RcptParameters, Reply> parse_rcpt_parameters(std::string_view text,
                                                           const Capabilities& offered) {
    return parse<RcptParameters>(text, offered, rcpt_rows);
}

void append_parameters(const MailParameters& parameters, const Capabilities& offered,
                       std::string& out) {
    if (parameters.size && offered.size) {
        out += " SIZE=";
        codec::append_number(out, *parameters.size);
    }
    if (parameters.body && (offered.eight_bit_mime || offered.binary_mime)) {
        switch (*parameters.body) {
        case BodyType::SevenBit: break; // the default
        case BodyType::EightBitMime: out += " BODY=8BITMIME"; break;
        case BodyType::BinaryMime: out += " BODY=BINARYMIME"; break;
        }
    }
    if (parameters.smtp_utf8 && offered.smtp_utf8) out += " SMTPUTF8";
    if (parameters.auth && offered.auth) {
        const auto& mailbox = parameters.auth->mailbox;
        out += " AUTH=";
        out += parameters.auth->is_null() ? "<>" : xtext_encode(to_string(mailbox));
    }
    if (parameters.ret && offered.dsn)
        out += *parameters.ret == Return::Full ? " RET=FULL" : " RET=HDRS";
    if (parameters.envelope_id && !parameters.envelope_id->empty() && offered.dsn)
        out += " ENVID=" + xtext_encode(*parameters.envelope_id);
    if (parameters.require_tls && offered.require_tls) out += " REQUIRETLS";
    if (parameters.mt_priority && offered.mt_priority) {
        out += *parameters.mt_priority < 0 ? " MT-PRIORITY=-" : " MT-PRIORITY=";
        codec::append_number(out, static_cast<std::uint64_t>(std::abs(*parameters.mt_priority)));
    }
    if (parameters.hold_for && offered.future_release) {
        out += " HOLDFOR=";
        codec::append_number(out, static_cast<std::uint64_t>(parameters.hold_for->count()));
    }
    if (parameters.hold_until && offered.future_release)
        out += " HOLDUNTIL=" + to_utc(*parameters.hold_until);
}

void append_parameters(const RcptParameters& parameters, const Capabilities& offered,
                       std::string& out) {
    if (!offered.dsn) return;
    if (parameters.notify) {
        out += " NOTIFY=";
        if (parameters.notify->never()) out += "NEVER";
        std::string_view comma;
        const auto element = [&](bool wanted, std::string_view name) {
            if (!wanted) return;
            out += comma;
            out += name;
            comma = ",";
        };
        element(parameters.notify->success, "SUCCESS");
        element(parameters.notify->failure, "FAILURE");
        element(parameters.notify->delay, "DELAY");
    }
    if (parameters.original_recipient && is_atom(parameters.original_recipient->type) &&
        !parameters.original_recipient->address.empty()) {
        const auto& original = *parameters.original_recipient;
        auto value = original.type + ';';
        if (codec::equal_ignoring_case(original.type, "utf-8"))
            append_utf8_address(original.address,
                                offered.smtp_utf8 ? Utf8::Allowed : Utf8::Forbidden, value);
        else
            value += xtext_encode(original.address);
        // What came in another encoding may not fit in ours: a report can do without it.
        if (value.size() <= original_recipient_octets_max) out += " ORCPT=" + value;
    }
}

} // namespace mailcore::smtp
