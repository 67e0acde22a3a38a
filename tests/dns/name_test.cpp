#include "libmailcore/dns/name.h"

#include "tests/catch.h"

using namespace mailcore;
using dns::Name;

namespace {

std::string shown(std::string_view text) {
    const auto name = Name::parse(text);
    return name ? name->to_string() : "at " + std::to_string(name.error().offset);
}

} // namespace

TEST_CASE("names are read, folded and written") {
    const std::string label63(63, 'a');
    const std::string longest =
        label63 + "." + label63 + "." + label63 + "." + std::string(61, 'b');
    struct Case {
        const char* name;
        std::string text;
        std::string expected;
    };
    const Case cases[] = {
        {"plain", "mx.Example.TEST", "mx.example.test"},
        {"last dot", "mx.example.test.", "mx.example.test"},
        {"root", ".", "."},
        {"underscore and digits", "_25._tcp.1.example", "_25._tcp.1.example"},
        {"wildcard", "*.example", "*.example"},
        {"escaped dot", "a\\.b.example", "a\\.b.example"},
        {"decimal escape", "a\\032b.example", "a\\032b.example"},
        {"decimal escape of a visible octet", "\\065.example", "a.example"},
        {"label of 63", label63 + ".example", label63 + ".example"},
        {"name of 255 in wire form", longest, longest},
        {"empty", "", "at 0"},
        {"empty label", "a..b", "at 2"},
        {"leading dot", ".a", "at 0"},
        {"two last dots", "a..", "at 2"},
        {"space", "a b", "at 1"},
        {"control", "a\rb", "at 1"},
        {"8-bit", "m\xc3\xbcller.example", "at 1"},
        {"label of 64", label63 + "a.example", "at 63"},
        {"name of 256", longest + "b", "at 253"},
        {"escape at the end", "a\\", "at 2"},
        {"short decimal escape", "a\\03", "at 1"},
        {"decimal escape above 255", "a\\256", "at 1"},
        {"escaped dot alone is a label", "\\.", "\\."},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(shown(c.text) == c.expected);
    }
}

TEST_CASE("U-labels become A-labels") {
    CHECK(Name::parse_unicode("m\xc3\xbcller.example")->to_string() == "xn--mller-kva.example");
    CHECK(Name::parse_unicode("Example.TEST")->to_string() == "example.test");
    CHECK_FALSE(Name::parse_unicode("\xff.example"));
}

TEST_CASE("names compare as the DNS compares them") {
    const auto name = [](std::string_view text) { return *Name::parse(text); };
    CHECK(name("A.example") == name("a.EXAMPLE."));
    CHECK(name("a.example") != name("b.example"));
    CHECK(name("a.example").is_within(name("example")));
    CHECK(name("a.example").is_within(name("a.example")));
    CHECK(name("a.example").is_within(Name()));
    CHECK_FALSE(name("example").is_within(name("a.example")));
    CHECK_FALSE(name("badexample").is_within(name("example")));
    // The octets of the end are equal, but no label begins there.
    CHECK_FALSE(Name::parse("x\\007example")->is_within(name("example")));
    CHECK(name("a.b.c").labels() == 3);
    CHECK(name("a.b.c").parent() == name("b.c"));
    CHECK(Name().parent() == Name());
    CHECK(Name().labels() == 0);
}

TEST_CASE("names grow at the front") {
    const auto host = *Name::parse("mx.example.test");
    CHECK(host.below("_25._tcp")->to_string() == "_25._tcp.mx.example.test");
    CHECK_FALSE(host.below("a..b"));
    CHECK_FALSE(host.below(std::string(63, 'a') + "." + std::string(63, 'a') + "." +
                           std::string(63, 'a') + "." + std::string(63, 'a')));
}

TEST_CASE("wire names are checked") {
    using namespace std::string_literals;
    CHECK(Name::from_wire("\0"s) == Name());
    CHECK(Name::from_wire("\1A\0"s)->to_string() == "a");
    CHECK_FALSE(Name::from_wire(""));
    CHECK_FALSE(Name::from_wire("\1a"));
    CHECK_FALSE(Name::from_wire("\1a\0\0"s));
    CHECK_FALSE(Name::from_wire("\5a\0"s));
    CHECK_FALSE(Name::from_wire("\xC0\0"s));
}

TEST_CASE("addresses are reversed for PTR and block lists") {
    const auto v4 = *IpAddress::parse("192.0.2.1");
    const auto v6 = *IpAddress::parse("2001:db8::567:89ab");
    CHECK(dns::reversed_labels(v4) == "1.2.0.192");
    CHECK(Name::reverse(v4).to_string() == "1.2.0.192.in-addr.arpa");
    // The example of RFC 3596 §2.5 has other digits; the shape is the same.
    CHECK(Name::reverse(v6).to_string() ==
          "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}
