// What SMTP and IMAP say when memory runs short.
#include "libmailcore/session/smtp.h"
#include "tests/catch.h"
#include "tests/session/imap_fixture.h"

using namespace mailcore;
using namespace mailcore::test;
using base::MemoryGate;

namespace {

struct SetMemory final : base::MemoryMeter {
    std::uint64_t used() override { return octets; }
    void give_back() override {}
    std::uint64_t octets = 0;
};

/// A world with a gate whose ceiling is 1000.
struct ShortWorld {
    ShortWorld() { world.services.memory = &gate; }
    ImapWorld world;
    SetMemory memory;
    MemoryGate gate{{.octets_max = 1000, .interval = std::chrono::milliseconds{0}},
                    world.people.scheduler(),
                    memory};
};

/// Octets as they are, for SmtpClient adds an end to each line.
std::string put(test::Client& client, std::string_view octets) {
    client.say(octets);
    return client.hear();
}

session::SmtpOptions no_lookup() {
    session::SmtpOptions options;
    options.reverse_lookup = false;
    return options;
}

} // namespace

TEST_CASE("short of memory, SMTP takes no new message and finishes the one that is coming in") {
    ShortWorld s;
    SmtpClient client(s.world, no_lookup());
    CHECK(client("EHLO client.example.org").starts_with("250"));
    s.memory.octets = 900;
    CHECK(client("MAIL FROM:<x@example.org>").starts_with("452 4.3.1 "));
    CHECK(client("NOOP").starts_with("250"));
    s.memory.octets = 100;
    CHECK(client("MAIL FROM:<x@example.org>").starts_with("250"));
    CHECK(client("RCPT TO:<jo@example.test>").starts_with("250"));
    CHECK(client("DATA").starts_with("354"));
    s.memory.octets = 900;
    CHECK(put(client, "Subject: x\r\n\r\nbody\r\n.\r\n").starts_with("250"));
}

TEST_CASE(
    "when memory is all but gone, a message on its way in is refused, and the connection stays") {
    ShortWorld s;
    SmtpClient client(s.world, no_lookup());
    CHECK(client("EHLO client.example.org").starts_with("250"));
    CHECK(client("MAIL FROM:<x@example.org>").starts_with("250"));
    CHECK(client("RCPT TO:<jo@example.test>").starts_with("250"));
    CHECK(client("DATA").starts_with("354"));
    CHECK(put(client, "Subject: x\r\n\r\nbody\r\n") == "");
    s.memory.octets = 960;
    std::string lines;
    while (lines.size() < 300'000) lines += std::string(70, 'x') + "\r\n";
    CHECK(put(client, lines) == "");
    s.memory.octets = 100;
    CHECK(put(client, "more\r\n.\r\n").starts_with("452 4.3.1 "));
    CHECK(client("MAIL FROM:<x@example.org>").starts_with("250"));
}

TEST_CASE("short of memory, IMAP refuses APPEND and answers everything else") {
    ShortWorld s;
    ImapClient client(s.world);
    CHECK(client("LOGIN jo@example.test secret").contains("a OK"));
    s.memory.octets = 900;
    CHECK(client("APPEND INBOX {10}").contains("a NO [LIMIT] "));
    CHECK(client("SELECT INBOX").contains("a OK"));
    s.memory.octets = 100;
    client.send("b APPEND INBOX {10}\r\n");
    s.memory.octets = 960;
    client.send("Subject");
    s.memory.octets = 100;
    client.send(": x\r\n");
    CHECK(client("STATUS INBOX (MESSAGES)").contains("MESSAGES 0"));
}
