#include "libmailcore/mime/writer.h"

#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/encoded_word.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/parser.h"
#include "libmailcore/mime/report.h"
#include "libmailcore/mime/text.h"
#include "tests/catch.h"

using namespace mailcore;
using namespace mailcore::mime;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

// Every line ends in CRLF and is within the limits; `wanted` holds wherever there is a blank to
// fold at.
void check_lines(std::string_view text, std::size_t allowed = 998) {
    while (!text.empty()) {
        const auto end = text.find("\r\n");
        REQUIRE(end != std::string_view::npos);
        const auto line = text.substr(0, end);
        CHECK(line.size() <= allowed);
        CHECK(line.find_first_of("\r\n\0"sv) == std::string_view::npos);
        text.remove_prefix(end + 2);
    }
}

} // namespace

TEST_CASE("fields are folded at blanks and nothing can be smuggled in") {
    CHECK(folded_field("A", "b") == "A: b\r\n");
    CHECK(folded_field("A", "b\r\nBcc: evil@x") == "A: b  Bcc: evil@x\r\n");
    CHECK(folded_field("A", "") == "A:\r\n");
    const std::string words =
        "word word word word word word word word word word word word word word word word word word";
    const auto folded = folded_field("Subject", words);
    check_lines(folded, 78);
    CHECK(unfolded(find_field(folded, "Subject")->value) == words);
    const auto quoted = folded_field("X", "\"" + words + "\" " + words);
    CHECK(unfolded(find_field(quoted, "X")->value) == "\"" + words + "\" " + words);
    const std::string endless(5000, 'x');
    check_lines(folded_field("X", endless));
    std::string wide;
    for (int i = 0; i < 2000; ++i) wide += "\xC3\xBC";
    const auto cut = folded_field("X", wide);
    check_lines(cut);
    CHECK(codec::is_utf8(cut));
}

