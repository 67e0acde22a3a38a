#include "libmailcore/smtp/server_engine.h"

#include "tests/catch.h"
#include "tests/sim/driver.h"
#include "tests/smtp/memory_server.h"

using namespace mailcore;
using namespace mailcore::smtp;

namespace {

constexpr std::string_view begin_message =
    "EHLO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n";

/// A server and the one connection to it.
struct Session {
    explicit Session(const ServerOptions& options = {}) : driver(scheduler) {
        server.options = options;
        auto dialogue = std::make_unique<MemoryServerDialogue>(server, PeerInfo{}, scheduler.now());
        engine = &dialogue->server_engine();
        driver.start(std::move(dialogue));
    }
    void say(std::string_view octets, std::size_t piece = std::string_view::npos) {
        while (!octets.empty() && !driver.closed()) {
            driver.offer(octets.substr(0, piece));
            octets.remove_prefix(std::min(piece, octets.size()));
            memory_max = std::max(memory_max, engine->memory());
        }
        scheduler.run_ready();
    }
    void wait(std::chrono::seconds time) { scheduler.run_until(scheduler.now() + time); }

    sim::VirtualScheduler scheduler;
    MemoryServer server;
    sim::Driver driver;
    ServerEngine* engine;
    std::size_t memory_max = 0;
};

} // namespace

