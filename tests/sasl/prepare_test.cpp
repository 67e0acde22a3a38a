#include "libmailcore/sasl/prepare.h"

#include "tests/catch.h"

#include <optional>

using namespace mailcore;

TEST_CASE("SASLprep does what RFC 4013 §3 shows") {
    struct Case {
        const char* name;
        std::string input;
        std::optional<std::string> expected;
    };
    using namespace std::string_literals;
    const Case cases[] = {
        {"soft hyphen goes", "I\u00ADX", "IX"},
        {"nothing to do", "user", "user"},
        {"case is kept", "USER", "USER"},
        {"NFKC of a Latin-1 character", "\u00AA", "a"},
        {"NFKC of a roman numeral", "\u2168", "IX"},
        {"control", "\x07", std::nullopt},
        {"mixed directions", "\u0627\u0031", std::nullopt},
        {"right to left between its ends", "\u0627\u0031\u0628", "\u0627\u0031\u0628"},
        {"right to left with left to right", "\u0627a\u0628", std::nullopt},
        {"no-break space", "a\u00A0b", "a b"},
        {"zero width space", "a\u200Bb", "a b"},
        {"spaces stay", " a  b ", " a  b "},
        {"composed and decomposed are one", "u\u0308", "\u00FC"},
        {"NUL", "a\0b"s, std::nullopt},
        {"delete", "a\x7f", std::nullopt},
        {"C1 control", "a\u0085", std::nullopt},
        {"private use", "\uE000", std::nullopt},
        {"replacement character", "\uFFFD", std::nullopt},
        {"non-character", "\uFFFE", std::nullopt},
        {"non-character of another plane", "\U0001FFFF", std::nullopt},
        {"tag", "\U000E0041", std::nullopt},
        {"left-to-right mark", "a\u200E", std::nullopt},
        {"not UTF-8", "a\xff", std::nullopt},
        {"surrogate", "\xED\xA0\x80", std::nullopt},
        {"only what is mapped to nothing", "\u00AD", ""},
        {"empty", "", ""},
        {"emoji", "\U0001F511", "\U0001F511"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto prepared = sasl::prepare(c.input);
        CHECK(prepared.has_value() == c.expected.has_value());
        if (prepared && c.expected) CHECK(*prepared == *c.expected);
        if (prepared) CHECK(sasl::prepare(*prepared) == *prepared);
    }
}