TEST_CASE("header fields come back as they went in") {
    std::string out;
    HeaderWriter writer(out);
    const std::string subject =
        "Gr\xC3\xBC\xC3\x9F"
        "e aus M\xC3\xBCnchen, und noch viel mehr Text, der auf keine Zeile passt";
    std::vector<Address> to;
    for (int i = 0; i < 30; ++i)
        to.push_back({{},
                      i % 3 == 0 ? "M\xC3\xBCller, A" : "Long Name Of Somebody",
                      "",
                      "user" + std::to_string(i),
                      "example.org"});
    writer.text("Subject", subject)
        .addresses("To", to)
        .date("Date", DateTime{base::wall_time(1'700'000'000), 60, false})
        .content_type({"text", "plain", {{"charset", "utf-8"}, {"name", subject}}})
        .content_disposition({"attachment", {{"filename", subject + subject}}})
        .end();
    check_lines(out, 78);
    CHECK(codec::is_ascii(out));
    const auto structure = parse(out);
    CHECK(decode_encoded_words(*structure.envelope().subject) == subject);
    REQUIRE(structure.envelope().to.size() == 30);
    CHECK(decode_encoded_words(structure.envelope().to[0].name) == "M\xC3\xBCller, A");
    CHECK(structure.envelope().to[29].local == "user29");
    CHECK(structure.message().file_name() == subject + subject);
    CHECK(decoded_parameter(structure.message().parameters, "name") == subject);
    CHECK(structure.sent->zone_minutes == 60);

    std::string utf8;
    HeaderWriter(utf8, Utf8::Allowed).text("Subject", subject).addresses("To", to).end();
    check_lines(utf8);
    CHECK(parse(utf8).envelope().subject == subject);
}

TEST_CASE("the least encoding that a content needs is chosen") {
    struct Case {
        const char* name;
        std::string content;
        bool text;
        Transport transport;
        Encoding expected;
    };
    const Case cases[] = {
        {"ascii", "abc\r\n", true, Transport::Bit7, Encoding::Bit7},
        {"empty", "", false, Transport::Bit7, Encoding::Bit7},
        {"8 bit, allowed",
         "\xC3\xBC"
         "bcdefgh\r\n",
         true, Transport::Bit8, Encoding::Bit8},
        {"8 bit, few", "\xC3\xBC and a lot of ASCII text\r\n", true, Transport::Bit7,
         Encoding::QuotedPrintable},
        {"8 bit, many", "\xC3\xBC\xC3\xBC\xC3\xBC", true, Transport::Bit7, Encoding::Base64},
        {"998 octets", std::string(998, 'x'), true, Transport::Bit8, Encoding::Bit7},
        {"999 octets", std::string(999, 'x'), true, Transport::Bit8, Encoding::QuotedPrintable},
        {"NUL", "a\0b"s, true, Transport::Bit8, Encoding::Base64},
        {"bare LF in text", "a\nb", true, Transport::Bit7, Encoding::Bit7},
        {"bare LF in octets", "a\nb", false, Transport::Bit7, Encoding::Base64},
        {"bare CR", "some text a\rb and more text to come", true, Transport::Bit7,
         Encoding::QuotedPrintable},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(choose_encoding(c.content, c.text, c.transport) == c.expected);
        for (const std::string type : {"text", "application"}) {
            OutgoingPart part;
            part.type = {type, "x", {}};
            part.content = c.content;
            base::SeededRandom random(1);
            std::string out;
            write_part(part, c.transport, random, out);
            const auto structure = parse(out);
            auto expected = c.content;
            if (type == "text" && expected == "a\nb") expected = "a\r\nb";
            auto body = std::string(part_body(structure.message(), out));
            CHECK(part_content(structure.message(), body) == expected);
        }
    }
}

TEST_CASE("parts nest and are found again") {
    OutgoingPart text;
    text.type = {"text", "plain", {{"charset", "utf-8"}}};
    text.content = "Gr\xC3\xBC\xC3\x9F"
                   "e\n";
    OutgoingPart image;
    image.type = {"image", "png", {}};
    image.content = "\x89PNG\r\n\x1A\n\0"s;
    image.disposition = ContentDisposition{"attachment", {{"filename", "B\xC3\xBCld.png"}}};
    image.description = "Ein B\xC3\xBCld";
    image.id = "<1@x>";
    OutgoingPart inner;
    inner.type = {"multipart", "related", {}};
    inner.parts = {text, image};
    OutgoingPart forwarded;
    forwarded.type = {"message", "rfc822", {}};
    forwarded.content = "Subject: x\r\n\r\n\xFC\r\n";
    OutgoingPart whole;
    whole.type = {"multipart", "mixed", {}};
    whole.parts = {inner, forwarded};
    base::SeededRandom random(1);
    std::string out = "Subject: x\r\nMIME-Version: 1.0\r\n";
    write_part(whole, Transport::Bit7, random, out);
    check_lines(out);
    const auto structure = parse(out);
    REQUIRE(structure.parts.size() == 6);
    CHECK(structure.parts[0].encoding == Encoding::Bit8); // for the message inside
    CHECK(structure.parts[1].is("multipart", "related"));
    CHECK(part_text(structure.parts[2], part_body(structure.parts[2], out)) == "Gr\xC3\xBC\xC3\x9F"
                                                                               "e\r\n");
    CHECK(part_content(structure.parts[3], part_body(structure.parts[3], out)) == image.content);
    CHECK(structure.parts[3].file_name() == "B\xC3\xBCld.png");
    CHECK(decode_encoded_words(*structure.parts[3].description) == "Ein B\xC3\xBCld");
    CHECK(structure.parts[4].kind == Part::Kind::Message);
    CHECK(structure.parts[5].envelope->subject == "x");
}

TEST_CASE("a delivery report is what RFC 3464 says") {
    base::SeededRandom random(1);
    DeliveryReport report;
    report.reporting_mta = "mx.example.org";
    report.from = {{}, "Mail Delivery System", "", "mailer-daemon", "example.org"};
    report.to = "sender@example.net";
    report.subject = "Undelivered mail";
    report.text = "Your message could not be delivered:\n\nuser@example.com: no such user\n";
    report.envelope_id = "QQ314159";
    report.arrival = base::wall_time(1'700'000'000);
    report.now = base::wall_time(1'700'000'100);
    report.message_id = "<r@mx.example.org>";
    report.original_message_id = "<o@example.net>";
    report.original = "Subject: original\r\nMessage-ID: <o@example.net>\r\n\r\nbody\r\n";
    RecipientReport failed;
    failed.final_recipient = "user@example.com";
    failed.original_recipient = "rfc822;user@example.com";
    failed.status = "5.1.1";
    failed.remote_mta = "mx.example.com";
    failed.diagnostic = "550 5.1.1 no such user\r\nX-Evil: 1";
    failed.last_attempt = base::wall_time(1'700'000'050);
    report.recipients = {failed, failed};

    auto out = write_delivery_report(report, random);
    check_lines(out);
    auto structure = parse(out);
    REQUIRE(structure.parts.size() == 4);
    CHECK(structure.message().is("multipart", "report"));
    CHECK(plain_parameter(structure.message().parameters, "report-type") == "delivery-status");
    CHECK(unfolded(find_field(out, "Auto-Submitted")->value) == "auto-replied");
    CHECK(structure.references.size() == 1);
    CHECK(structure.parts[2].is("message", "delivery-status"));
    const auto status = std::string(part_body(structure.parts[2], out));
    CHECK(status == "Original-Envelope-Id: QQ314159\r\n"
                    "Reporting-MTA: dns; mx.example.org\r\n"
                    "Arrival-Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
                    "\r\n"
                    "Original-Recipient: rfc822;user@example.com\r\n"
                    "Final-Recipient: rfc822; user@example.com\r\n"
                    "Action: failed\r\n"
                    "Status: 5.1.1\r\n"
                    "Remote-MTA: dns; mx.example.com\r\n"
                    "Diagnostic-Code: smtp; 550 5.1.1 no such user  X-Evil: 1\r\n"
                    "Last-Attempt-Date: Tue, 14 Nov 2023 22:14:10 +0000\r\n"
                    "\r\n"
                    "Original-Recipient: rfc822;user@example.com\r\n"
                    "Final-Recipient: rfc822; user@example.com\r\n"
                    "Action: failed\r\n"
                    "Status: 5.1.1\r\n"
                    "Remote-MTA: dns; mx.example.com\r\n"
                    "Diagnostic-Code: smtp; 550 5.1.1 no such user  X-Evil: 1\r\n"
                    "Last-Attempt-Date: Tue, 14 Nov 2023 22:14:10 +0000\r\n");
    CHECK(structure.parts[3].is("text", "rfc822-headers"));
    CHECK(part_body(structure.parts[3], out) ==
          "Subject: original\r\nMessage-ID: <o@example.net>\r\n\r\n");

    report.returned = DeliveryReport::Return::Full;
    out = write_delivery_report(report, random);
    structure = parse(out);
    REQUIRE(structure.parts.size() == 5);
    CHECK(structure.parts[3].kind == Part::Kind::Message);
    CHECK(part_body(structure.parts[3], out) == report.original);

    report.recipients.front().final_recipient = "\xC3\xBC@b\xC3\xBC"
                                                "cher.example";
    report.original = "Subject: \xC3\xBC\r\n\r\nbody\r\n";
    out = write_delivery_report(report, random);
    structure = parse(out);
    CHECK(structure.parts[2].is("message", "global-delivery-status"));
    CHECK(part_content(structure.parts[2], part_body(structure.parts[2], out))
              .find("utf-8; \xC3\xBC@") != std::string::npos);
    CHECK(structure.parts[3].is("message", "global"));
}

TEST_CASE("HTML becomes the text that people would read") {
    struct Case {
        const char* name;
        std::string_view input, expected;
    };
    static constexpr Case cases[] = {
        {"paragraphs", "<p>One</p><p>Two<br>Three</p>", "One\n\nTwo\nThree"},
        {"list", "<ul><li>a<li>b</ul>c", "a\nb\n\nc"},
        {"table", "<table><tr><td>a<td>b</tr><tr><td>c</table>", "a b\nc"},
        {"white space", " a \n b\t<b> c </b>d", "a b c d"},
        {"references", "&lt;a&gt; &amp;&quot;&nbsp;&euro;&#8364;&#x20AC;",
         "<a> &\" \u20AC\u20AC\u20AC"},
        {"unknown reference", "a &nosuch; &", "a &nosuch &"},
        {"reference without end", "AT&T &copy 2024", "AT&T \u00A9 2024"},
        {"control reference", "a&#0;b&#27;c", "a\uFFFDb\uFFFDc"},
        {"comment", "a<!-- <p>x</p> -- > -->b", "ab"},
        {"empty comment", "a<!---->b<!-->c", "abc"},
        {"doctype", "<!DOCTYPE html PUBLIC \"-//W3C//DTD HTML\">a", "a"},
        {"script", "a<script>if (a<b && c>d) {}</script>b", "a\nb"},
        {"style in head", "<head><style>p{}</style><title>t</title></head>a", "a"},
        {"greater than in an attribute", "<a title=\"a > b\">c</a>", "c"},
        {"less than in text", "a < b", "a < b"},
        {"no end of tag", "a<b", "a"},
        {"no end of comment", "a<!-- b", "a"},
        {"preformatted", "<pre>a\nb</pre>", "a\nb"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        HtmlText whole;
        std::string out;
        whole.decode(c.input, out);
        whole.finish(out);
        CHECK(out == c.expected);
        HtmlText pieces;
        std::string again;
        for (const char octet : c.input) pieces.decode({&octet, 1}, again);
        pieces.finish(again);
        CHECK(again == c.expected);
    }
}
