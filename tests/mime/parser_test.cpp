#include "libmailcore/mime/parser.h"

#include "libmailcore/base/random.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/text.h"
#include "tests/catch.h"

#include <fmt/format.h>
#include <functional>

using namespace mailcore;
using namespace mailcore::mime;
using namespace std::string_view_literals;

namespace {

// The tree on one line a part: "0 text/plain 10+20 3", places as header octets and body octets,
// then lines.
std::string tree(const Structure& structure) {
    std::string out;
    for (const auto& part : structure.parts) {
        std::size_t level = 0;
        for (auto up = part.parent; up != no_part; up = structure.parts[up].parent) ++level;
        const char* kinds[] = {"", "*", "@"};
        out += fmt::format("{}{}{}/{} {}+{} {}\n", std::string(level, ' '),
                           kinds[static_cast<int>(part.kind)], part.type, part.subtype,
                           part.header_octets(), part.body_octets(), part.body_lines);
    }
    return out;
}

// Parses whole, octet by octet and at random cuts; all must be the same, and survive storing.
Structure parse_each_way(std::string_view message, const ParserOptions& options = {}) {
    auto whole = parse(message, options);
    const auto encoded = whole.encoded();
    if (message.size() <= 20'000) {
        Parser octets(options);
        for (const char c : message) octets.feed({&c, 1});
        CHECK(octets.finish().encoded() == encoded);
    }
    base::SeededRandom random(message.size());
    for (int round = 0; round < 3; ++round) {
        Parser pieces(options);
        for (auto rest = message; !rest.empty();) {
            const auto size =
                std::min<std::size_t>(rest.size(), random.below(round == 0 ? 4 : 100));
            pieces.feed(rest.substr(0, size));
            rest.remove_prefix(size);
        }
        CHECK(pieces.finish().encoded() == encoded);
    }
    const auto back = Structure::decode(encoded);
    REQUIRE(back.has_value());
    CHECK(back->encoded() == encoded);
    for (const auto& part : whole.parts) {
        CHECK(part.header_begin <= part.body_begin);
        CHECK(part.body_begin <= part.end);
        CHECK(part.end <= message.size());
        if (part.parent == no_part) continue;
        CHECK(part.header_begin >= whole.parts[part.parent].body_begin);
        CHECK(part.end <= whole.parts[part.parent].end);
    }
    return whole;
}

std::string nested(std::size_t levels, bool closed) {
    std::string out;
    for (std::size_t i = 0; i < levels; ++i)
        out += fmt::format("Content-Type: multipart/mixed; boundary=b{}\r\n\r\n--b{}\r\n", i, i);
    out += "\r\ntext\r\n";
    for (std::size_t i = levels; closed && i > 0; --i) out += fmt::format("--b{}--\r\n", i - 1);
    return out;
}

} // namespace

