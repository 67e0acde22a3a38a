#include "libmailcore/smtp/xtext.h"

#include "tests/catch.h"

using namespace mailcore::smtp;

TEST_CASE("xtext is read strictly") {
    struct Case {
        const char* name;
        std::string_view text;
        std::optional<std::string> octets;
    };
    const Case cases[] = {
        {"empty", "", ""},
        {"plain", "QQ314159", "QQ314159"},
        {"plus and equals", "a+2Bb+3Dc", "a+b=c"},
        {"any octet", "+00+FF", std::string("\0\xff", 2)},
        {"first and last of the plain ones", "!~", "!~"},
        {"lower-case digits", "+2b", std::nullopt},
        {"one digit", "a+2", std::nullopt},
        {"no digits", "a+", std::nullopt},
        {"no hexadecimal digits", "+2G", std::nullopt},
        {"equals", "a=b", std::nullopt},
        {"space", "a b", std::nullopt},
        {"control", "a\x01", std::nullopt},
        {"8 bits", "\xc3\xbc", std::nullopt},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(xtext_decode(c.text) == c.octets);
    }
}

TEST_CASE("every octet survives xtext") {
    std::string octets;
    for (int i = 0; i < 256; ++i) octets += static_cast<char>(i);
    const auto text = xtext_encode(octets);
    CHECK(xtext_decode(text) == octets);
    for (const char c : text) CHECK((c >= '!' && c <= '~' && c != '='));
}
