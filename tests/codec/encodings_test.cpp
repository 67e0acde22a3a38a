// Base64, quoted-printable, hex, numbers, binary rows, checksums.
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/bytes.h"
#include "libmailcore/codec/crc32c.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/codec/quoted_printable.h"

#include "libmailcore/base/random.h"
#include "tests/catch.h"

using namespace mailcore;
using namespace mailcore::codec;
using namespace std::string_view_literals;

namespace {

std::string random_octets(base::Random& random, std::size_t size) {
    std::string out(size, '\0');
    random.fill({reinterpret_cast<unsigned char*>(out.data()), size});
    return out;
}

// Feeds `text` in pieces of 1 to 7 octets.
template <class Coder, class Step>
std::string in_pieces(Coder coder, std::string_view text, base::Random& random, Step step) {
    std::string out;
    while (!text.empty()) {
        const auto size = std::min<std::size_t>(text.size(), 1 + random.below(7));
        step(coder, text.substr(0, size), out);
        text.remove_prefix(size);
    }
    coder.finish(out);
    return out;
}
const auto decode = [](auto& coder, std::string_view piece, std::string& out) {
    coder.decode(piece, out);
};
const auto encode = [](auto& coder, std::string_view piece, std::string& out) {
    coder.encode(piece, out);
};

} // namespace