TEST_CASE("an SMTP connection at rest holds no buffer") {
    for (const std::size_t piece : {1u, 7u, 100'000u}) {
        INFO(piece);
        Session session;
        CHECK(session.engine->memory() == 0);
        session.say("EHLO a-client-with-a-name.example\r\n", piece);
        CHECK(session.engine->memory() == 0);
        session.say("MAIL FROM:<a@c.example> SIZE=100\r\nRCPT TO:<b@mx.example>\r\nNONSENSE THAT "
                    "IS LONG\r\n",
                    piece);
        CHECK(session.engine->memory() == 0);
        session.say("DATA\r\nA: b\r\n\r\n" + std::string(60'000, 'x') + "\r\n.\r\n", piece);
        CHECK(session.engine->memory() == 0);
        CHECK(session.server.messages.size() == 1);
        session.say("MAIL FROM:<a@c.example>\r\nRCPT TO:<b@mx.example>\r\nBDAT 3\r\nabcRSET\r\n",
                    piece);
        CHECK(session.engine->memory() == 0);
    }
}

TEST_CASE("a message of any size is taken within bounds") {
    std::string lines;
    while (lines.size() < 1'000'000) lines += std::string(998, 'x') + "\r\n";
    for (const std::size_t piece : {1'000u, 2'000'000u}) {
        Session session;
        session.say(begin_message);
        session.say("A: b\r\n\r\n");
        for (int i = 0; i < 5; ++i) session.say(lines, piece);
        CHECK(session.memory_max < 300'000);
        CHECK(session.driver.unread() == 0);
        session.say(".\r\n");
        REQUIRE(session.server.messages.size() == 1);
        CHECK(session.server.messages[0].octets.size() == 8 + 5 * lines.size());
    }
}

TEST_CASE("an owner that does not take the body stops the client") {
    Session session;
    session.server.held = "headers";
    session.say(begin_message);
    session.say("A: b\r\n\r\n" + std::string(1'000'000, 'x'));
    CHECK(session.driver.unread() == 1'000'000);
    CHECK_FALSE(session.engine->wants_input());
    CHECK(session.engine->memory() < 10'000);
}

TEST_CASE("a client that does not read is not read, and then left") {
    ServerOptions options;
    options.counted_commands_max = 1'000'000;
    Session session(options);
    session.say("EHLO c.example\r\n");
    session.driver.set_room(0);
    std::string many;
    for (int i = 0; i < 100'000; ++i) many += "NOOP\r\n";
    session.say(many);
    CHECK(session.engine->memory() < 3 * options.output_octets_max);
    CHECK(session.driver.unread() > 500'000);
    session.wait(options.progress_time - std::chrono::seconds{1});
    CHECK_FALSE(session.driver.closed());
    // Whoever takes an octet now and then may go on.
    session.driver.set_room(1);
    session.wait(options.progress_time - std::chrono::seconds{1});
    CHECK_FALSE(session.driver.closed());
    session.wait(std::chrono::seconds{1});
    CHECK(session.driver.aborted());
    CHECK(session.engine->end_reason() == EndReason::Stalled);
}

TEST_CASE("a header section without an end is refused within bounds") {
    for (const std::string_view line : {"X-Field: value that goes on and on\r\n", "x", " \r\n"}) {
        INFO(line);
        ServerOptions options;
        options.header_octets_max = 10'000;
        options.swallowed_octets_max = 100'000;
        Session session(options);
        session.say(begin_message);
        std::string piece;
        while (piece.size() < 1000) piece += line;
        for (int i = 0; i < 200 && !session.driver.closed(); ++i) session.say(piece);
        CHECK(session.driver.closed());
        CHECK(session.memory_max < 40'000);
        CHECK(session.server.log.front().starts_with("failed 552 5.3.4 Header section too large"));
    }
}

TEST_CASE("a command without an end is dropped as it comes, and then given up on") {
    for (const std::size_t piece : {1u, 1'000u, 100'000u}) {
        INFO(piece);
        Session session;
        session.say("EHLO c.example\r\n");
        session.say("NOOP " + std::string(60'000, 'x'), piece);
        CHECK_FALSE(session.driver.closed());
        CHECK(session.engine->memory() == 0);
        session.say("\r\n" + std::string(70'000, 'x'), piece);
        CHECK(session.driver.take_output().ends_with(
            "500 5.5.2 Line too long\r\n500 5.5.2 Line too long\r\n"
            "421 4.5.2 Line without an end\r\n"));
        CHECK(session.engine->end_reason() == EndReason::Junk);
        CHECK(session.memory_max < 10'000);
    }
}

TEST_CASE("an authentication line without an end is refused, and then given up on") {
    for (const std::size_t piece : {1u, 1'000u, 100'000u}) {
        INFO(piece);
        ServerOptions options;
        options.mechanisms = {"PLAIN"};
        options.auth_without_tls = ServerOptions::AuthWithoutTls::Always;
        Session session(options);
        session.say("EHLO c.example\r\nAUTH PLAIN\r\n");
        session.say(std::string(70'000, 'A'), piece);
        CHECK(session.driver.take_output().ends_with(
            "334 \r\n500 5.5.6 Authentication exchange line is too long\r\n"
            "421 4.5.2 Line without an end\r\n"));
        CHECK(session.memory_max < 20'000);
    }
}

TEST_CASE("a million recipients cost what the limit allows") {
    ServerOptions options;
    options.recipients_max = 100;
    options.refused_recipients_max = 1000;
    Session session(options);
    session.say("EHLO c.example\r\nMAIL FROM:<>\r\n");
    std::string group;
    for (int i = 0; i < 1000; ++i) group += "RCPT TO:<b@mx.example>\r\n";
    for (int i = 0; i < 1000; ++i) session.say(group);
    CHECK(session.driver.closed());
    CHECK(session.engine->recipients() == 100);
    CHECK(session.engine->end_reason() == EndReason::Errors);
    CHECK(session.memory_max < 100'000);
}

TEST_CASE("no kind of command can be sent for ever without a message") {
    for (const std::string_view command :
         {"NOOP\r\n", "RSET\r\n", "HELP\r\n", "VRFY x\r\n", "EHLO c.example\r\n", "XYZZY\r\n",
          "DATA\r\n", "BDAT 1\r\nx", "BDAT 0 LAST\r\n", "MAIL FROM:<a\r\n",
          "RCPT TO:<b@mx.example>\r\n", "MAIL FROM:<>\r\nRSET\r\n", "\r\n", "\n\r\n",
          "AUTH PLAIN\r\n*\r\n", "AUTH PLAIN\r\n\r\n", "STARTTLS x\r\n", "QUIT x\r\n",
          "MAIL FROM:<>\r\nRCPT TO:<b@mx.example>\r\nBDAT 1\r\nxRSET\r\n"}) {
        INFO(command);
        ServerOptions options;
        options.mechanisms = {"PLAIN"};
        options.auth_without_tls = ServerOptions::AuthWithoutTls::Always;
        options.refused_recipients_max = 200;
        Session session(options);
        session.say("EHLO c.example\r\n");
        for (int i = 0; i < 500 && !session.driver.closed(); ++i) session.say(command);
        CHECK(session.driver.closed());
        CHECK(session.engine->end_reason() == EndReason::Errors);
    }
}

TEST_CASE("a connection may break at every octet, and only a whole message arrives") {
    const std::string said =
        std::string(begin_message) +
        "A: b\r\n\r\n..x\r\n.\r\n"
        "MAIL FROM:<>\r\nRCPT TO:<b@mx.example>\r\nBDAT 4\r\nabcdBDAT 2 LAST\r\n\r\nQUIT\r\n";
    const auto first = said.find("\r\n.\r\n") + 5, second = said.find("QUIT");
    for (std::size_t at = 0; at <= said.size(); ++at)
        for (const bool end : {true, false}) {
            Session session;
            session.say(std::string_view(said).substr(0, at));
            if (end)
                session.driver.end();
            else
                session.driver.cut();
            INFO(at);
            CHECK(session.driver.closed());
            CHECK(session.server.messages.size() ==
                  (at >= first ? 1u : 0u) + (at >= second ? 1u : 0u));
        }
}

TEST_CASE("an answer that comes after the end is not missed") {
    Session session;
    session.server.held = "mail";
    session.say("EHLO c.example\r\nMAIL FROM:<>\r\n");
    session.engine->receive_end(session.scheduler.now());
    session.engine->accept(CommandId{3});
    session.engine->fail_body(CommandId{3}, {451, std::nullopt, "late"});
    CHECK(session.engine->end_reason() == EndReason::PeerClosed);
}
