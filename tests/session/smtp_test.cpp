#include "libmailcore/session/smtp.h"

#include "libmailcore/codec/base64.h"
#include "libmailcore/store/account.h"
#include "tests/catch.h"
#include "tests/session/mail_world.h"

using namespace mailcore;
using session::SmtpOptions;
using session::SmtpService;
using test::MailWorld;
using test::SmtpClient;
using test::StoreKind;

namespace {

const std::string letter = "From: ann@elsewhere.test\r\nSubject: s\r\n\r\n.dots\r\nbody\r\n";

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

std::string send(SmtpClient& client, std::string_view sender,
                 const std::vector<std::string>& recipients, std::string_view message = letter) {
    client.say_message(sender, recipients, message);
    return client.hear();
}

std::string plain(std::string_view user, std::string_view password) {
    std::string text(1, '\0');
    return codec::base64_encode(text + std::string(user) + text + std::string(password));
}

/// The test on each kind of store.
void on_every_store(const std::function<void(MailWorld&)>& test) {
    MailWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    world.people.make_account("jo@example.test", "secret");
    test(world);
}

} // namespace

TEST_CASE("mail from another server lands in the mailbox, with its trace on top") {
    on_every_store([](MailWorld& world) {
        world.people.make_account("kim@example.test", "secret");
        SmtpClient client(world, {});
        CHECK(has(client("EHLO mx.elsewhere.test"), "250-mail.example.test"));
        const auto answers = send(client, "ann@elsewhere.test",
                                  {"jo@example.test", "JO+tag@Example.test", "kim@example.test",
                                   "nobody@example.test", "far@away.test"});
        CHECK(has(answers, "250 2.1.0 "));
        CHECK(has(answers, "550 5.1.1 "));
        CHECK(has(answers, "550 5.7.1 relaying denied\r\n"));
        CHECK(has(answers, "354 "));
        CHECK(has(answers, "250 2.0.0 accepted as "));
        const auto mail = world.mail_of("jo");
        REQUIRE(mail.size() == 1); // two addresses, one mailbox
        CHECK(mail[0].ends_with("\r\n" + letter));
        CHECK(mail[0].starts_with("Return-Path: <ann@elsewhere.test>\r\n"
                                  "Delivered-To: jo@example.test\r\nReceived: from "
                                  "mx.elsewhere.test"));
        CHECK(world.mail_of("kim").size() == 1);
        CHECK(world.queue().empty());
        CHECK(world.told.empty());
    });
}

TEST_CASE("mail for elsewhere is queued for who may relay, and the courier is told") {
    on_every_store([](MailWorld& world) {
        SmtpOptions options;
        options.relay_networks = {IpNetwork::parse("192.0.2.0/24").value()};
        SmtpClient client(world, options);
        (void)client("EHLO app.example.test");
        CHECK(has(client("MAIL FROM:<ann@example.test> BODY=8BITMIME RET=HDRS ENVID=x+2By"),
                  "250 2.1.0"));
        CHECK(has(client("RCPT TO:<far@away.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@away.test"),
                  "250 2.1.5"));
        CHECK(has(client("RCPT TO:<jo@example.test> NOTIFY=NEVER"), "250 2.1.5"));
        CHECK(has(client("BDAT 12 LAST\r\nA: b\r\n\r\n\xc3\xbc\r\n"), "250 2.0.0 accepted as "));
        const auto queued = world.queue();
        REQUIRE(queued.size() == 1);
        CHECK(world.told == std::vector{queued[0].message.id});
        CHECK(queued[0].message.sender == "ann@example.test");
        CHECK(queued[0].message.eight_bit);
        CHECK(queued[0].message.envid == "x+y");
        CHECK(queued[0].message.returns == queue::Return::Headers);
        CHECK(queued[0].octets.ends_with("\r\nA: b\r\n\r\n\xc3\xbc\r\n"));
        REQUIRE(queued[0].recipients.size() == 1); // the other one is filed
        const auto& far = queued[0].recipients[0];
        CHECK(far.destination == "away.test");
        CHECK(far.original == "rfc822;o@away.test");
        CHECK(far.notify == queue::Notify{true, false, true});
        CHECK(world.mail_of("jo").size() == 1);
        // From anywhere else it is refused.
        SmtpClient stranger(world, options, "198.51.100.1");
        (void)stranger("EHLO c.test");
        CHECK(has(send(stranger, "ann@example.test", {"far@away.test"}), "550 5.7.1 relaying"));
    });
}

