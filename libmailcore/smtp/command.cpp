#include "libmailcore/smtp/command.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/smtp/server_engine.h"

#include <algorithm>

namespace mailcore::smtp {

std::span<const CommandRow> command_table() {
    using E = ServerEngine;
    static constexpr CommandRow rows[] = {
        // verb  dialects states exempt  ends   counted handler       source
        {"HELO", "S", "SRMTCF", "a", true, true, &E::helo, "RFC 5321 §4.1.1.1"},
        {"EHLO", "S", "SRMTCF", "ta", true, true, &E::ehlo, "RFC 5321 §4.1.1.1"},
        {"LHLO", "L", "SRMTCF", "ta", true, true, &E::lhlo, "RFC 2033 §4.1"},
        {"MAIL", "SL", "R", "", false, false, &E::mail, "RFC 5321 §4.1.1.2"},
        {"RCPT", "SL", "MT", "", false, false, &E::rcpt, "RFC 5321 §4.1.1.3"},
        {"DATA", "SL", "T", "", true, false, &E::data, "RFC 5321 §4.1.1.4"},
        {"BDAT", "SL", "SRMTCFX", "ta", false, false, &E::bdat, "RFC 3030 §2"},
        {"RSET", "SL", "SRMTCF", "a", false, true, &E::rset, "RFC 5321 §4.1.1.5"},
        {"VRFY", "SL", "SRMTCF", "", true, true, &E::vrfy, "RFC 5321 §4.1.1.6"},
        {"EXPN", "SL", "SRMTCF", "", true, true, &E::expn, "RFC 5321 §4.1.1.7"},
        {"HELP", "SL", "SRMTCF", "", true, true, &E::help, "RFC 5321 §4.1.1.8"},
        {"NOOP", "SL", "SRMTCF", "ta", true, true, &E::noop, "RFC 5321 §4.1.1.9"},
        {"QUIT", "SL", "SRMTCFX", "ta", true, false, &E::quit, "RFC 5321 §4.1.1.10"},
        {"STARTTLS", "SL", "R", "ta", true, true, &E::starttls, "RFC 3207 §4"},
        {"AUTH", "SL", "R", "a", true, true, &E::auth, "RFC 4954 §4"},
    };
    return rows;
}

const CommandRow* find_command(std::string_view verb) {
    const auto rows = command_table();
    const auto row = std::ranges::find_if(
        rows, [&](const auto& r) { return codec::equal_ignoring_case(r.verb, verb); });
    return row == rows.end() ? nullptr : &*row;
}

CommandLine parse_command_line(std::string_view line) {
    const auto space = std::min(line.find(' '), line.size());
    return {line.substr(0, space), line.substr(std::min(space + 1, line.size()))};
}

} // namespace mailcore::smtp