TEST_CASE("numbers are digits and nothing else") {
    struct Case {
        const char* name;
        std::string_view input;
        std::optional<std::uint32_t> expected;
    };
    static constexpr Case cases[] = {
        {"zero", "0", 0},
        {"leading zeros", "0042", 42},
        {"largest", "4294967295", 4294967295U},
        {"one above", "4294967296", {}},
        {"far above", "99999999999999999999999999", {}},
        {"empty", "", {}},
        {"sign", "+1", {}},
        {"minus", "-1", {}},
        {"space", " 1", {}},
        {"tail", "1x", {}},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(parse_u32(c.input) == c.expected);
    }
    CHECK(parse_u64("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
    CHECK_FALSE(parse_u64("18446744073709551616"));
    CHECK_FALSE(parse_u32("11", 10));
    CHECK(parse_u32("10", 10) == 10);
    std::string_view text = "12 rest";
    CHECK(take_number<std::uint16_t>(text) == std::uint16_t{12});
    CHECK(text == " rest");
    std::string out;
    append_number(out, 7, 2);
    append_number(out, 1234, 2);
    CHECK(out == "071234");
}

TEST_CASE("base64 agrees with the examples of RFC 4648 §10") {
    const std::pair<std::string_view, std::string_view> cases[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"},
                                                                   {"\0\xff\xfe"sv, "AP/+"}};
    for (const auto& [plain, text] : cases) {
        CHECK(base64_encode(plain) == text);
        CHECK(base64_decode(text) == plain);
    }
}

TEST_CASE("strict base64 refuses all but the one right form") {
    for (const std::string_view bad :
         {"Zg", "Zg=", "Zg===", "=", "====", "Zh==", "Zm9=", "Z", "Zm9v\r\n", " Zm9v",
          "Zm9v=", "Zg==Zg==", "Zm-v", "Z=9v", "Zm=v", "A\0AA"}) {
        INFO(bad);
        CHECK_FALSE(base64_decode(bad));
    }
}

TEST_CASE("a base64 body decodes whatever stands between its digits") {
    struct Case {
        const char* name;
        std::string_view input, expected;
        bool damaged;
    };
    static constexpr Case cases[] = {
        {"lines", "Zm9v\r\nYmFy\r\n", "foobar", false},
        {"cut in a quantum", "Zm\r\n9vYg\n==", "foob", false},
        {"no padding", "Zm9vYg", "foob", false},
        {"joined pieces", "Zg==Zm8=Zm9v", "ffofoo", false},
        {"garbage", "Zm*9v\x80", "foo", true},
        {"a lone digit", "Zm9vY", "foo", true},
        {"padding only", "====", "", true},
        {"padding too much", "Zg===", "f", true},
        {"text behind", "Zg==\r\n-- \r\n", "f", true},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        Base64Decoder decoder;
        std::string out;
        decoder.decode(c.input, out);
        decoder.finish(out);
        CHECK(out == c.expected);
        CHECK(decoder.damaged() == c.damaged);
    }
}

TEST_CASE("base64 bodies come back whole however they are cut") {
    base::SeededRandom random(1);
    for (std::size_t size : {0U, 1U, 2U, 3U, 56U, 57U, 58U, 113U, 114U, 1000U}) {
        const auto plain = random_octets(random, size);
        const auto text = in_pieces(Base64Encoder(), plain, random, encode);
        for (std::size_t at = 0; at < text.size();) {
            const auto end = text.find("\r\n", at);
            REQUIRE(end != std::string::npos);
            CHECK(end - at <= 76);
            at = end + 2;
        }
        CHECK(in_pieces(Base64Decoder(), text, random, decode) == plain);
        CHECK(in_pieces(Base64Encoder(Base64Encoder::Lines::One), plain, random, encode) ==
              base64_encode(plain));
    }
}

TEST_CASE("quoted-printable decodes what is right and keeps what is not") {
    struct Case {
        const char* name;
        std::string_view input, expected;
        bool damaged;
    };
    static constexpr Case cases[] = {
        {"plain", "hello\r\n", "hello\r\n", false},
        {"octets", "=C3=bc=3D", "\xC3\xBC=", false},
        {"soft break", "one =\r\ntwo", "one two", false},
        {"soft break, bare LF", "one =\ntwo", "one two", false},
        {"soft break, spaces behind", "one = \t \r\ntwo", "one two", false},
        {"soft break, bare CR", "one =\rtwo", "one two", false},
        {"soft break at the end", "one=", "one", false},
        {"trailing space", "one \t\r\ntwo \n", "one\r\ntwo\n", false},
        {"trailing space at the end", "one \t", "one", false},
        {"inner space", "a \t b", "a \t b", false},
        {"bare CR stays", "a\rb", "a\rb", false},
        {"no digit", "a=XYb", "a=XYb", true},
        {"one digit", "a=4", "a=4", true},
        {"one digit, then none", "a=4Z", "a=4Z", true},
        {"equals twice", "a==3D", "a==", true},
        {"spaces, no end", "a= b", "a= b", true},
        {"8 bit", "\xFF\x80", "\xFF\x80", false},
        {"NUL", "a\0b"sv, "a\0b"sv, false},
    };
    base::SeededRandom random(2);
    for (const auto& c : cases) {
        INFO(c.name);
        QuotedPrintableDecoder decoder;
        std::string out;
        decoder.decode(c.input, out);
        decoder.finish(out);
        CHECK(out == c.expected);
        CHECK(decoder.damaged() == c.damaged);
        for (int i = 0; i < 8; ++i)
            CHECK(in_pieces(QuotedPrintableDecoder(), c.input, random, decode) == c.expected);
    }
}

TEST_CASE("quoted-printable keeps lines short and comes back whole") {
    base::SeededRandom random(3);
    static constexpr std::string_view alphabet = "ab .=\t\r\n\xC3\xBC"
                                                 "F";
    for (int round = 0; round < 300; ++round) {
        std::string plain;
        for (auto size = random.below(400); size > 0; --size) {
            const char c = alphabet[random.below(alphabet.size())];
            plain += c == '\r' ? 'x' : c; // text: only CRLF and LF end lines
        }
        std::string crlf;
        for (const char c : plain) {
            if (c == '\n') crlf += '\r';
            crlf += c;
        }
        for (const auto content :
             {QuotedPrintableEncoder::Content::Text, QuotedPrintableEncoder::Content::Binary}) {
            const auto text = in_pieces(QuotedPrintableEncoder(content), crlf, random, encode);
            for (std::size_t at = 0; at <= text.size();) {
                auto end = text.find("\r\n", at);
                if (end == std::string::npos) end = text.size();
                const auto line = std::string_view(text).substr(at, end - at);
                CHECK(line.size() <= 76);
                CHECK_FALSE(line.starts_with('.'));
                CHECK_FALSE(line.starts_with("From "));
                CHECK((line.empty() || !is_wsp(line.back())));
                at = end + 2;
            }
            CHECK(in_pieces(QuotedPrintableDecoder(), text, random, decode) == crlf);
        }
    }
    QuotedPrintableEncoder encoder;
    std::string out;
    encoder.encode("a\rb \rc \r", out);
    encoder.finish(out);
    CHECK(out == "a=0Db=20=0Dc=20=0D");
}

TEST_CASE("hexadecimal goes both ways") {
    CHECK(hex_encode("\x00\xAB\xff"sv) == "00abff");
    CHECK(hex_decode("00ABff") == "\x00\xAB\xff"sv);
    CHECK_FALSE(hex_decode("0"));
    CHECK_FALSE(hex_decode("0g"));
}

TEST_CASE("rows read back what was written, and keys sort as numbers") {
    std::string row;
    Writer(row)
        .u8(7)
        .u16be(1)
        .u32be(2)
        .u64be(3)
        .u16le(4)
        .u32le(5)
        .u64le(6)
        .varint(300)
        .svarint(-2)
        .text("x")
        .octets("y");
    Reader reader(row);
    CHECK(reader.u8() == 7);
    CHECK(reader.u16be() == 1);
    CHECK(reader.u32be() == 2);
    CHECK(reader.u64be() == 3);
    CHECK(reader.u16le() == 4);
    CHECK(reader.u32le() == 5);
    CHECK(reader.u64le() == 6);
    CHECK(reader.varint() == 300);
    CHECK(reader.svarint() == -2);
    CHECK(reader.text() == "x");
    CHECK(reader.rest() == "y");
    CHECK(reader.at_end());

    std::string small;
    std::string large;
    Writer(small).u64be(255);
    Writer(large).u64be(256);
    CHECK(small < large);

    base::SeededRandom random(4);
    for (int i = 0; i < 1000; ++i) {
        const auto value = random.next() >> random.below(64);
        std::string raw;
        Writer(raw).varint(value).svarint(static_cast<std::int64_t>(value));
        Reader back(raw);
        CHECK(back.varint() == value);
        CHECK(back.svarint() == static_cast<std::int64_t>(value));
        CHECK(back.at_end());
    }
}

TEST_CASE("a damaged row fails once and for all") {
    struct Case {
        const char* name;
        std::string_view input;
    };
    static constexpr Case cases[] = {
        {"empty", ""},
        {"unfinished", "\x80"},
        {"not the shortest form", "\x80\x00"sv},
        {"too long", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
        {"above 64 bits", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        Reader reader(c.input);
        CHECK(reader.varint() == 0);
        CHECK_FALSE(reader.ok());
        CHECK(reader.u8() == 0);
        CHECK(reader.remaining() == 0);
    }
    Reader lying("\x7f"
                 "abc");
    CHECK(lying.text().empty());
    CHECK_FALSE(lying.ok());
    Reader count("\x04"
                 "abc");
    CHECK(count.count() == 0);
    CHECK_FALSE(count.ok());
}

TEST_CASE("CRC32C is the same by table and by processor") {
    CHECK(crc32c("123456789") == 0xE3069283);
    CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);
    CHECK(crc32c(std::string(32, '\xff')) == 0x62A8AB43);
    base::SeededRandom random(5);
    for (int i = 0; i < 200; ++i) {
        const auto text = random_octets(random, random.below(100));
        const auto cut = random.below(text.size() + 1);
        const auto view = std::string_view(text);
        CHECK(crc32c(text) == crc32c_table(text));
        CHECK(crc32c(view.substr(cut), crc32c(view.substr(0, cut))) == crc32c(text));
    }
}
