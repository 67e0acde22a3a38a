// The driver over a pipe, in virtual time.
#include "libmailcore/net/connection.h"

#include "libmailcore/base/random.h"
#include "libmailcore/net/pipe.h"
#include "tests/catch.h"
#include "tests/net/echo.h"
#include "tests/sim/virtual_scheduler.h"

using namespace mailcore;
using namespace mailcore::net;
using namespace mailcore::net_test;
using namespace std::chrono_literals;

namespace {

/// The peer's end of a pipe, held by the test.
class Far final : public Transport::Watcher {
  public:
    explicit Far(std::unique_ptr<Transport> end) : transport(std::move(end)) {
        if (reading) transport->watch(*this, true, false);
    }
    void ready(bool, bool) override {
        char buffer[4096];
        while (reading) {
            const auto moved = transport->receive(buffer);
            if (moved.how == Transport::Moved::How::Some) {
                received.append(buffer, moved.octets);
                continue;
            }
            if (moved.how != Transport::Moved::How::Blocked) {
                ended = true;
                transport->watch(*this, false, false);
            }
            return;
        }
    }
    void say(std::string_view text) {
        const auto moved = transport->send({&text, 1});
        REQUIRE(moved.octets == text.size());
    }
    void read(bool on) {
        reading = on;
        transport->watch(*this, on, false);
    }
    std::unique_ptr<Transport> transport;
    std::string received;
    bool ended = false;
    bool reading = true;
};

struct Rig final : Connection::Owner {
    sim::VirtualScheduler scheduler;
    EchoCounts counts;
    std::unique_ptr<Far> far;
    std::unique_ptr<EchoDialogue> dialogue;
    std::unique_ptr<Connection> connection;
    int ends = 0;
    bool finished = false;

    explicit Rig(Connection::ProxyHeader proxy = Connection::ProxyHeader::None,
                 std::size_t pipe_octets = 64 * 1024) {
        auto [near, other] = make_pipe(scheduler, scheduler, pipe_octets);
        far = std::make_unique<Far>(std::move(other));
        connection = std::make_unique<Connection>(scheduler, nullptr, std::move(near), PeerInfo{},
                                                  *this, Log());
        connection->start(Connection::Begin::Plain, proxy);
        scheduler.run_ready();
    }
    ~Rig() {
        dialogue.reset();
        connection.reset();
    }
    std::string say(std::string_view text) {
        far->say(text);
        scheduler.run_ready();
        return std::exchange(far->received, {});
    }
    void advance(std::chrono::milliseconds by) { scheduler.run_until(scheduler.now() + by); }

    base::Dialogue* begin(Connection& c) override {
        dialogue = std::make_unique<EchoDialogue>(scheduler, c.peer(), c, counts);
        return dialogue.get();
    }
    std::optional<tls::Session> make_tls(Connection&, WallTime) override { return std::nullopt; }
    void ended(Connection&) override { ++ends; }
    void woken_after_end(Connection&) override { finished = dialogue->finished(); }
};

} // namespace

TEST_CASE("lines are echoed, whole or octet by octet") {
    Rig rig;
    CHECK(std::exchange(rig.far->received, {}) == "hello\n");
    CHECK(rig.say("one\ntwo\n") == "one\ntwo\n");
    std::string echoed;
    for (const char c : std::string_view("three\n")) echoed += rig.say({&c, 1});
    CHECK(echoed == "three\n");
    CHECK(rig.connection->received() == 14);
    CHECK(rig.connection->sent() == 20);
}

TEST_CASE("an answer from elsewhere goes out, and what was said meanwhile waits") {
    Rig rig;
    CHECK(rig.say("LATER\nnext\n") == "hello\nlate\nnext\n");
}

TEST_CASE("a goodbye is sent, the dialogue ends, and the peer may take its time to close") {
    Rig rig;
    CHECK(rig.say("QUIT\nignored\n") == "hello\nbye\n");
    CHECK(rig.counts.closed == 1);
    CHECK(rig.far->ended);
    CHECK(rig.ends == 0);
    rig.far->transport->finish_sending();
    rig.scheduler.run_ready();
    CHECK(rig.ends == 1);
    CHECK(rig.connection->failure().empty());
}

TEST_CASE("a peer that does not close is closed after a while") {
    Rig rig;
    rig.say("QUIT\n");
    rig.advance(1900ms);
    CHECK(rig.ends == 0);
    rig.advance(200ms);
    CHECK(rig.ends == 1);
    CHECK(rig.counts.closed == 1);
}

TEST_CASE("a peer that ends its side still hears the answer") {
    Rig rig;
    rig.far->say("question\n");
    rig.far->transport->finish_sending();
    rig.scheduler.run_ready();
    CHECK(rig.far->received == "hello\nquestion\nend\n");
    CHECK(rig.far->ended);
    CHECK(rig.ends == 1);
    CHECK(rig.counts.closed == 1);
}

TEST_CASE("a peer that vanishes ends the dialogue once") {
    Rig rig;
    rig.far.reset();
    rig.scheduler.run_ready();
    CHECK(rig.ends == 1);
    CHECK(rig.counts.closed == 1);
    rig.connection->close("again");
    rig.connection->shut_down(base::ShutdownReason::Drain);
    rig.scheduler.run_ready();
    CHECK(rig.ends == 1);
}

TEST_CASE("abort says nothing more") {
    Rig rig;
    CHECK(rig.say("one\nABORT\ntwo\n") == "hello\none\n");
    CHECK(rig.far->ended);
    CHECK(rig.ends == 1);
}

