#include "libmailcore/smtp/parameters.h"

#include "tests/catch.h"
#include "tests/smtp/all_capabilities.h"

using namespace mailcore;
using namespace mailcore::smtp;

TEST_CASE("parameters of MAIL are read as their RFCs write them") {
    struct Case {
        const char* name;
        std::string text;
        int code; // 250: good
        bool (*holds)(const MailParameters&) = nullptr;
    };
    const Case cases[] = {
        {"none", "", 250, [](const MailParameters& p) { return p == MailParameters{}; }},
        {"size", " SIZE=1000", 250, [](const MailParameters& p) { return p.size == 1000u; }},
        {"size above the offered one", " SIZE=1001", 552},
        {"size of 20 digits", " SIZE=00000000000000000001", 250,
         [](const MailParameters& p) { return p.size == 1u; }},
        {"size of 21 digits", " SIZE=000000000000000000001", 501},
        {"size above 64 bits", " SIZE=18446744073709551616", 501},
        {"size with a sign", " SIZE=-1", 501},
        {"size without a value", " SIZE=", 501},
        {"body", " body=8bitmime", 250,
         [](const MailParameters& p) { return p.body == BodyType::EightBitMime; }},
        {"binary", " BODY=BINARYMIME", 250,
         [](const MailParameters& p) { return p.body == BodyType::BinaryMime; }},
        {"unknown body", " BODY=16BIT", 501},
        {"utf8", " SMTPUTF8", 250, [](const MailParameters& p) { return p.smtp_utf8; }},
        {"utf8 with a value", " SMTPUTF8=1", 501},
        {"auth", " AUTH=e+3Dmc2@example.com", 250,
         [](const MailParameters& p) { return p.auth->mailbox.local_part == "e=mc2"; }},
        {"auth of nobody", " AUTH=<>", 250,
         [](const MailParameters& p) { return p.auth->is_null(); }},
        {"auth that is no mailbox", " AUTH=jo", 501},
        {"auth that is no xtext", " AUTH=jo+@x", 501},
        {"ret", " RET=FULL", 250, [](const MailParameters& p) { return p.ret == Return::Full; }},
        {"envid", " ENVID=a+2Bb", 250,
         [](const MailParameters& p) { return p.envelope_id == "a+b"; }},
        {"envid of 100", " ENVID=" + std::string(100, 'x'), 250,
         [](const MailParameters& p) { return p.envelope_id->size() == 100; }},
        {"envid of 101", " ENVID=" + std::string(101, 'x'), 501},
        {"envid with a line end", " ENVID=a+0D+0Ab", 501},
        {"priority", " MT-PRIORITY=-3", 250,
         [](const MailParameters& p) { return p.mt_priority == -3; }},
        {"priority 9", " MT-PRIORITY=9", 250,
         [](const MailParameters& p) { return p.mt_priority == 9; }},
        {"priority 10", " MT-PRIORITY=10", 501},
        {"priority -0", " MT-PRIORITY=-0", 501},
        {"hold for", " HOLDFOR=999999999", 250,
         [](const MailParameters& p) { return p.hold_for == std::chrono::seconds{999'999'999}; }},
        {"hold for ten digits", " HOLDFOR=1000000000", 501},
        {"hold until", " HOLDUNTIL=1970-01-02T00:00:01Z", 250,
         [](const MailParameters& p) {
             return *p.hold_until == WallTime{std::chrono::seconds{86401}};
         }},
        {"hold until the 30th of February", " HOLDUNTIL=2024-02-30T00:00:00Z", 501},
        {"hold until leap day", " HOLDUNTIL=2024-02-29T23:59:59Z", 250,
         [](const MailParameters& p) { return p.hold_until.has_value(); }},
        {"hold until in a zone", " HOLDUNTIL=2024-02-29T00:00:00+01:00", 501},
        {"both holds", " HOLDFOR=1 HOLDUNTIL=2024-02-29T00:00:00Z", 501},
        {"several", " SIZE=1 BODY=7BIT SMTPUTF8", 250,
         [](const MailParameters& p) { return p.smtp_utf8 && p.size == 1u; }},
        {"twice", " SIZE=1 size=2", 501},
        {"no space", "SIZE=1", 501},
        {"two spaces", "  SIZE=1", 501},
        {"space at the end", " SIZE=1 ", 501},
        {"unknown", " X=1", 555},
        {"of RCPT", " NOTIFY=NEVER", 555},
        {"no keyword", " =1", 501},
        {"hyphen first", " -X=1", 501},
        {"odd keyword", " X_Y=1", 501},
        {"equals in a value", " ENVID=a=b", 501},
        {"control in a value", " ENVID=a\x01", 501},
        {"no UTF-8 in a value", " ENVID=\xff", 501},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto parameters = parse_mail_parameters(c.text, test::all_capabilities(1000));
        CHECK((parameters ? 250 : parameters.error().code) == c.code);
        if (parameters) CHECK((c.holds && c.holds(*parameters)));
    }
}

