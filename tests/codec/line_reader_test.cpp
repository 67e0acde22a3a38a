#include "libmailcore/codec/line_reader.h"

#include "libmailcore/codec/dot_stuffing.h"

#include "tests/catch.h"

#include <string>
#include <vector>

using namespace mailcore;
using codec::LineReader;

namespace {

/// Reads all lines of `input`, fed in pieces of at most `piece` octets, as "outcome:line" texts.
std::vector<std::string> lines(std::string_view input, std::size_t octets_max, std::size_t piece) {
    LineReader reader(octets_max);
    std::vector<std::string> told;
    while (!input.empty()) {
        const auto offered = input.substr(0, piece);
        const auto step = reader.read(offered);
        switch (step.outcome) {
        case LineReader::Outcome::NeedMore: break;
        case LineReader::Outcome::Line: told.push_back("line:" + std::string(reader.line())); break;
        case LineReader::Outcome::TooLong: told.push_back("too long"); break;
        case LineReader::Outcome::Malformed: told.push_back("malformed"); break;
        }
        input.remove_prefix(step.taken);
    }
    return told;
}

} // namespace

TEST_CASE("a line ends with CRLF and with nothing else, however it arrives") {
    struct Case {
        const char* name;
        std::string_view input;
        std::vector<std::string> told;
    };
    const Case cases[] = {
        {"two lines", "one\r\ntwo\r\n", {"line:one", "line:two"}},
        {"empty lines", "\r\n\r\n", {"line:", "line:"}},
        {"unfinished", "one\r\ntw", {"line:one"}},
        {"bare LF", "one\ntwo\r\n", {"malformed"}},
        {"bare CR", "one\rtwo\r\n", {"malformed"}},
        {"CR CR LF", "one\r\r\n", {"malformed"}},
        {"LF first", "\none\r\nx\r\n", {"malformed", "line:x"}},
        {"NUL", std::string_view("a\0b\r\n", 5), {"malformed"}},
        {"at the limit", "12345678\r\n", {"line:12345678"}},
        {"over the limit", "123456789\r\nok\r\n", {"too long", "line:ok"}},
        {"far over the limit",
         "1234567890123456789012345678901234567890\r\nok\r\n",
         {"too long", "line:ok"}},
    };
    for (const auto& c : cases)
        for (std::size_t piece = 1; piece <= c.input.size(); ++piece) {
            INFO(c.name << " in pieces of " << piece);
            CHECK(lines(c.input, 10, piece) == c.told);
        }
}

TEST_CASE("an endless line is counted and not kept") {
    LineReader reader(512);
    const std::string piece(1000, 'a');
    for (int i = 0; i < 1000; ++i) CHECK(reader.read(piece).taken == piece.size());
    CHECK(reader.swallowed() == 1'000'000);
    CHECK(reader.memory() < 2000);
}

TEST_CASE("dots are stuffed at the start of a line, wherever the pieces are cut") {
    struct Case {
        const char* name;
        std::string_view input;
        std::string_view stuffed;
    };
    static constexpr Case cases[] = {
        {"empty", "", ".\r\n"},
        {"plain", "a\r\n", "a\r\n.\r\n"},
        {"no end of line", "a", "a\r\n.\r\n"},
        {"a dot", ".\r\n", "..\r\n.\r\n"},
        {"dots", "..\r\n.a\r\na.\r\n", "...\r\n..a\r\na.\r\n.\r\n"},
        {"a bare LF starts no line", "a\n.\r\n", "a\n.\r\n.\r\n"},
        {"a bare CR starts no line", "a\r.\r\n", "a\r.\r\n.\r\n"},
    };
    for (const auto& c : cases)
        for (std::size_t piece = 1; piece <= c.input.size() + 1; ++piece) {
            INFO(c.name << " in pieces of " << piece);
            codec::DotStuffer stuffer;
            std::string out;
            for (auto rest = c.input; !rest.empty();
                 rest.remove_prefix(std::min(piece, rest.size())))
                stuffer.append(rest.substr(0, piece), out);
            stuffer.finish(out);
            CHECK(out == c.stuffed);
        }
}
