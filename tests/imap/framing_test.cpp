#include "libmailcore/imap/framing.h"

#include "tests/catch.h"

#include <fmt/format.h>

using namespace mailcore;
using imap::Framer;
using Outcome = Framer::Outcome;

namespace {

// What a stream is cut into, as text; literals are collected where they fit, else refused.
std::string framed(std::string_view octets, std::size_t piece, Framer::Limits limits) {
    Framer framer(limits);
    std::string said;
    for (auto rest = octets; !rest.empty();) {
        const auto step = framer.read(rest.substr(0, piece));
        rest.remove_prefix(step.taken);
        switch (step.outcome) {
        case Outcome::NeedMore: break;
        case Outcome::Command: said += fmt::format("<{}>", framer.command()); break;
        case Outcome::Discarded: said += fmt::format("[{}]", framer.head().substr(0, 3)); break;
        case Outcome::Overrun: return said + "overrun";
        case Outcome::Literal:
            if (framer.fits(framer.literal().octets)) {
                framer.collect_literal();
                break;
            }
            switch (framer.discard()) {
            case Framer::Discard::Over:
                said += fmt::format("refused[{}]", framer.head().substr(0, 3));
                break;
            case Framer::Discard::Swallowing: said += "swallowing"; break;
            case Framer::Discard::Hopeless: return said + "hopeless";
            }
            break;
        }
    }
    if (!framer.between()) said += "...";
    return said;
}

} // namespace

TEST_CASE("a stream is cut into commands however it is cut into packets") {
    struct Case {
        const char* name;
        std::string_view input, commands;
    };
    static const Case cases[] = {
        {"lines", "a\r\nb c\r\n", "<a><b c>"},
        {"empty line", "\r\n", "<>"},
        {"unfinished", "a NOOP", "..."},
        {"bare LF", "a\nb\r\n", "<a\nb>"},
        {"bare CR", "a\rb\r\n", "<a\rb>"},
        {"CR CR LF", "a\r\r\n", "<a\r>"},
        {"LF first", "\nb\r\n", "<\nb>"},
        {"literal", "a {3}\r\nx\r\n b\r\n", "<a {3}\r\nx\r\n b>"},
        {"literal at the end", "a {2}\r\n\r\n\r\n", "<a {2}\r\n\r\n>"},
        {"empty literal", "a {0}\r\n b\r\n", "<a {0}\r\n b>"},
        {"a literal whose octets look like another", "a {3}\r\n{9}\r\nb\r\n", "<a {3}\r\n{9}><b>"},
        {"a literal that ends in CR", "a {1}\r\n\r\nb\r\n", "<a {1}\r\n\r\nb>"},
        {"two literals", "a {1+}\r\nx {1+}\r\ny\r\n", "<a {1+}\r\nx {1+}\r\ny>"},
        {"no announcement: text behind it", "a {3} \r\n", "<a {3} >"},
        {"no announcement: no digits", "a {}\r\n", "<a {}>"},
        {"no announcement: no brace", "a 3}\r\n", "<a 3}>"},
        {"no announcement: two plus", "a {3++}\r\n", "<a {3++}>"},
        {"no announcement: negative", "a {-3}\r\n", "<a {-3}>"},
        {"inside quotes it is one all the same", "a \"{1}\r\nx\"\r\n", "<a \"{1}\r\nx\">"},
        {"leading zeros", "a {0001}\r\nx\r\n", "<a {0001}\r\nx>"},
        {"too large, synchronising", "abc {99}\r\nd\r\n", "refused[abc]<d>"},
        {"too large, not synchronising",
         "abc {70+}\r\n0123456789012345678901234567890123456789"
         "012345678901234567890123456789 {2+}\r\nxy\r\nd\r\n",
         "swallowing[abc]<d>"},
        {"too large to be swallowed", "abc {1000+}\r\n", "hopeless"},
        {"2^64", "abc {18446744073709551616}\r\nd\r\n", "refused[abc]<d>"},
        {"2^64, not synchronising", "abc {18446744073709551616+}\r\n", "hopeless"},
        {"line too long",
         "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\r\nd\r\n",
         "[abc]<d>"},
        {"line too long with a literal behind it",
         "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz "
         "{4+}\r\nd\r\nx\r\ne\r\n",
         "[abc]<e>"},
        {"line too long with a literal that was not asked for",
         "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz "
         "{4}\r\nd\r\n",
         "[abc]<d>"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        for (std::size_t piece = 1; piece <= c.input.size(); ++piece)
            REQUIRE(framed(c.input, piece, {60, 200}) == c.commands);
    }
}

TEST_CASE("a command may be as long as it may be, and no octet longer") {
    for (const std::size_t octets : {59, 60, 61}) {
        const auto input = std::string(octets, 'x') + "\r\n";
        for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, input.size()})
            CHECK(framed(input, piece, {60, 200}) ==
                  (octets <= 60 ? "<" + std::string(octets, 'x') + ">" : "[xxx]"));
    }
    // With its literal: "a {n}" CRLF and n octets.
    for (const std::size_t octets : {51, 52, 53}) {
        const auto input = fmt::format("a {{{}+}}\r\n{}\r\n", octets, std::string(octets, 'y'));
        const auto whole = input.substr(0, input.size() - 2);
        CHECK(framed(input, 5, {60, 200}) ==
              (whole.size() <= 60 ? "<" + whole + ">" : "swallowing[a {]"));
    }
}

TEST_CASE("an endless line costs no memory and ends") {
    Framer framer({1000, 100'000});
    const std::string piece(1000, 'x');
    Framer::Step step{};
    int pieces = 0;
    do {
        step = framer.read(piece);
        REQUIRE(framer.memory() < 3000);
    } while (step.outcome == Outcome::NeedMore && ++pieces < 1000);
    CHECK(step.outcome == Outcome::Overrun);
    CHECK(pieces >= 99);
    framer.wipe();
    CHECK(framer.memory() == 0);
}
