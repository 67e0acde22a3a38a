// UTF-8, charsets, mailbox names, domains.
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/charset.h"
#include "libmailcore/codec/domain_name.h"
#include "libmailcore/codec/idna.h"
#include "libmailcore/codec/utf7.h"
#include "libmailcore/codec/utf8.h"

#include "libmailcore/base/random.h"
#include "tests/catch.h"

using namespace mailcore;
using namespace mailcore::codec;
using namespace std::string_view_literals;

TEST_CASE("UTF-8 is checked and repaired as Unicode says") {
    struct Case {
        const char* name;
        std::string_view input, repaired;
    };
    static constexpr Case cases[] = {
        {"empty", "", ""},
        {"ascii", "abcdefghijk", "abcdefghijk"},
        {"all lengths", "\x7f\xC2\x80\xE0\xA0\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF",
         "\x7f\xC2\x80\xE0\xA0\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"},
        {"overlong", "\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"overlong of three", "\xE0\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"surrogate", "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"above 10FFFF", "\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"cut", "a\xE2\x82", "a\xEF\xBF\xBD"},
        {"cut, then more", "\xE2\x82x", "\xEF\xBF\xBDx"},
        {"alone", "\x80\xFFz", "\xEF\xBF\xBD\xEF\xBF\xBDz"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(is_utf8(c.input) == (c.input == c.repaired));
        CHECK(sanitised_utf8(c.input) == c.repaired);
        CHECK(is_utf8(c.repaired));
    }
    CHECK(utf8_prefix("a\xE2\x82\xAC", 3) == "a");
    CHECK(utf8_prefix("a\xE2\x82\xAC", 4) == "a\xE2\x82\xAC");
    CHECK(utf8_length("a\xE2\x82\xAC\xFF") == 3);
    CHECK(utf8_characters("\xC3\xBCx\xC3\xBC", 2) == "\xC3\xBCx");
    CHECK(cut_tail_octets("x\xF0\x9F\x98") == 3);
    CHECK(cut_tail_octets("x\xC3\xBC") == 0);
    std::string out;
    for (const char32_t c : {0x24U, 0xA2U, 0x20ACU, 0x10348U, 0xD800U, 0x110000U})
        append_utf8(c, out);
    CHECK(out == "$\xC2\xA2\xE2\x82\xAC\xF0\x90\x8D\x88\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("texts that people take for the same fold to the same") {
    CHECK(to_nfc("u\xCC\x88") == "\xC3\xBC");
    CHECK_FALSE(to_nfc("\xFF"));
    CHECK(fold_case("STRASSE") == fold_case("Stra\xC3\x9F"
                                            "e"));
    CHECK(fold_case("\xC3\x9C") == "\xC3\xBC");
    CHECK(fold_case_sanitised("A\xFF") == "a\xEF\xBF\xBD");
    CHECK(unicode_casemap("abc") == "ABC");
    CHECK(unicode_casemap("\xC3\xBC") == unicode_casemap("U\xCC\x88"));
    CHECK(display_width("a\xE4\xB8\xAD") == 3);
}

TEST_CASE("mailbox names go through modified UTF-7 and back") {
    struct Case {
        std::string_view encoded, name;
    };
    static constexpr Case cases[] = {
        {"", ""},
        {"INBOX", "INBOX"},
        {"~peter/mail/&U,BTFw-/&ZeVnLIqe-",
         "~peter/mail/\xE5\x8F\xB0\xE5\x8C\x97/\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E"},
        {"&Jjo-!", "\xE2\x98\xBA!"},
        {"A&-B", "A&B"},
        {"&AOQ-&-", "\xC3\xA4&"},
        {"&2D3eAA-", "\xF0\x9F\x98\x80"},
        {"Entw&APw-rfe", "Entw\xC3\xBCrfe"},
    };
    for (const auto& c : cases) {
        INFO(c.encoded);
        CHECK(mailbox_name_from_utf7(c.encoded) == c.name);
        CHECK(mailbox_name_to_utf7(c.name) == c.encoded);
    }
    for (const std::string_view bad :
         {"&", "&AOQ", "&Jjo!", "&U,BTFw-&ZeVnLIqe-", "&AGE-", "&2D0-", "&3gA-", "&AOR-", "&AA-",
          "&AOQA-", "\xC3\xA4", "a\x01", "&AO Q-", "&AO/-", "&2D0AYQ-"}) {
        INFO(bad);
        CHECK_FALSE(mailbox_name_from_utf7(bad));
    }
    CHECK_FALSE(mailbox_name_to_utf7("\xFF"));
}

TEST_CASE("charsets decode under the names that mail uses") {
    struct Case {
        const char* name;
        std::string_view charset, octets, expected;
        bool known = true;
    };
    static constexpr Case cases[] = {
        {"utf-8", "UTF-8", "\xC3\xBC", "\xC3\xBC"},
        {"utf-8, broken", "utf8", "\xC3(", "\xEF\xBF\xBD("},
        {"latin 1 is windows-1252", "ISO-8859-1", "\xFC\x93\x81",
         "\xC3\xBC\xE2\x80\x9C\xEF\xBF\xBD"},
        {"ascii that is UTF-8", "us-ascii", "\xC3\xBC", "\xC3\xBC"},
        {"ascii that is latin 1", "us-ascii",
         "\xFC"
         "ber",
         "\xC3\xBC"
         "ber"},
        {"none", "", "a\xFC", "a\xC3\xBC"},
        {"unknown", "x-no-such", "a\xFC", "a\xC3\xBC", false},
        {"hostile name", "UTF-8//TRANSLIT", "\xFC", "\xC3\xBC", false},
        {"path as name", "../../x", "\xFC", "\xC3\xBC", false},
        {"NUL in the name", "utf-8\0x"sv, "\xFC", "\xC3\xBC", false},
        {"iso-8859-8-i", "iso-8859-8-i", "\xE0", "\xD7\x90"},
        {"iso8859-2", "ISO8859-2", "\xB3", "\xC5\x82"},
        {"windows spelled oddly", "Windows1251", "\xCF", "\xD0\x9F"},
        {"win", "win-1251", "\xCF", "\xD0\x9F"},
        {"x-cp", "x-cp1251", "\xCF", "\xD0\x9F"},
        {"koi8-r", "KOI8-R", "\xF0", "\xD0\x9F"},
        {"utf-7", "unicode-1-1-utf-7", "+AOk-", "\xC3\xA9"},
        {"ks_c_5601-1987", "ks_c_5601-1987", "\xB0\xA1", "\xEA\xB0\x80"},
        {"iso-2022-jp", "ISO-2022-JP", "\x1B$B$\"\x1B(B", "\xE3\x81\x82"},
        {"shift_jis", "Shift_JIS", "\x82\xA0", "\xE3\x81\x82"},
        {"gb2312", "gb2312", "\xC4\xE3", "\xE4\xBD\xA0"},
        {"big5", "big5", "\xA7\x41", "\xE4\xBD\xA0"},
        {"utf-16 with mark", "utf-16", "\xFF\xFE\xFC\x00"sv, "\xC3\xBC"},
        {"utf-16be", "utf-16be", "\x00\xFC"sv, "\xC3\xBC"},
        {"cut character", "shift_jis", "a\x82", "a\xEF\xBF\xBD"},
        {"unassigned pair", "ks_c_5601-1987", "\xA2\xE8)x", "\xEF\xBF\xBD)x"},
        {"lead without trail", "euc-jp", "\xA4x", "\xEF\xBF\xBDx"},
        {"half a surrogate pair in utf-7", "utf-7", "+3JZ-a", "\xEF\xBF\xBD-a"},
        {"broken escape", "iso-2022-jp", "\x1Bxy",
         "\x1Bxy"}, // an ESC that begins nothing stays one
        {"odd octet of utf-16", "utf-16be", std::string_view("\0a\0", 3), "a\xEF\xBF\xBD"},
        {"language tag", "utf-8*en", "\xC3\xBC", "\xC3\xBC"},
        {"what libc takes for utf-8", "utf-8+", "\xF6\xBB\x9E\x8B(",
         "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD("},
        {"another name of it", "iso-ir-193", "\xF6\xBB\x9E\x8B",
         "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"macintosh", "x-mac-roman", "\x9F", "\xC3\xBC"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(to_utf8(c.octets, c.charset) == c.expected);
        CHECK(is_known_charset(c.charset) == c.known);
        CharsetDecoder decoder(c.charset);
        for (int twice = 0; twice < 2; ++twice) { // a decoder can be used again
            std::string out;
            for (const char octet : c.octets) decoder.decode({&octet, 1}, out);
            decoder.finish(out);
            CHECK(out == c.expected);
        }
    }
    CHECK(to_utf8("\xC1", "EBCDIC-US") == "A");
    CHECK(CharsetDecoder("EBCDIC-US").known());
    CHECK_FALSE(CharsetDecoder("EBCDIC-US", CharsetRange::Usual).known());
    CHECK(CharsetDecoder("windows-1251", CharsetRange::Usual).known());
    CHECK(to_utf8(std::string(100000, '\xFC'), "latin1", 101).size() == 100);
}

TEST_CASE("every output of a charset decoder is UTF-8, however the input is cut") {
    base::SeededRandom random(6);
    for (const std::string_view charset :
         {"utf-8", "", "iso-8859-1", "iso-8859-7", "gb18030", "big5", "shift_jis", "euc-jp",
          "iso-2022-jp", "iso-2022-kr", "utf-7", "utf-16", "utf-32", "ucs-4", "iso-ir-193",
          "euc-kr", "cp1255", "cp1258"}) {
        INFO(charset);
        for (int round = 0; round < 200; ++round) {
            std::string octets(random.below(40), '\0');
            random.fill({reinterpret_cast<unsigned char*>(octets.data()), octets.size()});
            const auto whole = to_utf8(octets, charset);
            CHECK(is_utf8(whole));
            CharsetDecoder decoder(charset);
            std::string out;
            for (const char octet : octets) decoder.decode({&octet, 1}, out);
            decoder.finish(out);
            CHECK(out == whole);
        }
    }
}

TEST_CASE("domains become what the DNS knows, and back") {
    CHECK(domain_to_ascii("EXAMPLE.com") == "example.com");
    CHECK(domain_to_ascii("b\xC3\xBC"
                          "cher.example") == "xn--bcher-kva.example");
    CHECK(domain_to_ascii("B\xC3\x9C"
                          "CHER.example") == "xn--bcher-kva.example");
    CHECK(domain_to_ascii("fa\xC3\x9F.de") == "xn--fa-hia.de");
    CHECK(domain_to_ascii("_dmarc.example") == "_dmarc.example");
    CHECK_FALSE(domain_to_ascii(""));
    CHECK_FALSE(domain_to_ascii("\xFF"));
    CHECK_FALSE(domain_to_ascii("a\0b"sv));
    CHECK_FALSE(domain_to_ascii(std::string(2000, 'a')));
    CHECK(domain_to_unicode("xn--bcher-kva.example") == "b\xC3\xBC"
                                                        "cher.example");
    CHECK(domain_to_unicode("XN--bcher-kva.Example") == "b\xC3\xBC"
                                                        "cher.Example");
    CHECK(domain_to_unicode("xn--a.example") == "xn--a.example");
    CHECK(domain_to_unicode("plain.example") == "plain.example");
}

TEST_CASE("domain syntax is that of RFC 5321") {
    struct Case {
        const char* name;
        std::string_view input;
        bool ascii, utf8;
    };
    static const std::string label63(63, 'a');
    static const std::string label64(64, 'a');
    const std::string octets255 = label63 + "." + label63 + "." + label63 + "." + label63;
    const std::string octets256 = octets255 + "a";
    const Case cases[] = {
        {"usual", "mail.example.com", true, true},
        {"one label", "localhost", true, true},
        {"digits", "1.2", true, true},
        {"empty", "", false, false},
        {"trailing dot", "a.", false, false},
        {"leading dot", ".a", false, false},
        {"two dots", "a..b", false, false},
        {"underscore", "a_b.example", false, false},
        {"hyphen first", "-a.example", false, false},
        {"hyphen last", "a-.example", false, false},
        {"space", "a b", false, false},
        {"label of 63", label63, true, true},
        {"label of 64", label64, false, false},
        {"255 octets", octets255, true, true},
        {"256 octets", octets256, false, false},
        {"U-label",
         "b\xC3\xBC"
         "cher.example",
         false, true},
        {"broken UTF-8", "b\xC3.example", false, false},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(is_domain(c.input) == c.ascii);
        CHECK(is_domain(c.input, Utf8::Allowed) == c.utf8);
    }
    CHECK(canonical_domain("B\xC3\x9C"
                           "CHER.Example") == "xn--bcher-kva.example");
}

TEST_CASE("address literals") {
    CHECK(parse_address_literal("[192.0.2.1]")->to_string() == "192.0.2.1");
    CHECK(parse_address_literal("[IPv6:2001:db8::1]")->to_string() == "2001:db8::1");
    CHECK(parse_address_literal("[ipv6:::1]")->is_loopback());
    for (const std::string_view bad : {"", "[]", "[", "[2001:db8::1]", "[IPv6:192.0.2.1]",
                                       "192.0.2.1", "[IPv6:]", "[192.0.2.1"}) {
        INFO(bad);
        CHECK_FALSE(parse_address_literal(bad));
    }
    CHECK(is_address_literal("[tag:content]"));
    CHECK_FALSE(is_address_literal("[tag:]"));
    CHECK_FALSE(is_address_literal("[tag:a b]"));
    CHECK_FALSE(is_address_literal("[IPv6:zz]"));
    CHECK(to_address_literal(*IpAddress::parse("::1")) == "[IPv6:::1]");
    CHECK(to_address_literal(*IpAddress::parse("192.0.2.1")) == "[192.0.2.1]");
}
