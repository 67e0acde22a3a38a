#include "libmailcore/session/pop3.h"

#include "libmailcore/codec/base64.h"
#include "tests/catch.h"
#include "tests/session/mail_world.h"

using namespace mailcore;
using test::MailWorld;
using test::Pop3Client;
using test::SmtpClient;
using test::StoreKind;

namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

void deliver(MailWorld& world, const std::string& message) {
    SmtpClient client(world, {});
    (void)client("EHLO c.test");
    client.say_message("ann@elsewhere.test", {"jo@example.test"}, message);
    REQUIRE(has(client.hear(), "250 2.0.0 accepted"));
}

const std::string first = "Subject: 1\r\n\r\n.dot\r\nline 2\r\nline 3\r\n";
const std::string second = "Subject: 2\r\n\r\nbody\r\n";

void on_every_store(const std::function<void(MailWorld&)>& test) {
    MailWorld world(GENERATE(StoreKind::Memory, StoreKind::Durable));
    world.people.make_account("jo@example.test", "secret");
    deliver(world, first);
    deliver(world, second);
    test(world);
}

} // namespace

TEST_CASE("a maildrop is listed and read") {
    on_every_store([](MailWorld& world) {
        Pop3Client client(world);
        CHECK(has(client("STAT"), "-ERR"));
        CHECK(has(client("USER jo"), "+OK"));
        CHECK(has(client("PASS secret"), "+OK"));
        const auto one = client.multi_line("RETR 1");
        CHECK(one.ends_with("\r\n" + first));
        CHECK(client.multi_line("RETR 2").ends_with("\r\n" + second));
        const auto top = client.multi_line("TOP 1 1");
        CHECK(top.ends_with("Subject: 1\r\n\r\n.dot\r\n"));
        const auto listed = client("LIST");
        CHECK(has(listed, "\r\n1 " + std::to_string(one.size()) + "\r\n2 "));
        CHECK(has(client("LIST 3"), "-ERR"));
        CHECK(has(client("RETR 0"), "-ERR"));
        const auto uids = client("UIDL");
        CHECK(has(client("UIDL 2"), "+OK 2 "));
        CHECK(has(client("QUIT"), "+OK"));
        // Unique ids stay.
        Pop3Client again(world);
        (void)again("USER jo");
        (void)again("PASS secret");
        CHECK(again("UIDL") == uids);
    });
}

TEST_CASE("deletions are carried out at QUIT and at no other end") {
    on_every_store([](MailWorld& world) {
        {
            Pop3Client client(world);
            (void)client("USER jo");
            (void)client("PASS secret");
            CHECK(has(client("DELE 1"), "+OK"));
            CHECK(has(client("RETR 1"), "-ERR"));
            CHECK(has(client("STAT"), "+OK 1 "));
        } // the connection breaks (RFC 1939 §6)
        CHECK(world.mail_of("jo").size() == 2);
        Pop3Client client(world);
        (void)client("USER jo");
        (void)client("PASS secret");
        (void)client("DELE 1");
        (void)client("DELE 2");
        CHECK(has(client("RSET"), "+OK"));
        CHECK(has(client("STAT"), "+OK 2 "));
        (void)client("DELE 1");
        CHECK(has(client("QUIT"), "+OK"));
        CHECK(client.driver().closed());
        const auto left = world.mail_of("jo");
        REQUIRE(left.size() == 1);
        CHECK(left[0].ends_with(second));
    });
}

TEST_CASE("one session has the maildrop; new mail comes with the next") {
    on_every_store([](MailWorld& world) {
        std::optional<Pop3Client> client;
        client.emplace(world);
        (void)(*client)("USER jo");
        (void)(*client)("PASS secret");
        Pop3Client other(world);
        (void)other("USER jo");
        CHECK(has(other("PASS secret"), "-ERR [IN-USE]"));
        deliver(world, "Subject: 3\r\n\r\nx\r\n");
        CHECK(has((*client)("STAT"), "+OK 2 "));
        CHECK(has((*client)("RETR 3"), "-ERR"));
        client.reset();
        (void)other("USER jo");
        CHECK(has(other("PASS secret"), "+OK"));
        CHECK(has(other("STAT"), "+OK 3 "));
    });
}

TEST_CASE("who may not log in is told so") {
    MailWorld world;
    world.people.make_account("jo@example.test", "secret");
    Pop3Client client(world);
    (void)client("USER jo");
    CHECK(has(client("PASS wrong"), "-ERR [AUTH]"));
    (void)client("USER nobody");
    CHECK(has(client("PASS secret"), "-ERR [AUTH]"));
    const auto zero = std::string(1, '\0');
    CHECK(has(client("AUTH PLAIN " + codec::base64_encode(zero + "jo" + zero + "secret")), "+OK"));
    session::Pop3Options strict;
    strict.login.plaintext_from_loopback = false;
    Pop3Client plain(world, strict);
    CHECK(has(plain("USER jo"), "-ERR"));
    CHECK_FALSE(has(plain("CAPA"), "\r\nUSER\r\n"));
}
