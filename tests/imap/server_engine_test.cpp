#include "libmailcore/imap/server_engine.h"

#include "tests/catch.h"
#include "tests/imap/memory_account.h"
#include "tests/sim/driver.h"

#include <fmt/format.h>

using namespace mailcore;
using namespace mailcore::imap;

namespace {

struct World {
    sim::VirtualScheduler scheduler;
    MemoryAccounts accounts;
    sim::Driver driver{scheduler};

    explicit World(Options options = {}) {
        accounts["jo"].password = "pw";
        options.plaintext_without_tls = true;
        driver.start(
            std::make_unique<MemoryDialogue>(accounts, options, PeerInfo{}, driver, scheduler));
    }
    void add(std::string octets) {
        auto& account = accounts["jo"];
        account.add(account.mailboxes["INBOX"], {}, {},
                    std::make_shared<std::string>(std::move(octets)));
    }
    std::string say(std::string_view octets) {
        driver.offer(octets);
        scheduler.run_ready();
        return driver.take_output();
    }
};

} // namespace

TEST_CASE("an idle connection holds no buffer") {
    World world;
    world.add("Subject: x\r\n\r\nbody\r\n");
    world.say("a LOGIN jo pw\r\nb SELECT INBOX\r\nc FETCH 1 (ENVELOPE BODY[])\r\n");
    CHECK(world.driver.engine().memory() == 0);
    world.say("d IDLE\r\n");
    CHECK(world.driver.engine().memory() == 0);
    world.say("DONE\r\ne LOGIN {100}\r\n");
    CHECK(world.driver.engine().memory() == 0);
    world.say("f STATUS {100}\r\n");
    CHECK(world.driver.engine().memory() < 1000);
}

TEST_CASE("a slow reader does not make a large message grow in memory") {
    World world;
    world.add("Subject: x\r\n\r\n" + std::string(10'000'000, 'x') + "\r\n");
    world.say("a LOGIN jo pw\r\nb SELECT INBOX\r\n");
    world.driver.set_room(0);
    world.say("c FETCH 1 BODY.PEEK[]\r\n");
    CHECK(world.driver.engine().memory() <
          1'000'000); // the reference owner answers 13 octets at a time
    CHECK_FALSE(world.driver.engine().wants_input());
    for (int i = 0; i < 100; ++i) {
        world.driver.set_room(1000);
        REQUIRE(world.driver.engine().memory() < 1'000'000);
    }
    world.driver.set_room(std::nullopt);
    CHECK(world.driver.take_output().size() > 10'000'000);
    CHECK(world.driver.engine().memory() == 0);
}