TEST_CASE("the engine's deadline is kept") {
    Rig rig;
    rig.advance(59s);
    CHECK(rig.say("still here\n") == "hello\nstill here\n");
    rig.advance(59s);
    CHECK(rig.ends == 0);
    rig.advance(2s);
    CHECK(rig.far->received == "timeout\n");
    CHECK(rig.counts.closed == 1);
    // The timers of many exchanges are one.
    CHECK(rig.scheduler.timers() <= 1);
}

TEST_CASE("a peer that does not read is not read either, and is cut by the engine's deadline") {
    Rig rig(Connection::ProxyHeader::None, 4096);
    rig.far->read(false);
    rig.far->say("GIVE 10000000\nmore\n");
    rig.scheduler.run_ready();
    CHECK(rig.connection->memory() < 300'000);
    std::size_t said = 0;
    for (int i = 0; i < 1000; ++i) {
        const std::string_view line = "flood\n";
        said += rig.far->transport->send({&line, 1}).octets;
        rig.scheduler.run_ready();
    }
    CHECK(said <= 4096);
    CHECK(rig.connection->memory() < 300'000);
    rig.advance(61s);
    CHECK(rig.ends == 1);
}

TEST_CASE("a large answer arrives whole through a small pipe") {
    Rig rig(Connection::ProxyHeader::None, 100);
    rig.far->say("GIVE 1000000\nnext\n");
    rig.advance(1s);
    CHECK(rig.far->received.size() == 6 + 1'000'000 + 1 + 5);
    CHECK(rig.far->received.ends_with("x\nnext\n"));
}

TEST_CASE("shut down says goodbye") {
    Rig rig;
    rig.connection->shut_down(base::ShutdownReason::Drain);
    rig.scheduler.run_ready();
    CHECK(rig.far->received == "hello\ngoing down\n");
    CHECK(rig.counts.closed == 1);
}

TEST_CASE("a dialogue that is not finished at the end says when it is") {
    Rig rig;
    rig.far->say("LATER\n");
    rig.far->transport.reset();
    // The answer of the worker comes when the connection is gone.
    rig.scheduler.run_ready();
    CHECK(rig.counts.closed == 1);
    CHECK(rig.ends == 1);
    CHECK(rig.dialogue->finished());
}

TEST_CASE("without a dialogue the connection closes") {
    sim::VirtualScheduler scheduler;
    struct Refuses final : Connection::Owner {
        int ends = 0;
        base::Dialogue* begin(Connection&) override { return nullptr; }
        std::optional<tls::Session> make_tls(Connection&, WallTime) override {
            return std::nullopt;
        }
        void ended(Connection&) override { ++ends; }
    } owner;
    for (const auto begin : {Connection::Begin::Plain, Connection::Begin::Tls}) {
        auto [near, other] = make_pipe(scheduler, scheduler);
        Connection connection(scheduler, nullptr, std::move(near), PeerInfo{}, owner, Log());
        connection.start(begin);
        CHECK(connection.has_ended());
    }
    CHECK(owner.ends == 2);
}

TEST_CASE("a PROXY header names the peer, in any pieces") {
    const std::string header = "PROXY TCP4 192.0.2.1 192.0.2.2 56324 25\r\n";
    for (const std::size_t cut :
         {std::size_t{0}, std::size_t{1}, std::size_t{20}, header.size() - 1, header.size()}) {
        INFO(cut);
        Rig rig(Connection::ProxyHeader::Expected);
        CHECK(rig.far->received.empty());
        if (cut > 0) rig.say(header.substr(0, cut));
        rig.far->received.clear();
        const auto answer = rig.say(header.substr(cut) + "line\n");
        CHECK((answer == "hello\nline\n" || (cut == header.size() && answer == "line\n")));
        CHECK(rig.connection->peer().address.to_string() == "192.0.2.1");
        CHECK(rig.connection->peer().port == 56324);
    }
}

TEST_CASE("a missing, malformed or slow PROXY header closes the connection") {
    for (const std::string_view octets : {"EHLO a\r\n", "PROXY TCP4 x\r\n", "\r\n\r\nx"}) {
        Rig rig(Connection::ProxyHeader::Expected);
        CHECK(rig.say(octets).empty());
        CHECK(rig.ends == 1);
        CHECK(rig.counts.created == 0);
    }
    Rig slow(Connection::ProxyHeader::Expected);
    slow.say("PROXY");
    slow.advance(31s);
    CHECK(slow.ends == 1);
    Rig gone(Connection::ProxyHeader::Expected);
    gone.far->say("PROXY");
    gone.far.reset();
    gone.scheduler.run_ready();
    CHECK(gone.ends == 1);
}

TEST_CASE("a connection is destroyed at any time without a word") {
    for (const std::string_view before : {"", "half a li", "LATER\n", "GIVE 100000\n", "QUIT\n"}) {
        Rig rig;
        if (!before.empty()) rig.far->say(before);
        rig.connection->wake();
        rig.connection.reset();
        rig.dialogue.reset();
        rig.scheduler.run_until(rig.scheduler.now() + 2min);
    }
}

TEST_CASE("a disconnection at every position ends the dialogue once") {
    const std::string_view script = "one\nGIVE 5000\nLATER\ntwo\nQUIT\n";
    for (std::size_t cut = 0; cut <= script.size(); ++cut) {
        INFO(cut);
        Rig rig(Connection::ProxyHeader::None, 1000);
        if (cut > 0) rig.far->say(script.substr(0, cut));
        rig.scheduler.run_ready();
        rig.far.reset();
        rig.advance(5s);
        CHECK(rig.ends == 1);
        CHECK(rig.counts.closed == 1);
        CHECK(rig.dialogue->finished());
    }
}