TEST_CASE("who submits logs in, sends as himself, and gets the fields he left out") {
    on_every_store([](MailWorld& world) {
        world.people.make_account("kim@example.test", "secret");
        SmtpOptions options;
        options.service = SmtpService::Submission;
        SmtpClient client(world, options);
        CHECK(has(client("EHLO c.test"), "AUTH PLAIN SCRAM-SHA-256"));
        CHECK(has(client("MAIL FROM:<jo@example.test>"), "530 5.7.0"));
        CHECK(has(client("AUTH PLAIN " + plain("jo", "wrong")), "535 5.7.8"));
        CHECK(has(client("AUTH PLAIN " + plain("jo", "secret")), "235 2.7.0"));
        CHECK(has(client("MAIL FROM:<kim@example.test>"), "553 5.7.1"));
        CHECK(has(client("MAIL FROM:<else@where.test>"), "553 5.7.1"));
        CHECK(has(send(client, "jo@example.test", {"kim@example.test", "far@away.test"},
                       "Subject: x\r\n\r\nbody\r\n"),
                  "250 2.0.0"));
        const auto mail = world.mail_of("kim");
        REQUIRE(mail.size() == 1);
        CHECK(has(mail[0], "\r\nDate: "));
        CHECK(has(mail[0], "\r\nFrom: <jo@example.test>\r\n"));
        CHECK(has(mail[0], "\r\nMessage-ID: <"));
        CHECK(mail[0].ends_with("\r\nSubject: x\r\n\r\nbody\r\n"));
        CHECK(has(mail[0], "with ESMTPA"));
        REQUIRE(world.queue().size() == 1);
        CHECK(world.queue()[0].message.account == "jo@example.test");
    });
}

TEST_CASE("binary content is stored as lines, and refused where that cannot be") {
    on_every_store([](MailWorld& world) {
        SmtpClient client(world, SmtpOptions{}, "192.0.2.1");
        CHECK(has(client("EHLO c.test"), "250-BINARYMIME"));
        const auto submit = [&](const std::string& message) {
            CHECK(has(client("MAIL FROM:<ann@example.test> BODY=BINARYMIME"), "250 2.1.0"));
            CHECK(has(client("RCPT TO:<jo@example.test>"), "250 2.1.5"));
            client.say("BDAT " + std::to_string(message.size()) + " LAST\r\n" + message);
            return client.hear();
        };
        const std::string content("\0\r\n\n\xff.\r", 7);
        const std::string mixed = "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n"
                                  "\r\n--b\r\n\r\nplain\r\n--b\r\nContent-Type: image/png\r\n"
                                  "Content-Transfer-Encoding: binary\r\n\r\n" +
                                  content + "\r\n--b--\r\n";
        CHECK(has(submit(mixed), "250 2.0.0"));
        auto mail = world.mail_of("jo");
        REQUIRE(mail.size() == 1);
        CHECK(has(mail[0], "Content-Transfer-Encoding: base64\r\n\r\n" +
                               codec::base64_encode(content) + "\r\n"));
        CHECK(has(mail[0], "\r\n\r\nplain\r\n--b\r\n"));
        // What is mail in lines already stays as it is, 8-bit octets and all.
        CHECK(has(submit("Subject: y\r\n\r\nGr\u00fc\u00dfe\r\n"), "250 2.0.0"));
        mail = world.mail_of("jo");
        REQUIRE(mail.size() == 2);
        CHECK(mail[1].ends_with("Subject: y\r\n\r\nGr\u00fc\u00dfe\r\n"));
        CHECK(has(submit("Subject: z\r\nX-Bad: a\0b\r\n\r\n" + content), "250 2.0.0") == false);
        CHECK(world.mail_of("jo").size() == 2);
    });
}