TEST_CASE("a large FETCH waits for room instead of being said at once") {
    World world;
    for (int i = 0; i < 5000; ++i) world.add(fmt::format("Subject: {}\r\n\r\n", i));
    world.say("a LOGIN jo pw\r\nb SELECT INBOX\r\n");
    world.driver.set_room(0);
    world.say("c FETCH 1:* (FLAGS ENVELOPE)\r\n");
    CHECK(world.driver.engine().memory() < 200'000);
    world.driver.set_room(std::nullopt);
    const auto output = world.driver.take_output();
    CHECK(output.find("* 5000 FETCH") != std::string::npos);
    CHECK(output.ends_with("c OK FETCH completed\r\n"));
}

TEST_CASE("a message of many chunks arrives whole and is not kept by the engine") {
    World world;
    world.say("a LOGIN jo pw\r\n");
    const std::string message(3'000'000, 'm');
    CHECK(world.say(fmt::format("b APPEND INBOX {{{}}}\r\n", message.size())).starts_with("+ "));
    for (std::size_t at = 0; at < message.size(); at += 10'000) {
        CHECK(world.say(std::string_view(message).substr(at, 10'000)).empty());
        REQUIRE(world.driver.engine().memory() == 0);
    }
    CHECK(world.say("\r\n").starts_with("b OK [APPENDUID"));
    CHECK(*world.accounts["jo"].mailboxes["INBOX"].messages.front().octets == message);
}

TEST_CASE("an answer that comes after the command was aborted is dropped") {
    Options options;
    options.plaintext_without_tls = true;
    options.mechanisms = {"PLAIN"};
    const base::Instant start{};
    ServerEngine engine(options, PeerInfo{}, start);
    engine.receive("a AUTHENTICATE PLAIN\r\n", start);
    const auto id = std::get<CommandReceived>(*engine.next_event()).id;
    engine.challenge(id, "");
    engine.receive("*\r\n", start);
    engine.reply(id, ok("too late"));
    engine.challenge(id, "too late");
    CHECK(std::holds_alternative<Aborted>(*engine.next_event()));
    CHECK(engine.state() == State::NotAuthenticated);
    std::string output;
    for (const auto piece : engine.output()) output += piece;
    CHECK(output.find("too late") == std::string::npos);
    CHECK(output.ends_with("a BAD Authentication cancelled\r\n"));
}

TEST_CASE("a peer that takes nothing of what is said is cut off") {
    World world;
    world.say("a LOGIN jo pw\r\n");
    world.driver.set_room(0);
    world.say("b CAPABILITY\r\n");
    world.scheduler.run_until(world.scheduler.now() + std::chrono::seconds{299});
    CHECK_FALSE(world.driver.closed());
    world.scheduler.run_until(world.scheduler.now() + std::chrono::seconds{400});
    CHECK(world.driver.aborted());
}

TEST_CASE("a peer that stops in the middle of a message is told so") {
    World world;
    world.say("a LOGIN jo pw\r\n");
    world.say("b APPEND INBOX {10}\r\n");
    world.say("1234");
    world.scheduler.run_until(world.scheduler.now() + std::chrono::seconds{301});
    CHECK(world.driver.take_output() == "* BYE The message takes too long\r\n");
    CHECK(world.driver.closed());
    CHECK(world.accounts["jo"].mailboxes["INBOX"].messages.empty());
}

TEST_CASE("a message that trickles in is given up") {
    World world;
    world.say("a LOGIN jo pw\r\n");
    world.say("b APPEND INBOX {10000}\r\n");
    int said = 0;
    for (; !world.driver.closed() && said < 10'000; ++said) {
        world.say("x");
        world.scheduler.run_until(world.scheduler.now() + std::chrono::seconds{1});
    }
    CHECK(said >= 300);
    CHECK(said < 400);
}

TEST_CASE("an owner that does not drain is not fed") {
    Options options;
    const base::Instant now{};
    ServerEngine engine(options, PeerInfo{}, now);
    std::string commands;
    for (int i = 0; i < 1000; ++i) commands += "a ID (\"name\" \"x\")\r\n";
    const auto taken = engine.receive(commands, now);
    CHECK(taken < 1000);
    CHECK_FALSE(engine.wants_input());
    while (engine.next_event()) {
    }
    CHECK(engine.wants_input());
}

TEST_CASE("draining says goodbye at the next safe point") {
    World idle;
    idle.say("a LOGIN jo pw\r\nb IDLE\r\n");
    idle.driver.engine().shut_down(base::ShutdownReason::Drain, idle.scheduler.now());
    idle.driver.wake();
    CHECK(idle.driver.take_output() == "* BYE [UNAVAILABLE] Server is going down\r\n");
    CHECK(idle.driver.closed());

    World busy;
    busy.say("a LOGIN jo pw\r\n");
    busy.say("b APPEND INBOX {4}\r\n");
    busy.driver.engine().shut_down(base::ShutdownReason::Drain, busy.scheduler.now());
    const auto said = busy.say("abcd\r\nc NOOP\r\n");
    CHECK(said.starts_with("b OK "));
    CHECK(said.ends_with("* BYE [UNAVAILABLE] Server is going down\r\n"));
    CHECK(busy.driver.closed());
}

TEST_CASE("a connection that breaks in the middle of anything leaves nothing behind") {
    static constexpr std::string_view script =
        "a LOGIN jo pw\r\nb SELECT INBOX\r\nc APPEND INBOX {4+}\r\nabcd\r\nd IDLE\r\nDONE\r\n"
        "e FETCH 1:* (BODY[] FLAGS)\r\nf STORE 1 +FLAGS (\\Deleted)\r\ng EXPUNGE\r\nh LOGOUT\r\n";
    for (const bool end : {false, true})
        for (std::size_t at = 0; at <= script.size(); ++at) {
            World world;
            world.add("Subject: x\r\n\r\nmore than twenty-four octets of body\r\n");
            world.driver.offer(script.substr(0, at));
            if (end)
                world.driver.end();
            else
                world.driver.cut();
            world.scheduler.run_ready();
            REQUIRE(world.driver.closed());
            REQUIRE(world.accounts["jo"].sessions.empty());
        }
}
