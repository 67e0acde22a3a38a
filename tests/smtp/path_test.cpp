#include "libmailcore/smtp/path.h"

#include "tests/catch.h"

using namespace mailcore;
using namespace mailcore::smtp;

namespace {

struct Case {
    const char* name;
    std::string text;
    std::optional<Mailbox> mailbox; // absent: refused
    std::size_t offset = 0;         // where
    Utf8 utf8 = Utf8::Forbidden;
};

} // namespace

TEST_CASE("paths are read as RFC 5321 §4.1.2 writes them") {
    const std::string label63(63, 'a');
    const std::string domain255 =
        label63 + "." + label63 + "." + label63 + "." + label63; // 255 octets
    const auto with_local = [](std::size_t octets) {
        return "<" + std::string(octets, 'l') + "@d.example>";
    };
    const Case cases[] = {
        {"usual", "<a@b.example>", Mailbox{"a", "b.example"}},
        {"null", "<>", Mailbox{}},
        {"postmaster", "<Postmaster>", Mailbox{"Postmaster", ""}},
        {"case is kept", "<JO@Mx.Example>", Mailbox{"JO", "Mx.Example"}},
        {"one label", "<a@localhost>", Mailbox{"a", "localhost"}},
        {"digits", "<1@2.3>", Mailbox{"1", "2.3"}},
        {"all of atext", "<!#$%&'*+-/=?^_`{|}~@x>", Mailbox{"!#$%&'*+-/=?^_`{|}~", "x"}},
        {"dots", "<a.b.c@x>", Mailbox{"a.b.c", "x"}},
        {"quoted", "<\"a b\"@x>", Mailbox{"a b", "x"}},
        {"quoted needlessly", "<\"a\\b\"@x>", Mailbox{"ab", "x"}},
        {"quoted brackets", "<\"<>@ \"@x>", Mailbox{"<>@ ", "x"}},
        {"quoted pairs", R"(<"\"\\"@x>)", Mailbox{"\"\\", "x"}},
        {"IPv4 literal", "<a@[192.0.2.1]>", Mailbox{"a", "[192.0.2.1]"}},
        {"IPv6 literal", "<a@[IPv6:2001:db8::1]>", Mailbox{"a", "[IPv6:2001:db8::1]"}},
        {"route", "<@a.example,@[192.0.2.1]:b@c.example>", Mailbox{"b", "c.example"}},
        {"U-label", "<jürgen@bücher.example>", Mailbox{"jürgen", "bücher.example"}, 0,
         Utf8::Allowed},
        {"quoted in UTF-8", "<\"j ü\"@x>", Mailbox{"j ü", "x"}, 0, Utf8::Allowed},
        {"local-part above 64 octets", "<" + std::string(65, 'l') + "@x>",
         Mailbox{std::string(65, 'l'), "x"}},
        {"256 octets", with_local(256 - 12), Mailbox{std::string(256 - 12, 'l'), "d.example"}},
        {"257 octets", with_local(257 - 12), std::nullopt, 256},
        {"255 octets of domain in 260", "<a@" + domain255 + ">", std::nullopt, 256},
        {"252 octets of domain", "<a@" + domain255.substr(0, 252) + ">",
         Mailbox{"a", domain255.substr(0, 252)}},
        {"label of 64 octets", "<a@" + label63 + "a>", std::nullopt, 3},
        {"nothing", "", std::nullopt, 0},
        {"no bracket", "a@b", std::nullopt, 0},
        {"no end", "<a@b", std::nullopt, 4},
        {"more behind the end", "<a@b>c", std::nullopt, 5},
        {"more behind the null path", "<>c", std::nullopt, 2},
        {"no local-part", "<@b>", std::nullopt, 3},
        {"no domain", "<a@>", std::nullopt, 3},
        {"no at", "<a>", std::nullopt, 2},
        {"two ats", "<a@b@c>", std::nullopt, 4},
        {"route without a mailbox", "<@a:>", std::nullopt, 4},
        {"route to postmaster", "<@a:postmaster>", std::nullopt, 14},
        {"route without its at", "<@a,b:c@d>", std::nullopt, 4},
        {"dot first", "<.a@b>", std::nullopt, 1},
        {"dot last", "<a.@b>", std::nullopt, 3},
        {"two dots", "<a..b@c>", std::nullopt, 3},
        {"empty quotes", "<\"\"@b>", std::nullopt, 3},
        {"quotes without an end", "<\"a@b>", std::nullopt, 6},
        {"text behind quotes", "<\"a\"b@c>", std::nullopt, 4},
        {"control in quotes", "<\"\x01\"@b>", std::nullopt, 2},
        {"control behind a backslash", "<\"\\\t\"@b>", std::nullopt, 3},
        {"DEL in quotes", "<\"\x7f\"@b>", std::nullopt, 2},
        {"space", "<a b@c>", std::nullopt, 2},
        {"comment", "<a(b)@c>", std::nullopt, 2},
        {"hyphen first", "<a@-b>", std::nullopt, 3},
        {"hyphen last", "<a@b-.c>", std::nullopt, 3},
        {"dot at the end", "<a@b.>", std::nullopt, 3},
        {"empty label", "<a@b..c>", std::nullopt, 3},
        {"underscore", "<a@b_c>", std::nullopt, 4},
        {"literal without an end", "<a@[192.0.2.1>", std::nullopt, 3},
        {"literal of what is no address", "<a@[192.0.2]>", std::nullopt, 3},
        {"IPv6 literal without its tag", "<a@[2001:db8::1]>", std::nullopt, 3},
        {"IPv4 in an IPv6 literal", "<a@[IPv6:192.0.2.1]>", std::nullopt, 3},
        {"literal of another tag", "<a@[X25:1]>", std::nullopt, 3},
        {"UTF-8 that is not allowed", "<ü@b>", std::nullopt, 1},
        {"domain in UTF-8 that is not allowed", "<a@ü>", std::nullopt, 3},
        {"no UTF-8", "<\xff@b>", std::nullopt, 1, Utf8::Allowed},
        {"overlong UTF-8", "<\xc0\xaf@b>", std::nullopt, 1, Utf8::Allowed},
        {"domain that is no UTF-8", "<a@\xff>", std::nullopt, 3, Utf8::Allowed},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto path = parse_path(c.text, c.utf8);
        REQUIRE(path.has_value() == c.mailbox.has_value());
        if (path)
            CHECK(path->mailbox == *c.mailbox);
        else
            CHECK(path.error().offset == c.offset);
    }
}

