#include "libmailcore/net/proxy_header.h"

#include "tests/catch.h"

using namespace mailcore;
using namespace mailcore::net;
using namespace std::string_literals;

namespace {

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string shown(std::string_view octets) {
    const auto header = parse_proxy_header(octets);
    if (!header) return "at " + std::to_string(header.error().offset);
    if (!*header) return "more";
    const auto& ends = (*header)->ends;
    const auto size = std::to_string((*header)->octets);
    if (!ends) return size + " unknown";
    return size + " " + ends->source.to_string() + " " + std::to_string(ends->source_port) + " " +
           ends->destination.to_string() + " " + std::to_string(ends->destination_port);
}

} // namespace

TEST_CASE("PROXY headers are read") {
    const auto v4 = signature + "\x21\x11\0\x0C\xC0\0\2\1\xC0\0\2\2\xDC\x04\0\x19"s;
    const auto v6 = signature + "\x21\x21\0\x24"s + "\x20\x01\x0d\xb8"s + std::string(11, '\0') +
                    "\1"s + "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\2"s + "\xDC\x04\0\x19"s;
    struct Case {
        const char* name;
        std::string octets;
        std::string expected;
    };
    const Case cases[] = {
        {"version 1, IPv4", "PROXY TCP4 192.0.2.1 192.0.2.2 56324 25\r\nEHLO",
         "41 192.0.2.1 56324 192.0.2.2 25"},
        {"version 1, IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 56324 25\r\n",
         "45 2001:db8::1 56324 2001:db8::2 25"},
        {"version 1, unknown", "PROXY UNKNOWN\r\n", "15 unknown"},
        {"version 1, unknown with more", "PROXY UNKNOWN a b\r\n", "19 unknown"},
        {"version 2, IPv4", v4, "28 192.0.2.1 56324 192.0.2.2 25"},
        {"version 2, IPv6", v6 + "x", "52 2001:db8::1 56324 2001:db8::2 25"},
        {"version 2, with TLVs",
         signature + "\x21\x11\0\x0F\xC0\0\2\1\xC0\0\2\2\xDC\x04\0\x19"s + "\4\0\0"s,
         "31 192.0.2.1 56324 192.0.2.2 25"},
        {"version 2, local", signature + "\x20\0\0\0"s, "16 unknown"},
        {"version 2, UNIX", signature + "\x21\x31\0\1x"s, "17 unknown"},
        {"nothing yet", "", "more"},
        {"a beginning", "PRO", "more"},
        {"another protocol", "EHLO a\r\n", "at 0"},
        {"CR LF of something else", "\r\n\r\nx", "at 0"},
        {"one word", "PROXY TCP4\r\n", "at 10"},
        {"five words missing one", "PROXY TCP4 192.0.2.1 192.0.2.2 5\r\n", "at 32"},
        {"another family", "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", "at 6"},
        {"the wrong family", "PROXY TCP4 ::1 ::2 1 2\r\n", "at 11"},
        {"not an address", "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n", "at 11"},
        {"a port too large", "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", "at 31"},
        {"a port with a zero", "PROXY TCP4 192.0.2.1 192.0.2.2 1 02\r\n", "at 33"},
        {"no end", "PROXY TCP4 " + std::string(200, '1'), "at 107"},
        {"version 3", signature + "\x31\x11\0\0"s, "at 12"},
        {"an unknown command", signature + "\x22\x11\0\0"s, "at 12"},
        {"too short for its addresses", signature + "\x21\x11\0\x0B"s + std::string(11, 'x'),
         "at 14"},
        {"longer than any", signature + "\x21\x11\xFF\xFF"s, "at 14"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(shown(c.octets) == c.expected);
    }
    for (const auto& whole : {v4, v6, "PROXY TCP4 192.0.2.1 192.0.2.2 56324 25\r\n"s})
        for (std::size_t cut = 0; cut < whole.size(); ++cut)
            CHECK(shown(std::string_view(whole).substr(0, cut)) == "more");
}
