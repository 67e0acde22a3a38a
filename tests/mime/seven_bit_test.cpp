#include "libmailcore/mime/seven_bit.h"

#include "libmailcore/base/random.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/mime/parser.h"
#include "tests/catch.h"
#include "tests/mime/seven_bit_property.h"

#include <algorithm>

using namespace mailcore;
using namespace mailcore::mime;
using namespace std::string_literals;

namespace {

std::string with_crlf(std::string_view text) {
    std::string out;
    for (const char c : text) out += c == '\n' ? "\r\n" : std::string(1, c);
    return out;
}

} // namespace

TEST_CASE("a message of 8 bits becomes one of 7, and nothing else of it changes") {
    struct Case {
        const char* name;
        std::string_view message;
        std::string_view converted;
    };
    static constexpr Case cases[] = {
        {"nothing to do", "A: b\n\nbody\n", "A: b\n\nbody\n"},
        {"empty", "", ""},
        {"no body", "A: b\n", "A: b\n"},
        {"text is quoted-printable, the label in its place",
         "MIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\n"
         "Content-Type: text/plain; charset=utf-8\n\nGr\xc3\xbc\xc3\x9f"
         "e \n--\n",
         "MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n"
         "Content-Type: text/plain; charset=utf-8\n\nGr=C3=BC=C3=9Fe=20\n--\n"},
        {"a folded label, and a second one",
         "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
         "Content-transfer-encoding:\n 8bit\nX: y\nContent-Transfer-Encoding: 8bit\n\n\xc3\xbc\n",
         "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
         "Content-Transfer-Encoding: quoted-printable\nX: y\n\n=C3=BC\n"},
        {"no label at all",
         "MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n<\xc3\xbc>\n",
         "MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n"
         "Content-Transfer-Encoding: quoted-printable\n\n<=C3=BC>\n"},
        {"no MIME at all (RFC 1428)", "Subject: x\n\ncaf\xe9\n",
         "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\n"
         "Content-Transfer-Encoding: quoted-printable\n\ncaf=E9\n"},
        {"not text is base64",
         "MIME-Version: 1.0\nContent-Type: application/x-y\n"
         "Content-Transfer-Encoding: 8bit\n\n\xff\xfe\n",
         "MIME-Version: 1.0\nContent-Type: application/x-y\n"
         "Content-Transfer-Encoding: base64\n\n//4NCg==\n"},
        {"the label alone",
         "MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: 8bit\n\nabc\n",
         "MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: 7bit\n\nabc\n"},
        {"quoted-printable with raw octets is done anew",
         "MIME-Version: 1.0\nContent-Type: text/plain\n"
         "Content-Transfer-Encoding: quoted-printable\n\na=3D\xc3\n",
         "MIME-Version: 1.0\nContent-Type: text/plain\n"
         "Content-Transfer-Encoding: base64\n\nYT3DDQo=\n"},
        {"multipart: only what needs it, containers relabelled, preamble and epilogue masked",
         "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
         "Content-Transfer-Encoding: 8bit\n\npr\xc3\xa4\n--b\n\nplain\n--b\n"
         "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n\xc3\xbc\n"
         "--b--\nep\xc3\xaf\n",
         "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
         "Content-Transfer-Encoding: 7bit\n\npr**\n--b\n\nplain\n--b\n"
         "Content-Type: text/plain; charset=utf-8\n"
         "Content-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--b--\nep**\n"},
        {"a header that is cut off", "A: b\nContent-Transfer-Encoding: 8bit",
         "A: b\nContent-Transfer-Encoding: 7bit\nMIME-Version: 1.0\n\n"},
        {"a part without header",
         "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
         "--b\n\n\xc3\xbc\n--b--\n",
         "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
         "--b\nContent-Type: text/plain; charset=unknown-8bit\n"
         "Content-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--b--\n"},
        {"the message inside",
         "MIME-Version: 1.0\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n"
         "Subject: inner\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
         "Content-Transfer-Encoding: 8bit\n\n\xc3\xbc\n",
         "MIME-Version: 1.0\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\n"
         "Subject: inner\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
         "Content-Transfer-Encoding: quoted-printable\n\n=C3=BC\n"},
        {"what is signed stays beside what is not",
         "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=o\n\n--o\n"
         "Content-Type: multipart/signed; boundary=s\nContent-Transfer-Encoding: 8bit\n\n--s\n"
         "Content-Transfer-Encoding: 8bit\n\nsigned\n--s\n\nsignature\n--s--\n\n--o\n"
         "Content-Type: text/plain; charset=utf-8\n\n\xc3\xbc\n--o--\n",
         "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=o\n\n--o\n"
         "Content-Type: multipart/signed; boundary=s\nContent-Transfer-Encoding: 7bit\n\n--s\n"
         "Content-Transfer-Encoding: 8bit\n\nsigned\n--s\n\nsignature\n--s--\n\n--o\n"
         "Content-Type: text/plain; charset=utf-8\n"
         "Content-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--o--\n"},
        {"a mail in UTF-8 inside of one that is not",
         "MIME-Version: 1.0\nContent-Type: message/global\nContent-Transfer-Encoding: 8bit\n\n"
         "S: \xc3\xbc\n\nx\n",
         "MIME-Version: 1.0\nContent-Type: message/global\nContent-Transfer-Encoding: base64\n\n"
         "Uzogw7wNCg0KeA0K\n"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto message = with_crlf(c.message);
        for (const std::size_t piece : {1u, 7u, 100'000u}) {
            const auto converted = to_seven_bit(message, piece);
            REQUIRE(converted);
            CHECK(*converted == with_crlf(c.converted));
        }
        check_seven_bit(message);
    }
}

TEST_CASE("a message that must not or cannot be converted says why") {
    struct Case {
        const char* name;
        std::string_view message;
        SevenBitObstacle obstacle;
    };
    static constexpr Case cases[] = {
        {"signed",
         "Content-Type: multipart/signed; boundary=s\n\n--s\n\n\xc3\xbc\n--s\n\nx\n--s--\n",
         SevenBitObstacle::Signed},
        {"a signed part",
         "Content-Type: multipart/mixed; boundary=o\n\n--o\n"
         "Content-Type: multipart/signed; boundary=s\n\n--s\n\n\xc3\xbc\n--s--\n--o--\n",
         SevenBitObstacle::Signed},
        {"the header", "Subject: \xc3\xbc\n\nx\n", SevenBitObstacle::Header},
        {"the header of a body that changes", "Subject: \xc3\xbc\n\n\xc3\xbc\n",
         SevenBitObstacle::Header},
        {"the header of a part",
         "Content-Type: multipart/mixed; boundary=o\n\n--o\nX: \xc3\xbc\n\nx\n--o--\n",
         SevenBitObstacle::Header},
        {"the header of a message inside", "Content-Type: message/rfc822\n\nX: \xc3\xbc\n\nx\n",
         SevenBitObstacle::Header},
        {"multipart without boundary", "Content-Type: multipart/mixed\n\n\xc3\xbc\n",
         SevenBitObstacle::Unreadable},
        {"multipart without delimiters", "Content-Type: multipart/mixed; boundary=b\n\n\xc3\xbc\n",
         SevenBitObstacle::Unreadable},
        {"a piece of a message", "Content-Type: message/partial\n\n\xc3\xbc\n",
         SevenBitObstacle::Unreadable},
        {"an encoding that nobody knows", "Content-Transfer-Encoding: x-uuencode\n\n\xc3\xbc\n",
         SevenBitObstacle::Unreadable},
        {"a boundary that masking could write",
         "Content-Type: multipart/mixed; boundary=\"a*\"\n\n--a\xc3\n--a*\n\nx\n--a*--\n",
         SevenBitObstacle::Unreadable},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto converted = to_seven_bit(with_crlf(c.message), 3);
        REQUIRE_FALSE(converted);
        CHECK(converted.error() == c.obstacle);
    }
    std::string deep;
    for (int i = 0; i < 120; ++i) deep += "Content-Type: message/rfc822\r\n\r\n";
    const auto converted = to_seven_bit(deep + "\r\n\xc3\xbc", 100);
    REQUIRE_FALSE(converted);
    CHECK(converted.error() == SevenBitObstacle::Unreadable);
}

TEST_CASE("whatever is converted has the same contents, in 7 bits and lines of 998") {
    base::SeededRandom random(6152);
    const auto line = [&] {
        static constexpr std::string_view words[] = {"word",  " ", "\xc3\xbc", "--b0", "--b1", "=",
                                                     "From ", ".", "\t",       "\xff", "x--b0"};
        std::string out;
        for (auto n = random.below(40); n > 0; --n) out += words[random.below(std::size(words))];
        return out + "\r\n";
    };
    const auto entity = [&](auto& self, int depth) -> std::string {
        static constexpr std::string_view labels[] = {"", "Content-Transfer-Encoding: 8bit\r\n",
                                                      "Content-Transfer-Encoding: binary\r\n",
                                                      "Content-Transfer-Encoding: 7bit\r\n"};
        auto out = std::string(labels[random.below(std::size(labels))]);
        const auto kind = depth > 3 ? 0 : random.below(5);
        if (kind < 2) {
            static constexpr std::string_view types[] = {
                "", "Content-Type: text/plain; charset=utf-8\r\n", "Content-Type: image/png\r\n"};
            out += std::string(types[random.below(std::size(types))]) + "\r\n";
            for (auto n = random.below(8); n > 0; --n) out += line();
        } else if (kind < 4) {
            const auto boundary = "b" + std::to_string(depth);
            out += "Content-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n" + line();
            for (auto n = random.below(4); n > 0; --n)
                out += "\r\n--" + boundary + "\r\n" + self(self, depth + 1);
            out += "\r\n--" + boundary + "--\r\n" + line();
        } else {
            out += "Content-Type: message/rfc822\r\n\r\nSubject: s\r\n" + self(self, depth + 1);
        }
        return out;
    };
    std::size_t converted = 0;
    for (int i = 0; i < 1000; ++i)
        if (check_seven_bit("MIME-Version: 1.0\r\n" + entity(entity, 0))) ++converted;
    CHECK(converted > 500);
}
