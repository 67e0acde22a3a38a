#include "libmailcore/dns/record.h"

#include "tests/catch.h"

using namespace mailcore;
using namespace dns;

TEST_CASE("records are read as zone files have them") {
    const auto txt =
        parse_record("a.test TXT \"v=DKIM1; \" \"p=\\\"x\\\"\" bare\\032word ; comment");
    REQUIRE(txt);
    CHECK(std::get<TxtData>(txt->data).text == "v=DKIM1; p=\"x\"bare word");
    CHECK(txt->ttl == 300);
    const auto mx = parse_record("  example.test.\t3600 in mx 0 .");
    REQUIRE(mx);
    CHECK(mx->ttl == 3600);
    CHECK(std::get<MxData>(mx->data).exchange.is_root());
    CHECK(to_string(Type::Tlsa) == "TLSA");
    CHECK(to_string(Type{1234}) == "TYPE1234");
    CHECK(parse_type("aaaa") == Type::Aaaa);
    CHECK_FALSE(parse_type("AXFR"));
}

TEST_CASE("malformed record lines are refused where they go wrong") {
    struct Case {
        const char* line;
        std::size_t offset;
    };
    const Case cases[] = {
        {"", 0},
        {"; only a comment", 16},
        {"a..b A 192.0.2.1", 0},
        {"a", 1},
        {"a A", 3},
        {"a A 192.0.2", 4},
        {"a A 2001:db8::1", 4},
        {"a AAAA 192.0.2.1", 7},
        {"a XYZ 1", 2},
        {"a MX mx", 5},
        {"a MX 65536 mx", 5},
        {"a MX 10", 7},
        {"a MX 10 mx extra", 11},
        {"a TXT", 5},
        {"a TXT \"open", 11},
        {"a TLSA 3 1 1 0g", 13},
        {"a TLSA 256 1 1 00", 7},
        {"a SRV 1 2 x y", 10},
        {"a OPT 1", 2},
    };
    for (const auto& c : cases) {
        INFO(c.line);
        const auto parsed = parse_record(c.line);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().offset == c.offset);
    }
}
