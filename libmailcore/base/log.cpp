#include "libmailcore/base/log.h"

#include "libmailcore/base/overloaded.h"

#include <fmt/format.h>
#include <iterator>

namespace mailcore::base {

std::string_view to_string(LogLevel level) {
    switch (level) {
    case LogLevel::Debug: return "debug";
    case LogLevel::Info: return "info";
    case LogLevel::Warning: return "warning";
    case LogLevel::Error: return "error";
    }
    return "unknown";
}

namespace {

bool is_plain(std::string_view text) {
    if (text.empty()) return false;
    for (const unsigned char octet : text)
        if (octet <= ' ' || octet == '"' || octet == '\\' || octet == 0x7f || octet == '=')
            return false;
    return true;
}

void append_text(std::string& line, std::string_view text) {
    if (is_plain(text)) {
        line += text;
        return;
    }
    line += '"';
    for (const unsigned char octet : text) {
        if (octet == '"' || octet == '\\') {
            line += '\\';
            line += static_cast<char>(octet);
        } else if (octet < ' ' || octet == 0x7f) {
            fmt::format_to(std::back_inserter(line), "\\x{:02x}", octet);
        } else {
            line += static_cast<char>(octet);
        }
    }
    line += '"';
}

} // namespace

std::string to_text(const LogEvent& event) {
    std::string line;
    line += to_string(event.level);
    line += ' ';
    line += event.id;
    if (event.trace.value != 0)
        fmt::format_to(std::back_inserter(line), " trace={:016x}", event.trace.value);
    for (const auto& field : event.fields) {
        line += ' ';
        line += field.name;
        line += '=';
        std::visit(overloaded{[&](std::string_view text) { append_text(line, text); },
                              [&](bool flag) { line += flag ? "yes" : "no"; },
                              [&](auto number) { line += std::to_string(number); }},
                   field.value);
    }
    return line;
}

} // namespace mailcore::base