TEST_CASE("parameters that are not offered are not known") {
    for (const char* text :
         {" SIZE=1", " BODY=7BIT", " SMTPUTF8", " AUTH=<>", " RET=FULL", " ENVID=a", " REQUIRETLS",
          " MT-PRIORITY=1", " HOLDFOR=1", " HOLDUNTIL=2024-02-29T00:00:00Z"}) {
        INFO(text);
        const auto parameters = parse_mail_parameters(text, Capabilities{});
        REQUIRE_FALSE(parameters);
        CHECK(parameters.error().code == 555);
        CHECK(parse_mail_parameters(text, test::all_capabilities(1000)));
    }
    for (const char* text : {" NOTIFY=NEVER", " ORCPT=rfc822;a@b"}) {
        INFO(text);
        const auto parameters = parse_rcpt_parameters(text, Capabilities{});
        REQUIRE_FALSE(parameters);
        CHECK(parameters.error().code == 555);
        CHECK(parse_rcpt_parameters(text, test::all_capabilities(1000)));
    }
    auto eight = test::all_capabilities(1000);
    eight.binary_mime = false;
    CHECK(parse_mail_parameters(" BODY=BINARYMIME", eight).error().code == 501);
    auto unlimited = test::all_capabilities(1000);
    unlimited.size = 0;
    CHECK(parse_mail_parameters(" SIZE=18446744073709551615", unlimited));
}

TEST_CASE("parameters of RCPT are read as RFC 3461 writes them") {
    struct Case {
        const char* name;
        std::string text;
        bool good;
        bool (*holds)(const RcptParameters&) = nullptr;
    };
    const Case cases[] = {
        {"none", "", true, [](const RcptParameters& p) { return p == RcptParameters{}; }},
        {"never", " NOTIFY=never", true, [](const RcptParameters& p) { return p.notify->never(); }},
        {"some", " NOTIFY=DELAY,SUCCESS", true,
         [](const RcptParameters& p) {
             return p.notify == Notify{true, false, true};
         }},
        {"one twice", " NOTIFY=DELAY,DELAY", true,
         [](const RcptParameters& p) {
             return p.notify == Notify{false, false, true};
         }},
        {"never and more", " NOTIFY=NEVER,DELAY", false},
        {"comma at the end", " NOTIFY=DELAY,", false},
        {"comma first", " NOTIFY=,DELAY", false},
        {"nothing", " NOTIFY=", false},
        {"unknown", " NOTIFY=ALWAYS", false},
        {"orcpt", " ORCPT=rfc822;Bob+40x", true,
         [](const RcptParameters& p) {
             return p.original_recipient == OriginalRecipient{"rfc822", "Bob@x"};
         }},
        {"orcpt in UTF-8", " ORCPT=utf-8;j\\x{FC}@x", true,
         [](const RcptParameters& p) { return p.original_recipient->address == "j\\x{FC}@x"; }},
        {"orcpt of 500", " ORCPT=rfc822;" + std::string(493, 'x'), true,
         [](const RcptParameters& p) { return p.original_recipient->address.size() == 493; }},
        {"orcpt of 501", " ORCPT=rfc822;" + std::string(494, 'x'), false},
        {"orcpt without a type", " ORCPT=;a", false},
        {"orcpt without a semicolon", " ORCPT=a@b", false},
        {"orcpt with an odd type", " ORCPT=rfc@822;a", false},
        {"orcpt with a line end", " ORCPT=rfc822;a+0Ab", false},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto parameters = parse_rcpt_parameters(c.text, test::all_capabilities(1000));
        CHECK(parameters.has_value() == c.good);
        if (parameters && c.good) CHECK(c.holds(*parameters));
    }
}

TEST_CASE("parameters written and read again are the same; what is not offered is left out") {
    for (const char* text : {"", " SIZE=5", " BODY=8BITMIME SMTPUTF8", " AUTH=<>", " AUTH=a+2Bb@x",
                             " RET=HDRS ENVID=a+2B", " REQUIRETLS MT-PRIORITY=-9",
                             " MT-PRIORITY=0 HOLDFOR=7", " HOLDUNTIL=2024-02-29T23:59:59Z"}) {
        INFO(text);
        const auto parameters = parse_mail_parameters(text, test::all_capabilities(1000));
        REQUIRE(parameters);
        std::string written;
        append_parameters(*parameters, test::all_capabilities(1000), written);
        CHECK(written == text);
        written.clear();
        append_parameters(*parameters, Capabilities{}, written);
        CHECK(written.empty());
    }
    for (const char* text :
         {"", " NOTIFY=NEVER", " NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a+2Bb@x",
          " ORCPT=utf-8;ü@x"}) {
        INFO(text);
        const auto parameters = parse_rcpt_parameters(text, test::all_capabilities(1000));
        REQUIRE(parameters);
        std::string written;
        append_parameters(*parameters, test::all_capabilities(1000), written);
        CHECK(written == text);
    }
}

TEST_CASE("nothing that an owner gives breaks out of its parameter") {
    auto offered = test::all_capabilities(1000);
    std::string out;
    append_parameters(RcptParameters{{}, OriginalRecipient{"rfc822 X", "a"}}, offered, out);
    CHECK(out.empty());
    append_parameters(RcptParameters{{}, OriginalRecipient{"rfc822", "a b\r\nQUIT"}}, offered, out);
    CHECK(out == " ORCPT=rfc822;a+20b+0D+0AQUIT");
    out.clear();
    offered.smtp_utf8 = false;
    append_parameters(RcptParameters{{}, OriginalRecipient{"utf-8", "ü a\xff"}}, offered, out);
    CHECK(out == " ORCPT=utf-8;\\x{FC}\\x{20}a\\x{FFFD}");
    out.clear();
    MailParameters mail;
    mail.envelope_id = "a b\r\n";
    append_parameters(mail, offered, out);
    CHECK(out == " ENVID=a+20b+0D+0A");
}
