#include "libmailcore/mime/section.h"

#include "libmailcore/mime/parser.h"
#include "tests/catch.h"

using namespace mailcore;
using namespace mailcore::mime;

namespace {

// RFC 9051 §6.4.5 has this tree as its example.
constexpr std::string_view message = "Subject: whole\r\n"
                                     "Content-Type: multipart/mixed; boundary=a\r\n"
                                     "\r\n"
                                     "--a\r\n"
                                     "X: 1\r\n"
                                     "\r\n"
                                     "text of 1\r\n"
                                     "--a\r\n"
                                     "Content-Type: application/octet-stream\r\n"
                                     "\r\n"
                                     "text of 2\r\n"
                                     "--a\r\n"
                                     "Content-Type: message/rfc822\r\n"
                                     "\r\n"
                                     "Subject: inner\r\n"
                                     "Content-Type: multipart/mixed; boundary=b\r\n"
                                     "\r\n"
                                     "--b\r\n"
                                     "\r\n"
                                     "text of 3.1\r\n"
                                     "--b\r\n"
                                     "Content-Type: message/rfc822\r\n"
                                     "\r\n"
                                     "Subject: innermost\r\n"
                                     "\r\n"
                                     "text of 3.2.1\r\n"
                                     "--b--\r\n"
                                     "--a--\r\n";

std::string octets(std::string_view of, std::vector<std::uint32_t> part, Section::Text text) {
    const auto structure = parse(of);
    Section section;
    section.part = std::move(part);
    section.text = text;
    const auto range = locate(structure, section);
    return range ? std::string(of.substr(range->offset, range->octets)) : "NIL";
}

} // namespace

TEST_CASE("sections name the octets that IMAP means") {
    using Text = Section::Text;
    CHECK(octets(message, {}, Text::All) == message);
    CHECK(octets(message, {}, Text::Header) ==
          "Subject: whole\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n");
    CHECK(octets(message, {}, Text::Body).starts_with("--a\r\nX: 1"));
    CHECK(octets(message, {}, Text::Mime) == "NIL");
    CHECK(octets(message, {1}, Text::All) == "text of 1");
    CHECK(octets(message, {1}, Text::Mime) == "X: 1\r\n\r\n");
    CHECK(octets(message, {1}, Text::Header) == "NIL");
    CHECK(octets(message, {1}, Text::Body) == "NIL");
    CHECK(octets(message, {1, 1}, Text::All) == "NIL");
    CHECK(octets(message, {2}, Text::All) == "text of 2");
    CHECK(octets(message, {3}, Text::All).starts_with("Subject: inner\r\n"));
    CHECK(octets(message, {3}, Text::Mime) == "Content-Type: message/rfc822\r\n\r\n");
    CHECK(octets(message, {3}, Text::Header).starts_with("Subject: inner\r\n"));
    CHECK(octets(message, {3}, Text::Body).starts_with("--b\r\n\r\ntext of 3.1"));
    CHECK(octets(message, {3, 1}, Text::All) == "text of 3.1");
    CHECK(octets(message, {3, 1}, Text::Mime) == "\r\n");
    CHECK(octets(message, {3, 2}, Text::All) == "Subject: innermost\r\n\r\ntext of 3.2.1");
    CHECK(octets(message, {3, 2}, Text::Header) == "Subject: innermost\r\n\r\n");
    CHECK(octets(message, {3, 2}, Text::Body) == "text of 3.2.1");
    CHECK(octets(message, {3, 2, 1}, Text::All) == "text of 3.2.1");
    CHECK(octets(message, {3, 2, 1}, Text::Mime) == "Subject: innermost\r\n\r\n");
    CHECK(octets(message, {3, 2, 2}, Text::All) == "NIL");
    CHECK(octets(message, {4}, Text::All) == "NIL");
    CHECK(octets(message, {0}, Text::All) == "NIL");
    CHECK(octets(message, {4'000'000'000}, Text::All) == "NIL");

    const std::string_view plain = "Subject: x\r\n\r\nbody";
    CHECK(octets(plain, {1}, Text::All) == "body");
    CHECK(octets(plain, {1}, Text::Mime) == "Subject: x\r\n\r\n");
    CHECK(octets(plain, {2}, Text::All) == "NIL");
    CHECK(octets(plain, {1, 1}, Text::All) == "NIL");
    CHECK(octets(plain, {1}, Text::Header) == "NIL");

    const std::string_view forwarded =
        "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody";
    CHECK(octets(forwarded, {1}, Text::All) == "Subject: in\r\n\r\nbody");
    CHECK(octets(forwarded, {1}, Text::Header) == "Subject: in\r\n\r\n");
    CHECK(octets(forwarded, {1, 1}, Text::All) == "body");
}

TEST_CASE("every part has its numbers, and they lead back") {
    const auto structure = parse(message);
    const std::string_view expected[] = {"", "1", "2", "3", "3", "3.1", "3.2", "3.2.1"};
    REQUIRE(structure.parts.size() == std::size(expected));
    for (PartIndex i = 0; i < structure.parts.size(); ++i)
        CHECK(part_numbers(structure, i) == expected[i]);
    const auto single = parse("Subject: x\r\n\r\nbody");
    CHECK(part_numbers(single, 0) == "1");
    const std::uint32_t numbers[] = {3, 2, 1};
    CHECK(find_part(structure, numbers) == 7);
}

TEST_CASE("header fields are selected as pieces") {
    constexpr std::string_view header = "A: 1\r\nB: 2\r\n 2\r\na: 3\r\nC: 4\r\n\r\n";
    const auto selected = [&](std::string_view of, Section::Text text,
                              std::vector<std::string> fields) {
        Section section;
        section.text = text;
        section.fields = std::move(fields);
        const auto pieces = select_fields(of, section);
        std::string out;
        for (const auto& range : pieces.ranges)
            out += std::string(of.substr(range.offset, range.octets)) + "|";
        return out + (pieces.separator_missing ? "!" : "");
    };
    using Text = Section::Text;
    CHECK(selected(header, Text::HeaderFields, {"a"}) == "A: 1\r\n|a: 3\r\n|\r\n|");
    CHECK(selected(header, Text::HeaderFields, {"b", "A"}) ==
          "A: 1\r\nB: 2\r\n 2\r\na: 3\r\n|\r\n|");
    CHECK(selected(header, Text::HeaderFields, {"C"}) == "C: 4\r\n\r\n|");
    CHECK(selected(header, Text::HeaderFields, {"D"}) == "\r\n|");
    CHECK(selected(header, Text::HeaderFieldsNot, {"A"}) == "B: 2\r\n 2\r\n|C: 4\r\n\r\n|");
    CHECK(selected("A: 1\r\n", Text::HeaderFields, {"A"}) == "A: 1\r\n|!");
    CHECK(selected("", Text::HeaderFields, {"A"}) == "!");
}
