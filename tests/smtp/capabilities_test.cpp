#include "libmailcore/smtp/capabilities.h"

#include "tests/catch.h"

using namespace mailcore::smtp;

TEST_CASE("what is offered is read from the lines behind the first") {
    struct Case {
        const char* name;
        std::string_view text;
        bool (*holds)(const Capabilities&);
    };
    static constexpr Case cases[] = {
        {"nothing", "mx.example", [](const Capabilities& c) { return c == Capabilities{}; }},
        {"first line is a name", "PIPELINING", [](const Capabilities& c) { return !c.pipelining; }},
        {"any case", "mx\npipelining\n8bitMime",
         [](const Capabilities& c) { return c.pipelining && c.eight_bit_mime; }},
        {"arguments where there are none", "mx\nDSN x",
         [](const Capabilities& c) { return c.dsn; }},
        {"not known", "mx\nXYZZY\nETRN", [](const Capabilities& c) { return c == Capabilities{}; }},
        {"no keyword but its beginning", "mx\nPIPELININGS",
         [](const Capabilities& c) { return !c.pipelining; }},
        {"size", "mx\nSIZE 1000", [](const Capabilities& c) { return c.size == 1000u; }},
        {"size without a number", "mx\nSIZE", [](const Capabilities& c) { return c.size == 0u; }},
        {"size that is none", "mx\nSIZE many", [](const Capabilities& c) { return c.size == 0u; }},
        {"mechanisms", "mx\nAUTH plain  LOGIN PLAIN",
         [](const Capabilities& c) {
             return c.auth && c.mechanisms.size() == 2 && c.offers("PLAIN") && c.offers("LOGIN");
         }},
        {"no mechanism", "mx\nAUTH",
         [](const Capabilities& c) { return c.auth && c.mechanisms.empty(); }},
        {"old form of AUTH", "mx\nAUTH=PLAIN", [](const Capabilities& c) { return !c.auth; }},
        {"limits", "mx\nLIMITS MAILMAX=5 RCPTMAX=100 X=1 RCPTDOMAINMAX=z",
         [](const Capabilities& c) {
             return c.limits == Limits{5, 100};
         }},
        {"binary without chunks", "mx\nBINARYMIME",
         [](const Capabilities& c) { return !c.binary_mime; }},
        {"binary with chunks", "mx\nBINARYMIME\nCHUNKING",
         [](const Capabilities& c) { return c.binary_mime; }},
        {"future release", "mx\nFUTURERELEASE 3600 2030-01-01T00:00:00Z",
         [](const Capabilities& c) {
             return c.future_release->interval_max == std::chrono::seconds{3600};
         }},
        {"empty lines", "mx\n\n \nDSN", [](const Capabilities& c) { return c.dsn; }},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(c.holds(parse_capabilities(Reply{250, std::nullopt, std::string(c.text)})));
    }
}

TEST_CASE("what is offered and read again is the same") {
    Capabilities all;
    all.pipelining = all.eight_bit_mime = all.smtp_utf8 = all.dsn = all.chunking = all.binary_mime =
        true;
    all.enhanced_status_codes = all.starttls = all.require_tls = all.help = all.mt_priority =
        all.auth = true;
    all.size = 0;
    all.mechanisms = {"PLAIN", "SCRAM-SHA-256"};
    all.limits = Limits{10, 0};
    all.future_release = FutureRelease{std::chrono::seconds{60}, "2030-01-01T00:00:00Z"};
    CHECK(parse_capabilities(Reply{250, std::nullopt, "mx\n" + to_ehlo_lines(all)}) == all);
    CHECK(to_ehlo_lines(Capabilities{}).empty());
}

TEST_CASE("mechanisms without end are not kept") {
    std::string text = "mx\nAUTH";
    for (int i = 0; i < 1000; ++i) text += " M" + std::to_string(i);
    CHECK(parse_capabilities(Reply{250, std::nullopt, text}).mechanisms.size() == 32);
}
