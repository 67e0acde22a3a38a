#include "libmailcore/smtp/capabilities.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"

#include <algorithm>
#include <array>

namespace mailcore::smtp {

namespace {

struct Keyword {
    std::string_view name;
    bool Capabilities::*offered;
};

// Those without arguments.
constexpr std::array keywords{
    Keyword{"PIPELINING", &Capabilities::pipelining},
    Keyword{"8BITMIME", &Capabilities::eight_bit_mime},
    Keyword{"SMTPUTF8", &Capabilities::smtp_utf8},
    Keyword{"DSN", &Capabilities::dsn},
    Keyword{"CHUNKING", &Capabilities::chunking},
    Keyword{"BINARYMIME", &Capabilities::binary_mime},
    Keyword{"ENHANCEDSTATUSCODES", &Capabilities::enhanced_status_codes},
    Keyword{"STARTTLS", &Capabilities::starttls},
    Keyword{"REQUIRETLS", &Capabilities::require_tls},
    Keyword{"HELP", &Capabilities::help},
    Keyword{"MT-PRIORITY", &Capabilities::mt_priority},
};

constexpr std::uint64_t limit_max = 999'999; // RFC 9422 §4: six digits
constexpr std::size_t mechanisms_max = 32;   // more than are registered and in use

std::string_view take_word(std::string_view& text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    const auto end = std::min(text.find(' '), text.size());
    const auto word = text.substr(0, end);
    text.remove_prefix(end);
    return word;
}

void read_limits(std::string_view text, Capabilities& into) {
    Limits limits;
    for (auto word = take_word(text); !word.empty(); word = take_word(text)) {
        const auto equals = std::min(word.find('='), word.size());
        const auto value = codec::parse_u64(word.substr(std::min(equals + 1, word.size())));
        if (!value) continue;
        const auto name = word.substr(0, equals);
        if (codec::equal_ignoring_case(name, "MAILMAX"))
            limits.messages_max = *value;
        else if (codec::equal_ignoring_case(name, "RCPTMAX"))
            limits.recipients_max = *value;
    }
    into.limits = limits;
}

void read_mechanisms(std::string_view text, Capabilities& into) {
    into.auth = true;
    for (auto word = take_word(text); !word.empty(); word = take_word(text)) {
        auto mechanism = codec::upper(word);
        if (into.mechanisms.size() < mechanisms_max && !into.offers(mechanism))
            into.mechanisms.push_back(std::move(mechanism));
    }
}

} // namespace

bool Capabilities::offers(std::string_view mechanism) const {
    return std::ranges::find(mechanisms, mechanism) != mechanisms.end();
}

std::string to_ehlo_lines(const Capabilities& capabilities) {
    std::string lines;
    const auto line = [&](std::string_view text) {
        if (!lines.empty()) lines += '\n';
        lines += text;
    };
    for (const auto& keyword : keywords)
        if (capabilities.*keyword.offered) line(keyword.name);
    if (capabilities.size) {
        line("SIZE ");
        codec::append_number(lines, *capabilities.size);
    }
    if (!capabilities.mechanisms.empty()) {
        line("AUTH");
        for (const auto& mechanism : capabilities.mechanisms) lines += ' ' + mechanism;
    }
    if (capabilities.limits) {
        line("LIMITS");
        const auto limit = [&](std::string_view name, std::uint64_t value) {
            if (value == 0 || value > limit_max) return;
            lines += name;
            codec::append_number(lines, value);
        };
        limit(" MAILMAX=", capabilities.limits->messages_max);
        limit(" RCPTMAX=", capabilities.limits->recipients_max);
    }
    if (capabilities.future_release) {
        line("FUTURERELEASE ");
        codec::append_number(
            lines, static_cast<std::uint64_t>(capabilities.future_release->interval_max.count()));
        lines += ' ' + capabilities.future_release->until_max;
    }
    return lines;
}

Capabilities parse_capabilities(const Reply& reply) {
    Capabilities capabilities;
    std::string_view rest = reply.text;
    for (bool first = true; !rest.empty(); first = false) {
        auto text = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(text.size() + 1, rest.size()));
        if (first) continue;
        auto name = take_word(text);
        // "AUTH=PLAIN" is how drafts wrote it; servers that do write both.
        if (const auto keyword = std::ranges::find_if(
                keywords, [&](const auto& k) { return codec::equal_ignoring_case(k.name, name); });
            keyword != keywords.end()) {
            capabilities.*keyword->offered = true;
        } else if (codec::equal_ignoring_case(name, "SIZE")) {
            const auto word = take_word(text);
            const auto size = codec::parse_u64(word);
            capabilities.size = size ? *size : 0;
        } else if (codec::equal_ignoring_case(name, "AUTH")) {
            read_mechanisms(text, capabilities);
        } else if (codec::equal_ignoring_case(name, "LIMITS")) {
            read_limits(text, capabilities);
        } else if (codec::equal_ignoring_case(name, "FUTURERELEASE")) {
            const auto interval = codec::parse_u32(take_word(text));
            if (interval)
                capabilities.future_release =
                    FutureRelease{std::chrono::seconds{*interval}, std::string(take_word(text))};
        }
    }
    if (!capabilities.chunking) capabilities.binary_mime = false;
    return capabilities;
}

} // namespace mailcore::smtp
