#include "libmailcore/smtp/client_engine.h"

#include "tests/catch.h"
#include "tests/sim/driver.h"
#include "tests/smtp/memory_client.h"

using namespace mailcore;
using namespace mailcore::smtp;

namespace {

/// A client and the server that a test plays by hand.
struct Session {
    explicit Session(const ClientOptions& options = {}) : driver(scheduler) {
        auto owned = std::make_unique<MemoryClientDialogue>(options, PeerInfo{}, scheduler.now());
        dialogue = owned.get();
        driver.start(std::move(owned));
    }
    void say(std::string_view octets) {
        driver.offer(octets);
        scheduler.run_ready();
    }
    void ready() { say("220 mx\r\n250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n"); }
    ClientEngine& engine() { return dialogue->client_engine(); }

    sim::VirtualScheduler scheduler;
    sim::Driver driver;
    MemoryClientDialogue* dialogue;
};

OutgoingMessage message(std::size_t recipients, std::string octets) {
    OutgoingMessage message;
    message.envelope.sender = Path{{"a", "c.example"}};
    for (std::size_t i = 0; i < recipients; ++i)
        message.envelope.recipients.push_back({Path{{"b" + std::to_string(i), "mx.example"}}, {}});
    message.octets = std::move(octets);
    return message;
}

} // namespace

TEST_CASE("a client's connection at rest holds no buffer") {
    Session session;
    CHECK(session.engine().memory() == 0);
    const auto say = [&](std::string_view octets) {
        for (const char c : octets) session.say({&c, 1});
    };
    say("220 a greeting that is long\r\n250-mx.example and more\r\n250 PIPELINING\r\n");
    CHECK(session.engine().memory() == 0);
    session.dialogue->send(message(1, "A: b\r\n"));
    session.driver.wake();
    say("250 sender is fine with us\r\n250 recipient too\r\n354 go on\r\n");
    say("250 2.0.0 got it all, thank you\r\n");
    CHECK(session.dialogue->done.size() == 1);
    CHECK(session.engine().memory() == 0);
}

TEST_CASE("a server that does not read gets no more than the bound, and then is left") {
    for (const bool chunking : {false, true}) {
        ClientOptions options;
        options.chunking = chunking;
        Session session(options);
        session.ready();
        session.dialogue->send(message(1, std::string(10'000'000, '\n')));
        session.driver.wake();
        session.driver.set_room(0);
        session.say(chunking ? "250 ok\r\n250 ok\r\n" : "250 ok\r\n250 ok\r\n354 go\r\n");
        CHECK(session.engine().memory() < 500'000);
        session.scheduler.run_until(session.scheduler.now() + 3 * options.block_time);
        CHECK(session.driver.aborted());
        REQUIRE(session.dialogue->ended);
        CHECK(session.dialogue->ended->problem == Problem::Stalled);
        REQUIRE(session.dialogue->done.size() == 1);
        CHECK(session.dialogue->done[0].recipients[0].problem == Problem::Stalled);
    }
}

TEST_CASE("many recipients are sent in groups that a server can keep") {
    Session session;
    session.ready();
    CHECK(session.driver.take_output().starts_with("EHLO "));
    session.dialogue->send(message(10'000, "A: b\r\n"));
    session.driver.wake();
    std::size_t written = 0, answered = 0, under_way_max = 0;
    while (session.dialogue->done.empty()) {
        const auto out = session.driver.take_output();
        for (std::size_t at = 0; (at = out.find("\r\n", at)) != std::string::npos; ++at) ++written;
        REQUIRE(answered < 20'000);
        under_way_max = std::max(under_way_max, written - answered);
        ++answered;
        session.say(answered == 2 ? "550 no\r\n" : "250 ok\r\n");
    }
    CHECK(under_way_max <= 257);
    const auto& results = session.dialogue->done[0].recipients;
    CHECK_FALSE(results[0].delivered());
    CHECK(results[0].stage == Stage::Rcpt);
    CHECK(results[9'999].delivered());
}

TEST_CASE("what is begun on a connection that has ended fails at once, in front of the end") {
    auto engine = ClientEngine(std::make_shared<const ClientOptions>(), PeerInfo{}, Instant{});
    engine.receive("220 mx\r\n", Instant{});
    engine.output_sent(engine.output()[0].size(), Instant{});
    engine.receive("250 mx\r\n", Instant{});
    CHECK(std::holds_alternative<Ready>(*engine.next_event()));
    engine.receive_end(Instant{});
    CHECK_FALSE(engine.idle());
    const auto id = engine.send(message(2, "").envelope);
    auto event = *engine.next_event();
    CHECK(std::get<TransactionDone>(event).id == id);
    CHECK(std::get<TransactionDone>(event).recipients.size() == 2);
    engine.quit();
    engine.body(id, "late", true);
    engine.body_failed(id);
    engine.cancel(engine.authenticate("PLAIN", std::nullopt));
    CHECK(std::holds_alternative<AuthDone>(*engine.next_event()));
    event = *engine.next_event();
    CHECK(std::get<Ended>(event).problem == Problem::PeerClosed);
    CHECK_FALSE(engine.next_event());
    CHECK(engine.next() == base::Engine::Next::CloseFlushed);
}

TEST_CASE("a server's replies without end are given up on within bounds") {
    for (const std::string_view octets : {"250-x\r\n", "x", "250-\r\n", "\r\n", "220 again\r\n"}) {
        INFO(octets);
        Session session;
        std::string piece;
        while (piece.size() < 1000) piece += octets;
        session.say("220 mx\r\n");
        for (int i = 0; i < 1000 && !session.driver.closed(); ++i) {
            session.say(piece);
            REQUIRE((session.driver.closed() || session.engine().memory() < 100'000));
        }
        CHECK(session.driver.closed());
    }
}

TEST_CASE("a server may say anything at any time") {
    // Every reply in every place of a conversation: one transaction, one end, nothing more.
    static constexpr std::string_view replies[] = {
        "220 a\r\n", "250 a\r\n", "250-a\r\n250 CHUNKING\r\n",
        "334 \r\n",  "354 a\r\n", "421 bye\r\n",
        "450 a\r\n", "550 a\r\n", "junk\r\n",
        "503 a\r\n"};
    const std::vector<std::string_view> usual = {"220 a\r\n", "250-a\r\n250 PIPELINING\r\n",
                                                 "250 a\r\n", "250 a\r\n",
                                                 "354 a\r\n", "250 a\r\n",
                                                 "221 a\r\n"};
    for (std::size_t place = 0; place < usual.size(); ++place)
        for (const auto first : replies)
            for (const auto second : replies) {
                Session session;
                session.dialogue->send(message(1, "A: b\r\n"));
                session.dialogue->quit();
                for (std::size_t i = 0; i < place; ++i) session.say(usual[i]);
                session.say(first);
                session.say(second);
                session.driver.end();
                session.scheduler.run_until(session.scheduler.now() + std::chrono::hours{2});
                INFO(place << " " << first << second);
                CHECK(session.driver.closed());
                REQUIRE(session.dialogue->ended);
                CHECK(session.dialogue->done.size() <= 1);
                if (!session.dialogue->done.empty())
                    CHECK(session.dialogue->done[0].recipients.size() == 1);
            }
}
