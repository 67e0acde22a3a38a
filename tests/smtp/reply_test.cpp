#include "libmailcore/smtp/reply.h"

#include "tests/catch.h"

using namespace mailcore::smtp;

namespace {

std::string octets(const Reply& reply, Octets as = Octets::Ascii) {
    std::string out;
    append_reply(reply, out, as);
    return out;
}

/// Reads all of `text` in pieces; nothing: malformed or incomplete.
std::optional<Reply> read(std::string_view text, std::size_t piece,
                          ReplyParser::Limits limits = {}) {
    ReplyParser parser(limits);
    while (!text.empty()) {
        const auto step = parser.read(text.substr(0, piece));
        text.remove_prefix(step.taken);
        if (step.outcome == ReplyParser::Outcome::Malformed) return std::nullopt;
        if (step.outcome == ReplyParser::Outcome::Complete)
            return text.empty() ? std::optional(parser.take()) : std::nullopt;
    }
    return std::nullopt;
}

} // namespace

TEST_CASE("a reply becomes lines of one code, whatever its text holds") {
    struct Case {
        const char* name;
        Reply reply;
        std::string octets;
    };
    const Case cases[] = {
        {"usual", {250, EnhancedStatus{2, 1, 0}, "OK"}, "250 2.1.0 OK\r\n"},
        {"no text", {250, std::nullopt, ""}, "250 \r\n"},
        {"no text but a status", {250, EnhancedStatus{2, 0, 0}, ""}, "250 2.0.0 \r\n"},
        {"lines", {250, std::nullopt, "a\nb\nc"}, "250-a\r\n250-b\r\n250 c\r\n"},
        {"status in each line",
         {550, EnhancedStatus{5, 1, 1}, "a\nb"},
         "550-5.1.1 a\r\n550 5.1.1 b\r\n"},
        {"empty line", {250, std::nullopt, "a\n\nb"}, "250-a\r\n250-\r\n250 b\r\n"},
        {"line end at the end", {250, std::nullopt, "a\n"}, "250 a\r\n"},
        {"status of another class", {250, EnhancedStatus{5, 1, 1}, "a"}, "250 a\r\n"},
        {"smuggled line", {250, std::nullopt, "a\r250 b"}, "250 a?250 b\r\n"},
        {"controls", {250, std::nullopt, std::string("a\0b\x7f\tc", 6)}, "250 a?b?\tc\r\n"},
        {"8 bits", {250, std::nullopt, "ü"}, "250 ??\r\n"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(octets(c.reply) == c.octets);
    }
    CHECK(octets({250, std::nullopt, "ü"}, Octets::Utf8) == "250 ü\r\n");
    CHECK(octets({250, std::nullopt, "\xff"}, Octets::Utf8) == "250 ?\r\n");
}

TEST_CASE("no line of a reply is longer than 512 octets") {
    for (const std::size_t length : {505u, 506u, 507u, 1012u, 5000u})
        for (const char* unit : {"x", "x ", "ü", "\xbf"}) {
            std::string text;
            while (text.size() < length) text += unit;
            for (const auto as : {Octets::Ascii, Octets::Utf8}) {
                const auto out = octets({250, std::nullopt, text}, as);
                INFO(length << " " << unit);
                std::size_t lines = 0, longest = 0;
                for (std::size_t at = 0; at < out.size(); ++lines) {
                    const auto end = out.find("\r\n", at) + 2;
                    longest = std::max(longest, end - at);
                    CHECK(out.substr(at, 4) == (end == out.size() ? "250 " : "250-"));
                    at = end;
                }
                CHECK(longest <= 512);
                if (length == 506 && *unit == 'x' && !unit[1]) CHECK(lines == 1);
                if (length == 507 && *unit == 'x' && !unit[1]) CHECK(lines == 2);
            }
        }
}

TEST_CASE("a server's replies are read strictly, however they are cut") {
    struct Case {
        const char* name;
        std::string text;
        std::optional<Reply> reply;
    };
    const Case cases[] = {
        {"usual", "250 2.1.0 OK\r\n", Reply{250, EnhancedStatus{2, 1, 0}, "OK"}},
        {"code only", "250\r\n", Reply{250, std::nullopt, ""}},
        {"code and space", "250 \r\n", Reply{250, std::nullopt, ""}},
        {"lines", "250-a\r\n250-b\r\n250 c\r\n", Reply{250, std::nullopt, "a\nb\nc"}},
        {"lines with a status", "550-5.1.1 a\r\n550 5.1.1 b\r\n",
         Reply{550, EnhancedStatus{5, 1, 1}, "a\nb"}},
        {"status of another class", "250 5.1.1 a\r\n", Reply{250, std::nullopt, "5.1.1 a"}},
        {"no status", "250 5.1 a\r\n", Reply{250, std::nullopt, "5.1 a"}},
        {"status only", "250 2.0.0\r\n", Reply{250, EnhancedStatus{2, 0, 0}, ""}},
        {"second digit above 5", "599 a\r\n", Reply{599, std::nullopt, "a"}},
        {"UTF-8", "250 ü\r\n", Reply{250, std::nullopt, "ü"}},
        {"control", "250 a\x01z\r\n", Reply{250, std::nullopt, "a?z"}},
        {"empty lines", "250-\r\n250-\r\n250 \r\n", Reply{250, std::nullopt, "\n\n"}},
        {"empty", "\r\n", std::nullopt},
        {"two digits", "25 OK\r\n", std::nullopt},
        {"four digits", "2500 OK\r\n", std::nullopt},
        {"no digits", "OK\r\n", std::nullopt},
        {"first digit 1", "150 a\r\n", std::nullopt},
        {"first digit 6", "650 a\r\n", std::nullopt},
        {"tab for space", "250\tOK\r\n", std::nullopt},
        {"codes differ", "250-a\r\n251 b\r\n", std::nullopt},
        {"bare LF", "250 OK\n250 OK\r\n", std::nullopt},
        {"bare CR", "250 a\rb\r\n", std::nullopt},
        {"NUL", std::string("250 a\0\r\n", 8), std::nullopt},
        {"HTTP", "HTTP/1.1 400 Bad Request\r\n", std::nullopt},
    };
    for (const auto& c : cases)
        for (const std::size_t piece : {1u, 2u, 3u, 1000u}) {
            INFO(c.name << " in pieces of " << piece);
            CHECK(read(c.text, piece) == c.reply);
        }
}

TEST_CASE("a server's replies are bounded by line and as a whole") {
    const ReplyParser::Limits limits{20, 30};
    for (const std::size_t piece : {1u, 7u, 1000u}) {
        INFO(piece);
        CHECK(read("250 " + std::string(14, 'x') + "\r\n", piece, limits));
        CHECK_FALSE(read("250 " + std::string(15, 'x') + "\r\n", piece, limits));
        const std::string line = "250-123456789\r\n";
        CHECK(read(line + line + line + "250 \r\n", piece, limits)); // 30 octets with the line ends
        CHECK_FALSE(read(line + line + line + "250 x\r\n", piece, limits));
    }
    // A line without an end, and lines without an end, are given up on.
    for (const std::string_view octets : {"x", "250-\r\n"}) {
        ReplyParser parser;
        std::size_t fed = 0;
        std::string start = "250 ";
        if (octets == "x") (void)parser.read(start).taken;
        auto outcome = ReplyParser::Outcome::NeedMore;
        while (outcome == ReplyParser::Outcome::NeedMore && fed < 1'000'000) {
            outcome = parser.read(octets).outcome;
            fed += octets.size();
            REQUIRE(parser.memory() < 100'000);
        }
        CHECK(outcome == ReplyParser::Outcome::Malformed);
        CHECK(fed < 300'000);
    }
}

TEST_CASE("what we write a peer reads as it was meant") {
    const Reply replies[] = {
        {250, EnhancedStatus{2, 1, 5}, "Recipient accepted"},
        {421, std::nullopt, "a\nb"},
        {554, EnhancedStatus{5, 999, 999}, "x"},
    };
    for (const auto& reply : replies) CHECK(read(octets(reply), 1) == reply);
    CHECK(to_string(Reply{550, EnhancedStatus{5, 1, 1}, "a\nb"}) == "550 5.1.1 a; b");
    CHECK(to_string(Reply{250, std::nullopt, ""}) == "250");
}
