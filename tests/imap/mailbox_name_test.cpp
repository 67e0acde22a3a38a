#include "libmailcore/imap/mailbox_name.h"

#include "libmailcore/base/random.h"
#include "tests/catch.h"

using namespace mailcore;
using imap::NameEncoding;

TEST_CASE("mailbox names are read in the encoding of the session and written back in it") {
    struct Case {
        const char* name;
        NameEncoding encoding;
        std::string_view wire;
        std::string_view utf8; // "!": refused
    };
    static constexpr Case cases[] = {
        {"plain", NameEncoding::ModifiedUtf7, "Sent Items", "Sent Items"},
        {"umlaut", NameEncoding::ModifiedUtf7, "Entw&APw-rfe", "Entwürfe"},
        {"the example of RFC 9051 appendix A.1", NameEncoding::ModifiedUtf7,
         "~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"},
        {"ampersand", NameEncoding::ModifiedUtf7, "A&-B", "A&B"},
        {"no shift back", NameEncoding::ModifiedUtf7, "&Jjo!", "!"},
        {"superfluous shift", NameEncoding::ModifiedUtf7, "&U,BTFw-&ZeVnLIqe-", "!"},
        {"8-bit", NameEncoding::ModifiedUtf7, "Entw\xc3\xbcrfe", "!"},
        {"encoded control character", NameEncoding::ModifiedUtf7, "a&AAc-b", "!"},
        {"umlaut as UTF-8", NameEncoding::Utf8, "Entw\xc3\xbcrfe", "Entwürfe"},
        {"ampersand in UTF-8 is itself", NameEncoding::Utf8, "Entw&APw-rfe", "Entw&APw-rfe"},
        {"not UTF-8", NameEncoding::Utf8, "Entw\xfcrfe", "!"},
        {"C1 control character", NameEncoding::Utf8, "a\xc2\x85z", "!"},
        {"tab", NameEncoding::Utf8, "a\tb", "!"},
        {"empty", NameEncoding::Utf8, "", ""},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto name = imap::decode_mailbox_name(c.wire, c.encoding);
        CHECK(name.has_value() == (c.utf8 != "!"));
        if (!name) continue;
        CHECK(name->utf8 == c.utf8);
        CHECK(imap::encode_mailbox_name(name->utf8, c.encoding) == c.wire);
    }
}

TEST_CASE(
    "INBOX is one name whatever its case, and a denormalised name remembers how it was written") {
    CHECK(imap::decode_mailbox_name("iNbOx", NameEncoding::Utf8)->is_inbox());
    CHECK_FALSE(imap::decode_mailbox_name("inbox/a", NameEncoding::Utf8)->is_inbox());
    const auto name = imap::decode_mailbox_name("u\xcc\x88", NameEncoding::Utf8);
    CHECK(name->utf8 == "\xc3\xbc");
    CHECK(name->supplied == "u\xcc\x88");
    CHECK(imap::decode_mailbox_name("\xc3\xbc", NameEncoding::Utf8)->supplied.empty());
}

TEST_CASE("patterns of LIST match as RFC 9051 §6.3.9 says") {
    struct Case {
        std::string_view pattern, name;
        bool matches;
    };
    static constexpr Case cases[] = {
        {"*", "", true},
        {"*", "a/b/c", true},
        {"%", "a", true},
        {"%", "a/b", false},
        {"%/%", "a/b", true},
        {"%/%", "a/b/c", false},
        {"a/%", "a/b", true},
        {"a/%", "a/", true},
        {"a*c", "abc", true},
        {"a*c", "a/b/c", true},
        {"a%c", "a/c", false},
        {"", "", true},
        {"", "a", false},
        {"inbox", "INBOX", true},
        {"inb*", "INBOX", true},
        {"inbox/*", "INBOX/A", true},
        {"inboxes", "INBOXES", false},
        {"inbox/a", "INBOX/A", false},
        {"foo", "FOO", false},
        {"*b", "abab", true},
        {"%a%b", "aab", true},
        {"**%%**", "x/y", true},
        {"*x*y", "xxyyx", false},
    };
    for (const auto& c : cases) {
        INFO(c.pattern << " " << c.name);
        CHECK(imap::matches_list_pattern(c.pattern, c.name, '/') == c.matches);
    }
}

namespace {
// What a pattern means, in exponential time.
bool naive(std::string_view pattern, std::string_view name) {
    if (pattern.empty()) return name.empty();
    if (pattern[0] == '*' || pattern[0] == '%') {
        if (naive(pattern.substr(1), name)) return true;
        return !name.empty() && (pattern[0] == '*' || name[0] != '/') &&
               naive(pattern, name.substr(1));
    }
    return !name.empty() && name[0] == pattern[0] && naive(pattern.substr(1), name.substr(1));
}
} // namespace

TEST_CASE("patterns match what the naive matcher matches") {
    base::SeededRandom random(11);
    const auto word = [&](std::string_view letters, std::size_t max) {
        std::string text;
        for (auto n = random.below(max + 1); n > 0; --n)
            text += letters[random.below(letters.size())];
        return text;
    };
    for (int i = 0; i < 20'000; ++i) {
        const auto pattern = word("ab/*%", 7);
        const auto name = word("ab/", 8);
        INFO(pattern << " " << name);
        REQUIRE(imap::matches_list_pattern(pattern, name, '/') == naive(pattern, name));
    }
}

TEST_CASE("a pattern made of nothing but wildcards takes no longer than another") {
    CHECK_FALSE(
        imap::matches_list_pattern(std::string(2000, '*') + "b", std::string(2000, 'a'), '/'));
}
