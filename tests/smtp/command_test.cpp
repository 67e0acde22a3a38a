#include "libmailcore/smtp/command.h"

#include "tests/catch.h"

#include <algorithm>

using namespace mailcore::smtp;

TEST_CASE("every row of the command table says where it comes from and when it may come") {
    for (const auto& row : command_table()) {
        INFO(row.verb);
        CHECK(row.source.starts_with("RFC "));
        CHECK_FALSE(row.states.empty());
        CHECK(std::ranges::all_of(row.states,
                                  [](char c) { return std::string_view("SRMTCFX").contains(c); }));
        CHECK(std::ranges::all_of(row.dialects,
                                  [](char c) { return std::string_view("SL").contains(c); }));
        CHECK(find_command(row.verb) == &row);
    }
}

TEST_CASE("what may be pipelined is what RFC 2920 §3.1 and RFC 3030 §2 name") {
    for (const auto& row : command_table()) {
        INFO(row.verb);
        const std::string_view free[] = {"MAIL", "RCPT", "RSET", "BDAT"};
        CHECK(row.ends_group == (std::ranges::find(free, row.verb) == std::end(free)));
    }
}

TEST_CASE("a command line is cut at its first space") {
    CHECK(parse_command_line("NOOP").verb == "NOOP");
    CHECK(parse_command_line("MAIL FROM:<a b>").arguments == "FROM:<a b>");
    CHECK(parse_command_line("NOOP ").arguments.empty());
    CHECK(parse_command_line("").verb.empty());
    CHECK(parse_command_line(" NOOP").verb.empty());
    CHECK(find_command("nOoP") == find_command("NOOP"));
    CHECK(find_command("NOO") == nullptr);
    CHECK(find_command("") == nullptr);
}