TEST_CASE("a path written and read again is the same, quoted only where it must be") {
    struct Written {
        const char* name;
        Mailbox mailbox;
        std::string_view text;
    };
    static const Written cases[] = {
        {"null", {}, "<>"},
        {"plain", {"a.b", "x.example"}, "<a.b@x.example>"},
        {"postmaster", {"Postmaster", ""}, "<Postmaster>"},
        {"space", {"a b", "x"}, "<\"a b\"@x>"},
        {"dot first", {".a", "x"}, "<\".a\"@x>"},
        {"dot last", {"a.", "x"}, "<\"a.\"@x>"},
        {"two dots", {"a..b", "x"}, "<\"a..b\"@x>"},
        {"quote and backslash", {"\"\\", "x"}, R"(<"\"\\"@x>)"},
        {"UTF-8", {"ü", "x"}, "<ü@x>"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto text = to_string(Path{c.mailbox});
        CHECK(text == c.text);
        const auto again = parse_path(text, Utf8::Allowed);
        REQUIRE(again);
        CHECK(again->mailbox == c.mailbox);
    }
    // What would break out of its line is not written at all.
    CHECK(to_string(Path{{"a\r\nRCPT TO:<b", "x"}}).empty());
    CHECK(to_string(Path{{"a", "x\r\n"}}).empty());
    CHECK(to_string(Path{{"a", "x> SIZE=1"}}).empty());
    CHECK(to_string(Path{{"", "x"}}).empty());
}

TEST_CASE("a path ends at the first space outside of quotes") {
    CHECK(path_end("<a@b> SIZE=1") == 5);
    CHECK(path_end("<\"a b\"@c> X") == 9);
    CHECK(path_end("<\"a\\\" b\"@c>") == 11);
    CHECK(path_end("") == 0);
    CHECK(path_end("<\"a b") == 5);
}

TEST_CASE("a mailbox without brackets may have 254 octets") {
    CHECK(parse_mailbox(std::string(252, 'l') + "@x", Utf8::Forbidden));
    CHECK_FALSE(parse_mailbox(std::string(253, 'l') + "@x", Utf8::Forbidden));
    CHECK_FALSE(parse_mailbox("postmaster", Utf8::Forbidden));
    CHECK_FALSE(parse_mailbox("a@b ", Utf8::Forbidden));
    CHECK_FALSE(parse_mailbox("", Utf8::Forbidden));
}
