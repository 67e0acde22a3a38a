#include "libmailcore/dns/wire.h"

#include "tests/catch.h"

using namespace mailcore;
using namespace std::string_literals;
using namespace dns;

namespace {

Record record(std::string_view line) {
    auto parsed = parse_record(line);
    INFO(line);
    REQUIRE(parsed);
    return *std::move(parsed);
}

/// A header with the given counts; flags of a plain response.
std::string header(int questions, int answers, int authority = 0, int additional = 0) {
    std::string out = "\x12\x34\x81\x80"s;
    for (const int count : {questions, answers, authority, additional}) {
        out += static_cast<char>(count >> 8);
        out += static_cast<char>(count);
    }
    return out;
}

const std::string question_a = "\7example\4test\0\0\1\0\1"s; // at offset 12

} // namespace

TEST_CASE("a query is what stub resolvers send") {
    const Question question{*Name::parse("example.test"), Type::Mx};
    const auto octets = write_message(query(question, 0xBEEF));
    CHECK(octets == "\xBE\xEF\x01\x20\0\1\0\0\0\0\0\1"s + "\7example\4test\0\0\x0F\0\1"s +
                        "\0\0\x29\x04\xD0\0\0\0\0\0\0"s);
}

TEST_CASE("every type survives writing and reading") {
    Message message;
    message.id = 7;
    message.response = true;
    message.recursion_desired = true;
    message.recursion_available = true;
    message.authenticated = true;
    message.checking_disabled = true;
    message.authoritative = true;
    message.truncated = true;
    message.opcode = 5;
    message.code = ResponseCode::BadVers;
    message.edns = Edns{4096, 0, true};
    message.question = Question{*Name::parse("example.test"), Type::Any};
    message.answers = {
        record("example.test 60 IN A 192.0.2.1"),
        record("example.test AAAA 2001:db8::1"),
        record("example.test MX 10 mx.example.test."),
        record("example.test TXT \"v=spf1 \" -all"),
        record("alias.example.test CNAME example.test"),
        record("_imaps._tcp.example.test SRV 0 1 993 mail.example.test"),
        record("_25._tcp.mx.example.test TLSA 3 1 1 00ff 10"),
    };
    message.authority = {record("example.test NS ns.example.test"),
                         record("example.test SOA ns.example.test root.example.test 1 2 3 4 5")};
    message.additional = {record("1.2.0.192.in-addr.arpa PTR mx.example.test"),
                          record("example.test CAA 128 Issue \"ca.example; a=b\""),
                          Record{*Name::parse("x"), Type{999}, 1, OtherData{"\0\1"s}}};
    const auto octets = write_message(message);
    const auto parsed = parse_message(octets);
    REQUIRE(parsed);
    CHECK(*parsed == message);
    // Cut anywhere, it is refused and read no further.
    for (std::size_t cut = 0; cut < octets.size(); ++cut) {
        INFO(cut);
        CHECK_FALSE(parse_message(std::string_view(octets).substr(0, cut)));
    }
}

TEST_CASE("long texts are cut into strings and joined again") {
    for (const std::size_t size : {0u, 1u, 254u, 255u, 256u, 510u, 511u, 4000u}) {
        Message message;
        message.answers.push_back(Record{Name(), Type::Txt, 1, TxtData{std::string(size, 'x')}});
        const auto parsed = parse_message(write_message(message));
        REQUIRE(parsed);
        CHECK(parsed->answers == message.answers);
    }
}

TEST_CASE("compressed names are read") {
    const auto octets =
        header(1, 1) + question_a + "\2mx\xC0\x0C\0\x0F\0\1\0\0\0\x3C\0\4\0\x0A\xC0\x0C"s;
    const auto parsed = parse_message(octets);
    REQUIRE(parsed);
    CHECK(parsed->answers.at(0) == record("mx.example.test 60 IN MX 10 example.test"));
}

TEST_CASE("TTLs above 31 bits are 0, other classes are dropped") {
    const auto octets = header(1, 2) + question_a + "\xC0\x0C\0\1\0\1\x80\0\0\0\0\4\1\2\3\4"s +
                        "\xC0\x0C\0\1\0\3\0\0\0\0\0\1x"s;
    const auto parsed = parse_message(octets);
    REQUIRE(parsed);
    REQUIRE(parsed->answers.size() == 1);
    CHECK(parsed->answers[0].ttl == 0);
}