TEST_CASE("messages are taken apart as they are meant") {
    struct Case {
        const char* name;
        std::string_view input, expected;
    };
    static constexpr Case cases[] = {
        {"empty", "", "text/plain 0+0 0\n"},
        {"header only", "A: b\r\n", "text/plain 6+0 0\n"},
        {"header without line end", "A: b", "text/plain 4+0 0\n"},
        {"body only", "\r\nhello", "text/plain 2+5 1\n"},
        {"text at once, no header", "Hello there\r\nmore\r\n", "text/plain 0+19 2\n"},
        {"text at once with a colon later", "Hello there: x\r\n", "text/plain 0+16 1\n"},
        {"bare LF", "A: b\n\nx\ny\n", "text/plain 6+4 2\n"},
        {"mbox separator", "From a@b Mon Jan 1 00:00:00 2024\r\nA: b\r\n\r\nx",
         "text/plain 42+1 1\n"},
        {"junk inside a header", "A: b\r\njunk\r\nContent-Type: text/html\r\n\r\nx\r\n",
         "text/html 39+3 1\n"},
        {"space before the colon", "Content-Type : text/html\r\n\r\n", "text/html 28+0 0\n"},
        {"blank line with a space is a continuation",
         "A: b\r\n \r\nContent-Type: text/html\r\n\r\nx", "text/html 36+1 1\n"},
        {"folded type", "Content-Type:\r\n text/html\r\n\r\n", "text/html 29+0 0\n"},
        {"unreadable type is the default", "Content-Type: foo\r\n\r\n", "text/plain 21+0 0\n"},
        {"first of two types counts", "Content-Type: text/html\r\nContent-Type: text/css\r\n\r\n",
         "text/html 51+0 0\n"},
        {"multipart",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\r\none\r\n--b\r\nA: "
         "b\r\n\r\ntwo\r\n\r\n"
         "--b--\r\nepilogue\r\n",
         "*multipart/mixed 45+59 11\n text/plain 2+3 1\n text/plain 8+5 1\n"},
        {"line end before a delimiter is the delimiter's",
         "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n\n--b\n\nx\n--b--",
         "*multipart/mixed 43+18 7\n text/plain 1+0 0\n text/plain 1+1 1\n"},
        {"no closing delimiter",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n",
         "*multipart/mixed 45+10 3\n text/plain 2+3 1\n"},
        {"delimiter at the very end", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b",
         "*multipart/mixed 45+3 1\n text/plain 0+0 0\n"},
        {"parts without header and body",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n--b--\r\n",
         "*multipart/mixed 45+17 3\n text/plain 0+0 0\n text/plain 0+0 0\n"},
        {"delimiter inside a part's header",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: "
         "text/html\r\n--b--\r\n",
         "*multipart/mixed 45+37 3\n text/html 23+0 0\n"},
        {"part that begins with text at once",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nHello you\r\n--b--\r\n",
         "*multipart/mixed 45+23 3\n text/plain 0+9 1\n"},
        {"blanks behind a delimiter",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b \t\r\n\r\nx\r\n--b--  \r\n",
         "*multipart/mixed 45+21 4\n text/plain 2+1 1\n"},
        {"delimiter with more on its line is text",
         "Content-Type: multipart/mixed; "
         "boundary=b\r\n\r\n--b\r\n\r\nx\r\n--bc\r\n--b--x\r\n--b--\r\n",
         "*multipart/mixed 45+31 6\n text/plain 2+15 3\n"},
        {"boundary is the beginning of another",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; "
         "boundary=bb\r\n\r\n"
         "--bb\r\n\r\nx\r\n--bb--\r\n--b--\r\n",
         "*multipart/mixed 45+77 8\n *multipart/mixed 46+17 4\n  text/plain 2+1 1\n"},
        {"boundary ends in hyphens",
         "Content-Type: multipart/mixed; boundary=\"b--\"\r\n\r\n--b--\r\n\r\nx\r\n--b----\r\n",
         "*multipart/mixed 49+21 4\n text/plain 2+1 1\n"},
        {"boundary with spaces, folded",
         "Content-Type: multipart/mixed; boundary=\"foo\r\n bar\"\r\n\r\n--foo "
         "bar\r\n\r\nx\r\n--foo bar--\r\n",
         "*multipart/mixed 55+29 4\n text/plain 2+1 1\n"},
        {"boundary in pieces",
         "Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\r\n\r\n--ab\r\n\r\nx\r\n--ab--",
         "*multipart/mixed 61+17 4\n text/plain 2+1 1\n"},
        {"outer delimiter closes the inner parts",
         "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/mixed; "
         "boundary=i\r\n\r\n"
         "--i\r\n\r\nx\r\n--o\r\n\r\ny\r\n--o--\r\n",
         "*multipart/mixed 45+77 10\n *multipart/mixed 45+8 3\n  text/plain 2+1 1\n text/plain 2+1 "
         "1\n"},
        {"the same boundary twice",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; "
         "boundary=b\r\n\r\n"
         "--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n--b--\r\n",
         "*multipart/mixed 45+84 11\n *multipart/mixed 45+15 4\n  text/plain 2+1 1\n text/plain "
         "2+1 1\n"},
        {"multipart without boundary",
         "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
         "multipart/mixed 33+17 4\n"},
        {"multipart whose boundary never comes",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n", "multipart/mixed 45+3 1\n"},
        {"multipart closed before it began",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\nx\r\n",
         "multipart/mixed 45+10 2\n"},
        {"delimiter behind the closing one is epilogue",
         "Content-Type: multipart/mixed; "
         "boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n",
         "*multipart/mixed 45+27 7\n text/plain 2+1 1\n"},
        {"message inside", "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n",
         "@message/rfc822 32+21 3\n text/plain 15+6 1\n"},
        {"message inside, without header", "Content-Type: message/rfc822\r\n\r\njust text\r\n",
         "@message/rfc822 32+11 1\n text/plain 0+11 1\n"},
        {"message inside a message inside",
         "Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\n\r\nx",
         "@message/rfc822 32+35 4\n @message/rfc822 32+3 2\n  text/plain 2+1 1\n"},
        {"message/rfc822 that is nothing",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: "
         "message/rfc822\r\n--b--",
         "*multipart/mixed 45+40 3\n @message/rfc822 28+0 0\n  text/plain 0+0 0\n"},
        {"international message inside",
         "Content-Type: message/global\r\n\r\nSubject: in\r\n\r\nbody\r\n",
         "@message/global 32+21 3\n text/plain 15+6 1\n"},
        {"digest",
         "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: "
         "1\r\n\r\none\r\n--b\r\nContent-Type: text/x\r\n"
         "\r\n\r\n--b--\r\n",
         "*multipart/digest 46+64 10\n @message/rfc822 2+17 3\n  text/plain 14+3 1\n text/x 24+0 "
         "0\n"},
        {"NUL, bare CR, 8 bit", "A: \0\xff\r\n\r\na\rb\0\xff"sv, "text/plain 9+5 1\n"},
        {"CR CR LF is no line end alone", "A: b\r\r\n\r\nx", "text/plain 9+1 1\n"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(tree(parse_each_way(c.input)) == c.expected);
    }
}

TEST_CASE("facts of the octets are told") {
    const auto facts = [](std::string_view message) {
        const auto s = parse_each_way(message);
        return fmt::format("{}{}{}{}{} {} {}", s.header_8bit ? 'h' : '-',
                           s.message().body_8bit ? 'b' : '-', s.nul ? '0' : '-',
                           s.bare_lf ? 'l' : '-', s.bare_cr ? 'c' : '-', s.lines, s.line_octets);
    };
    CHECK(facts("A: b\r\n\r\nabc\r\n") == "----- 3 4");
    CHECK(facts("A: \xC3\xBC\r\n\r\nabc") == "h---- 3 5");
    CHECK(facts("A: b\r\n\r\n\xFF") == "-b--- 3 4");
    CHECK(facts("A: b\n\r\n\0"sv) == "--0l- 3 4");
    CHECK(facts("A: b\r\n\r\n\r") == "----c 3 4");
    CHECK(facts("A: b\r\n\r\nx\r\r\n") == "----c 3 4");
    CHECK(facts("\r\n12345678\r\n") == "----- 2 8");
    // 8-bit octets of a part are those of all around it.
    const auto s = parse_each_way("Content-Type: multipart/mixed; "
                                  "boundary=b\r\n\r\n--b\r\n\r\na\r\n--b\r\n\r\n\xFF\r\n--b--\r\n");
    CHECK(s.parts[0].body_8bit);
    CHECK_FALSE(s.parts[1].body_8bit);
    CHECK(s.parts[2].body_8bit);
}

TEST_CASE("a header gives its envelope, thread keys and MIME fields") {
    const auto s =
        parse_each_way("Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
                       "Received: from c by d; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
                       "Date: Mon, 1 Jan 2024 12:00:00 +0100\r\n"
                       "Subject: Re: [list]  =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
                       "\t(fwd)\r\n"
                       "From: \"A. B\" <a@example.org>\r\n"
                       "To: c@example.org, Group: d@example.org, E <e@example.org>;\r\n"
                       "To: f@example.org\r\n"
                       "In-Reply-To: Your mail <parent@x>\r\n"
                       "References: <root@x>\r\n <parent@x> <parent@x>\r\n"
                       "Message-ID: <me@x>\r\n"
                       "Content-Type: text/html; charset=\"utf-8\"; name*=utf-8''%C3%BC\r\n"
                       "Content-Transfer-Encoding: Quoted-Printable\r\n"
                       "Content-Disposition: Attachment; filename=\"=?utf-8?b?w7w=?=.txt\"\r\n"
                       "Content-ID: <cid@x>\r\n"
                       "Content-Description: what\r\n it is\r\n"
                       "Content-Language: en, de\r\n"
                       "Content-Location: http://x/\r\n"
                       "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\n"
                       "\r\n");
    const auto& e = s.envelope();
    CHECK(e.date == "Mon, 1 Jan 2024 12:00:00 +0100");
    CHECK(e.subject == "Re: [list]  =?utf-8?q?Gr=C3=BC=C3=9Fe?=\t(fwd)");
    REQUIRE(e.from.size() == 1);
    CHECK(e.from[0] == AddressView{Address::Kind::Mailbox, "A. B", "", "a", "example.org"});
    CHECK(e.sender.empty());
    CHECK(e.sender_or_from().size() == 1);
    REQUIRE(e.to.size() == 6);
    CHECK(e.to[1].kind == Address::Kind::GroupBegin);
    CHECK(e.to[1].name == "Group");
    CHECK(e.to[4].kind == Address::Kind::GroupEnd);
    CHECK(e.to[5].local == "f");
    CHECK(e.in_reply_to == "Your mail <parent@x>");
    CHECK(e.message_id == "<me@x>");
    CHECK_FALSE(parse("").envelope().subject);
    CHECK(s.received == 2);
    CHECK(s.sent->zone_minutes == 60);
    CHECK(format_utc(s.sent->time) == "2024-01-01T11:00:00Z");
    CHECK(s.message_id == "me@x");
    CHECK(std::vector<std::string_view>(s.references.begin(), s.references.end()) ==
          std::vector<std::string_view>{"root@x", "parent@x"});
    CHECK(s.in_reply_to[0] == "parent@x");
    CHECK(s.base_subject == "Gr\xC3\xBC\xC3\x9F"
                            "e");
    CHECK(s.reply_or_forward);
    const auto& part = s.message();
    CHECK(part.is("text", "html"));
    CHECK(part.charset() == "utf-8");
    CHECK(part.encoding == Encoding::QuotedPrintable);
    CHECK(part.encoding_text == "Quoted-Printable");
    CHECK(part.disposition == "attachment");
    CHECK(part.file_name() == "\xC3\xBC.txt");
    CHECK(part.id == "<cid@x>");
    CHECK(part.description == "what it is");
    CHECK(part.languages.size() == 2);
    CHECK(part.location == "http://x/");
    CHECK(part.md5 == "Q2hlY2sgSW50ZWdyaXR5IQ==");
    CHECK(s.has_attachment());
    CHECK(s.truncated == 0);
}

TEST_CASE("a preview is the first text of a message") {
    struct Case {
        const char* name;
        std::string_view input, expected;
    };
    static constexpr Case cases[] = {
        {"plain", "\r\n  Hello,\r\n\r\n\tthis  is it.\r\n", "Hello, this is it."},
        {"encoded", "Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n", "Hello"},
        {"charset", "Content-Type: text/plain; charset=iso-8859-2\r\n\r\n\xB3", "\xC5\x82"},
        {"html",
         "Content-Type: text/html\r\n\r\n<!DOCTYPE html PUBLIC "
         "\"-//W3C//DTD\"><html><head><title>T</title><style>a{}</style>"
         "</head><body><!-- c --><p>One &amp; <b>two</b></p><script>if(a<b){}</script>three",
         "One & two three"},
        {"html without closing head",
         "Content-Type: text/html\r\n\r\n<head><style>x</style><p>Text", "Text"},
        {"html with 8-bit text",
         "Content-Type: text/html; charset=utf-8\r\n\r\n<p>\xC3\xBC\xE2\x82\xAC",
         "\xC3\xBC\xE2\x82\xAC"},
        {"plain before html",
         "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nplain\r\n--b\r\n"
         "Content-Type: text/html\r\n\r\nhtml\r\n--b--",
         "plain"},
        {"html if plain is empty",
         "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n \r\n--b\r\n"
         "Content-Type: text/html\r\n\r\nhtml\r\n--b--",
         "html"},
        {"not the attachment",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: "
         "attachment\r\n\r\n"
         "a\r\n--b\r\n\r\ntext\r\n--b--",
         "text"},
        {"not the message inside", "Content-Type: message/rfc822\r\n\r\n\r\ntext\r\n", ""},
        {"not the preamble",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\r\ntext\r\n--b--",
         "text"},
        {"the text of a multipart that is none",
         "Content-Type: multipart/mixed; boundary=b\r\n\r\ntext\r\n", "text"},
        {"not an image", "Content-Type: image/png\r\n\r\ntext\r\n", ""},
        {"text that has no header", "Hello there\r\n", "Hello there"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(parse_each_way(c.input).preview == c.expected);
    }
    CHECK(parse_each_way("\r\n" + std::string(300, 'x')).preview.size() == 256);
    CHECK(parse_each_way("Content-Type: text/plain; charset=utf-8\r\n\r\n" +
                         [] {
                             std::string text;
                             for (int i = 0; i < 300; ++i) text += "\xC3\xBC";
                             return text;
                         }())
              .preview.size() == 512);
    ParserOptions short_one;
    short_one.preview_characters_max = 3;
    CHECK(parse_each_way("\r\nab cd", short_one).preview == "ab");
}

TEST_CASE("levels beyond the limit stay closed, and nothing is lost") {
    for (const std::size_t levels : {99U, 100U, 101U, 10'000U}) {
        for (const bool closed : {false, true}) {
            INFO(levels);
            const auto s = parse_each_way(nested(levels, closed));
            CHECK(s.parts.size() == std::min<std::size_t>(levels + 1, 100));
            CHECK(((s.truncated & static_cast<int>(Truncation::Depth)) != 0) == (levels > 99));
        }
    }
    ParserOptions deep;
    deep.depth_max = 20'000;
    deep.parts_max = 20'000;
    CHECK(parse(nested(10'000, true), deep).parts.size() == 10'001);
    std::string messages;
    for (int i = 0; i < 10'000; ++i) messages += "Content-Type: message/rfc822\r\n\r\n";
    CHECK(parse_each_way(messages).parts.size() == 100);
    CHECK(parse(messages, deep).parts.size() == 10'001);
}

TEST_CASE("limits end the description, not the message") {
    ParserOptions options;
    options.parts_max = 5;
    std::string many = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    for (int i = 0; i < 10; ++i) many += "--b\r\n\r\nx\r\n";
    many += "--b--\r\n";
    auto s = parse_each_way(many, options);
    CHECK(s.parts.size() == 5);
    CHECK((s.truncated & static_cast<int>(Truncation::Parts)) != 0);
    CHECK(s.parts.back().body_octets() == 1 + 6 * std::string_view("\r\n--b\r\n\r\nx").size());

    options = {};
    options.header_fields_max = 3;
    s = parse_each_way("A: 1\r\nB: 2\r\nC: 3\r\nSubject: x\r\n\r\nbody", options);
    CHECK_FALSE(s.envelope().subject);
    CHECK(s.truncated == static_cast<int>(Truncation::Header));
    CHECK(s.message().body_octets() == 4);

    options = {};
    options.header_octets_max = 100;
    s = parse_each_way("A: " + std::string(200, 'x') + "\r\nSubject: x\r\n\r\nbody", options);
    CHECK_FALSE(s.envelope().subject);
    CHECK(s.message().body_octets() == 4);

    options = {};
    options.addresses_max = 10;
    std::string list = "To: a@x";
    for (int i = 0; i < 100; ++i) list += ",\r\n a" + std::to_string(i) + "@x";
    s = parse_each_way(list + "\r\n\r\n", options);
    CHECK(s.envelope().to.size() == 10);

    options = {};
    options.text_octets_max = 10;
    s = parse_each_way("Subject: 12345678\r\nMessage-ID: <123456789@x>\r\n\r\n", options);
    CHECK((s.truncated & static_cast<int>(Truncation::Texts)) != 0);

    // An endless field is read to its limit.
    s = parse("Subject: " + std::string(1'000'000, 'x') + "\r\nTo: a@x\r\n\r\nbody");
    CHECK(s.envelope().subject->size() <= 256 * 1024);
    CHECK(s.envelope().to.size() == 1);
    CHECK(s.message().body_octets() == 4);
}

// Work is counted, not timed: twice the input may cost about twice the work, never four times.
TEST_CASE("hostile messages cost linear work") {
    const auto repeated = [](std::string_view text, std::size_t times) {
        std::string out;
        for (std::size_t i = 0; i < times; ++i) out += text;
        return out;
    };
    const std::pair<const char*, std::function<std::string(std::size_t)>> cases[] = {
        {"lines that almost are delimiters",
         [&](std::size_t n) { return nested(99, false) + repeated("--b99x\r\n", n); }},
        {"hyphens", [&](std::size_t n) { return nested(99, false) + std::string(n * 8, '-'); }},
        {"one endless line", [&](std::size_t n) { return "\r\n" + std::string(n * 8, 'x'); }},
        {"endless header line",
         [&](std::size_t n) { return "Subject: " + std::string(n * 8, 'x'); }},
        {"many fields", [&](std::size_t n) { return repeated("Subject: x\r\n", n); }},
        {"many recipients",
         [&](std::size_t n) { return "To: " + repeated("a@b,\r\n ", n) + "\r\n\r\n"; }},
        {"many recipient fields", [&](std::size_t n) { return repeated("To: a@b, c@d\r\n", n); }},
        {"many references",
         [&](std::size_t n) { return "References: " + repeated("<a@b>\r\n ", n) + "\r\n\r\n"; }},
        {"many parts",
         [&](std::size_t n) {
             return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" +
                    repeated("--b\r\n\r\n", n);
         }},
        {"continuations", [&](std::size_t n) { return "Subject: x\r\n" + repeated(" y\r\n", n); }},
        {"empty encoded words",
         [&](std::size_t n) { return "Subject: " + repeated("=?a?q?", n) + "\r\n\r\n"; }},
    };
    for (const auto& [name, make] : cases) {
        INFO(name);
        const auto work = [&](std::size_t n) {
            Parser parser;
            parser.feed(make(n));
            const auto structure = parser.finish();
            CHECK(structure.encoded().size() < 3'000'000);
            return parser.work();
        };
        CHECK(work(40'000) < work(20'000) * 5 / 2);
    }
}

TEST_CASE("a stored structure that was tampered with is refused or harmless") {
    const auto structure =
        parse("Subject: x\r\nTo: a@b\r\nContent-Type: multipart/mixed; "
              "boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\n"
              "Content-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\n\r\n--b--\r\n");
    const auto good = structure.encoded();
    base::SeededRandom random(7);
    std::size_t refused = 0;
    for (std::size_t cut = 0; cut < good.size(); ++cut)
        CHECK_FALSE(Structure::decode(std::string_view(good).substr(0, cut)));
    for (int round = 0; round < 5'000; ++round) {
        auto bad = good;
        bad[random.below(bad.size())] = static_cast<char>(random.below(256));
        const auto decoded = Structure::decode_in_place(bad);
        if (!decoded) {
            ++refused;
            CHECK(decoded.error().kind == ErrorKind::Corrupt);
        } else {
            CHECK_FALSE(decoded->encoded().empty());
        }
    }
    CHECK(refused > 1'000);
    CHECK_FALSE(Structure::decode(good + "x"));
}
