#include "libmailcore/base/address.h"

#include "libmailcore/base/log.h"
#include "libmailcore/base/secret.h"

#include "tests/catch.h"

using namespace mailcore;

TEST_CASE("addresses parse and print in their canonical form") {
    struct Case {
        const char* name;
        std::string_view input;
        std::string_view printed; // empty: refused
    };
    static constexpr Case cases[] = {
        {"v4", "192.0.2.1", "192.0.2.1"},
        {"v6", "2001:DB8:0:0::1", "2001:db8::1"},
        {"mapped", "::ffff:192.0.2.1", "192.0.2.1"},
        {"empty", "", ""},
        {"leading zero", "192.0.2.01", ""},
        {"too long", "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111", ""},
        {"NUL inside", std::string_view("1.2.3.4\0x", 9), ""},
        {"scope", "fe80::1%eth0", ""},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto address = IpAddress::parse(c.input);
        CHECK(address.has_value() == !c.printed.empty());
        if (address) CHECK(address->to_string() == c.printed);
    }
}

TEST_CASE("networks contain what shares their prefix") {
    const auto in = [](const char* network, const char* address) {
        return IpNetwork::parse(network)->contains(*IpAddress::parse(address));
    };
    CHECK(in("192.0.2.0/24", "192.0.2.255"));
    CHECK_FALSE(in("192.0.2.0/24", "192.0.3.0"));
    CHECK(in("192.0.2.128/25", "192.0.2.128"));
    CHECK_FALSE(in("192.0.2.128/25", "192.0.2.127"));
    CHECK(in("0.0.0.0/0", "203.0.113.9"));
    CHECK_FALSE(in("0.0.0.0/0", "::1"));
    CHECK(in("2001:db8::/33", "2001:db8:7fff::1"));
    CHECK_FALSE(in("2001:db8::/33", "2001:db8:8000::1"));
    CHECK_FALSE(IpNetwork::parse("192.0.2.0/33"));
    CHECK_FALSE(IpNetwork::parse("192.0.2.0/"));
    CHECK_FALSE(IpNetwork::parse("192.0.2.0/+1"));
}

TEST_CASE("an event is one line whatever its values hold") {
    const base::LogField fields[] = {
        {"a", "plain"}, {"b", "with \"quote\"\r\n"}, {"c", 5}, {"d", true}};
    CHECK(
        base::to_text({base::LogLevel::Warning, "x.y", TraceId{1}, fields}) ==
        "warning x.y trace=0000000000000001 a=plain b=\"with \\\"quote\\\"\\x0d\\x0a\" c=5 d=yes");
}

TEST_CASE("a secret is wiped when it is moved from") {
    Secret first{"short"};
    const Secret second = std::move(first);
    CHECK(second.reveal() == "short");
    CHECK(first.empty()); // NOLINT: that it is empty is the point
}