TEST_CASE("malformed messages are refused where they go wrong") {
    const auto a = "\0\1\0\1\0\0\0\0\0\4\1\2\3\4"s; // type, class, TTL, length, data
    struct Case {
        const char* name;
        std::string octets;
        std::size_t offset;
    };
    const Case cases[] = {
        {"nothing", "", 0},
        {"half a header", "\0\0\0"s, 2},
        {"two questions", header(2, 0) + question_a + question_a, 12},
        {"a question of another class", header(1, 0) + "\0\0\1\0\3"s, 17},
        {"more records than there are", header(1, 65535) + question_a, 30},
        {"a pointer to itself", header(0, 1) + "\xC0\x0C"s + a, 14},
        {"a pointer forwards", header(0, 1) + "\xC0\x20"s + a, 14},
        {"a loop through a label", header(0, 1) + "\1a\xC0\x0C"s + a, 16},
        {"half a pointer", header(0, 1) + "\xC0"s, 12},
        {"a reserved label type", header(0, 1) + "\x40"s + a, 12},
        {"the other reserved label type", header(0, 1) + "\x80"s + a, 12},
        {"a label beyond the end", header(0, 1) + "\x3F" + "abc", 12},
        {"a name without end", header(0, 1) + "\3abc"s, 12},
        {"an address too short", header(0, 1) + "\0\0\1\0\1\0\0\0\0\0\3\1\2\3"s, 26},
        {"an address too long", header(0, 1) + "\0\0\1\0\1\0\0\0\0\0\5\1\2\3\4\5"s, 27},
        {"a length beyond the end", header(0, 1) + "\0\0\1\0\1\0\0\0\0\xFF\xFF\1\2\3\4"s, 27},
        {"a name beyond its data", header(0, 1) + "\0\0\2\0\1\0\0\0\0\0\1\1a\0"s, 26},
        {"a string beyond its data", header(0, 1) + "\0\0\x10\0\1\0\0\0\0\0\2\5abcde"s, 29},
        {"a string beyond the end", header(0, 1) + "\0\0\x10\0\1\0\0\0\0\0\2\5a"s, 24},
        {"an MX of one octet", header(0, 1) + "\0\0\x0F\0\1\0\0\0\0\0\1\0"s, 23},
        {"a TLSA of two octets", header(0, 1) + "\0\0\x34\0\1\0\0\0\0\0\2\3\1"s, 25},
        {"a CAA whose tag fills more", header(0, 1) + "\0\1\1\0\1\0\0\0\0\0\3\0\7a"s, 25},
        {"OPT as an answer", header(0, 1) + "\0\0\x29\4\0\0\0\0\0\0\0"s, 23},
        {"two OPT", header(0, 0, 0, 2) + "\0\0\x29\4\0\0\0\0\0\0\0"s + "\0\0\x29\4\0\0\0\0\0\0\0"s,
         34},
        {"OPT below a name", header(0, 0, 0, 1) + "\1a\0\0\x29\4\0\0\0\0\0\0\0"s, 25},
        {"more than a message can be", header(0, 0) + std::string(65536, '\0'), 65535},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto parsed = parse_message(c.octets);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().offset == c.offset);
    }
}

TEST_CASE("pointers are followed only as often as a name can have labels") {
    // A TXT record full of pointers, each to the one before; the next owner points to the last.
    for (const int pointers : {100, 126, 127, 200}) {
        std::string octets = header(0, 2) + "\0\0\x10\0\1\0\0\0\0"s;
        std::string data = "\xFF\0"s; // a string, and inside of it a root at offset 24
        for (int i = 0; i < pointers; ++i) {
            const auto target = 12 + 11 + 1 + (i == 0 ? 0u : static_cast<unsigned>(2 * i - 1));
            data += static_cast<char>(0xC0 | target >> 8);
            data += static_cast<char>(target);
        }
        const auto last = 12 + 11 + data.size() - 2;
        data.resize(std::max<std::size_t>(256, data.size()), 'x');
        if (data.size() > 256) {
            const auto more = data.size() - 256 - 1;
            data[256] = static_cast<char>(more);
        }
        octets += static_cast<char>(data.size() >> 8);
        octets += static_cast<char>(data.size());
        octets += data;
        octets += static_cast<char>(0xC0 | last >> 8);
        octets += static_cast<char>(last);
        octets += "\0\1\0\1\0\0\0\0\0\4\1\2\3\4"s;
        INFO(pointers);
        CHECK(parse_message(octets).has_value() == (pointers < 127));
    }
}

TEST_CASE("names longer than 255 octets cannot be composed by compression") {
    const std::string label = "\x3F"s + std::string(63, 'a');
    // 4 labels of 64 octets and a root are 257.
    CHECK_FALSE(parse_message(header(1, 0) + label + label + label + label + "\0\0\1\0\1"s));
    const auto good = header(0, 2) + label + label + "\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4"s;
    CHECK(parse_message(good + label + "\xC0\x0C"s + "\0\1\0\1\0\0\0\0\0\4\1\2\3\4"s));
    CHECK_FALSE(
        parse_message(good + label + label + "\xC0\x0C"s + "\0\1\0\1\0\0\0\0\0\4\1\2\3\4"s));
}
