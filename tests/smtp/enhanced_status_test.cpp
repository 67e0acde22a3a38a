#include "libmailcore/smtp/enhanced_status.h"

#include "tests/catch.h"

using namespace mailcore::smtp;

TEST_CASE("an enhanced status is three numbers of a known class") {
    struct Case {
        const char* name;
        std::string_view text;
        std::optional<EnhancedStatus> status;
    };
    static constexpr Case cases[] = {
        {"usual", "5.1.1", EnhancedStatus{5, 1, 1}},
        {"zeros", "2.0.0", EnhancedStatus{2, 0, 0}},
        {"greatest", "4.999.999", EnhancedStatus{4, 999, 999}},
        {"four digits", "4.1000.1", std::nullopt},
        {"four digits of detail", "4.1.1000", std::nullopt},
        {"leading zero", "5.01.1", std::nullopt},
        {"leading zero of detail", "5.1.01", std::nullopt},
        {"class 3", "3.0.0", std::nullopt},
        {"class of two digits", "50.0.0", std::nullopt},
        {"two numbers", "5.1", std::nullopt},
        {"four numbers", "5.1.1.1", std::nullopt},
        {"nothing", "", std::nullopt},
        {"dots only", "..", std::nullopt},
        {"sign", "5.+1.1", std::nullopt},
        {"space behind", "5.1.1 ", std::nullopt},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(parse_enhanced_status(c.text) == c.status);
        if (c.status) CHECK(to_string(*c.status) == c.text);
    }
}