TEST_CASE("LMTP answers for each recipient, and knows no relaying") {
    on_every_store([](MailWorld& world) {
        world.people.make_account("kim@example.test", "secret");
        SmtpOptions options;
        options.service = SmtpService::Lmtp;
        SmtpClient client(world, options);
        CHECK(has(client("LHLO filter"), "250-mail.example.test"));
        const auto answers =
            send(client, "", {"jo@example.test", "nobody@example.test", "kim@example.test"});
        std::size_t accepted = 0;
        for (std::size_t at = 0; (at = answers.find("250 2.0.0 accepted", at)) < answers.size();
             ++at)
            ++accepted;
        CHECK(accepted == 2);
        CHECK(world.mail_of("jo").size() == 1);
        CHECK(world.mail_of("kim").at(0).starts_with("Return-Path: <>\r\n"));
    });
}

TEST_CASE("what must not be taken is refused before it is ours") {
    struct Case {
        const char* name;
        std::string message;
        std::string_view answer;
    };
    std::string circle;
    for (int i = 0; i < 101; ++i) circle += "Received: by x; Mon, 1 Jan 2024 10:00:00 +0000\r\n";
    const Case cases[] = {
        {"a circle", circle + "\r\nbody\r\n", "554 5.4.6"},
        {"a bare LF", "A: b\r\n\r\nx\n.\r\n", "550 5.6.0"},
        {"too large", "A: b\r\n\r\n" + std::string(9'000, 'x') + "\r\n", "552 5.3.4"},
    };
    on_every_store([&](MailWorld& world) {
        SmtpOptions options;
        options.engine.message_octets_max = 8'000;
        for (const auto& c : cases) {
            INFO(c.name);
            SmtpClient client(world, options);
            (void)client("EHLO c.test");
            CHECK(has(send(client, "a@b.test", {"jo@example.test"}, c.message), c.answer));
            CHECK(has(client("NOOP"), "250 2.0.0"));
        }
        CHECK(world.mail_of("jo").empty());
        CHECK(world.queue().empty());
    });
}

TEST_CASE("a mailbox that is full, disabled, or has none is told at RCPT") {
    on_every_store([](MailWorld& world) {
        const auto full = world.people.make_account("full@example.test", "secret");
        world.people
            .write([full](store::WriteTransaction& txn) -> store::TxnTask<Result<bool>> {
                store::AccountEdit edit(txn, store::Access::owner(full), full);
                MAILCORE_CO_TRY(edit.begin());
                MAILCORE_CO_TRY(store::set_quota(edit, {100, 0}));
                MAILCORE_CO_TRY(edit.save());
                co_return true;
            })
            .value();
        SmtpClient client(world, {});
        (void)client("EHLO c.test");
        (void)client("MAIL FROM:<a@b.test> SIZE=101");
        CHECK(has(client("RCPT TO:<full@example.test>"), "452 4.2.2"));
        CHECK(has(client("RCPT TO:<nobody@example.test>"), "550 5.1.1"));
        CHECK(has(client("DATA"), "503 5.5.1 No valid recipients"));
        (void)client("RSET");
        (void)client("MAIL FROM:<a@b.test> SIZE=10");
        CHECK(has(client("RCPT TO:<full@example.test>"), "250 2.1.5"));
    });
}

TEST_CASE("a client that goes away in the middle leaves nothing behind") {
    on_every_store([](MailWorld& world) {
        const auto dialogue = "EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<jo@example.test>\r\n"
                              "DATA\r\n" +
                              std::string("A: b\r\n\r\nbody\r\n.");
        for (std::size_t cut = 1; cut <= dialogue.size(); cut += 3) {
            SmtpClient client(world, {});
            client.say(std::string_view(dialogue).substr(0, cut));
            if (cut % 2 == 0) (void)client.hear();
        }
        CHECK(world.mail_of("jo").empty());
        CHECK(world.queue().empty());
    });
}
