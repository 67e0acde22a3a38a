// The whole server over real sockets of this machine: start, reload, stop.
#include "libmailcore/server/server.h"

#include "libmailcore/base/random.h"
#include "libmailcore/crypto/certificate.h"
#include "libmailcore/server/config_keys.h"
#include "tests/catch.h"
#include "tests/net/peer.h"
#include "tests/temporary_folder.h"

#include <algorithm>
#include <fstream>
#include <future>
#include <mutex>
#include <sys/stat.h>

using namespace mailcore;
using namespace std::chrono_literals;
using net_test::Peer;
using server::Config;
using server::Server;
using server::ServiceKind;

namespace {

struct Events final : base::LogSink {
    void write(const base::LogEvent& event) override {
        const std::scoped_lock lock(mutex);
        ids.emplace_back(event.id);
    }
    bool has(std::string_view id) {
        const std::scoped_lock lock(mutex);
        return std::ranges::find(ids, id) != ids.end();
    }
    std::mutex mutex;
    std::vector<std::string> ids;
};

/// A configuration in a folder of its own, on ports that are free.
struct Place {
    Place() {
        config.data = folder.path();
        config.in_memory = true;
        config.hostname = "mx.example.test";
        config.loops = 1;
        config.workers = 1;
        config.drain_time = 2s;
        config.dns_servers = {"127.0.0.1:9"}; // nobody answers there
        config.listen.push_back({ServiceKind::Smtp, {"127.0.0.1"}, 0, "", false});
    }
    void certify(WallTime from, WallTime until) {
        base::SystemRandom random;
        crypto::SelfSignedRequest request;
        request.host_names = {"mx.example.test"};
        request.not_before = from;
        request.not_after = until;
        const auto made = crypto::make_self_signed(request, random).value();
        std::ofstream(folder.path() + "/cert.pem") << made.certificate_pem;
        std::ofstream(folder.path() + "/key.pem") << made.private_key_pem.reveal();
        config.certificates = {{"cert.pem", "key.pem"}};
    }
    std::unique_ptr<Server> start() {
        Server::Parts parts;
        parts.log = &events;
        auto server = Server::create(config, std::move(parts));
        REQUIRE(server);
        const auto started = (*server)->start();
        if (!started) FAIL(started.error().detail);
        return std::move(*server);
    }
    test::TemporaryFolder folder;
    Config config;
    Events events;
};

std::uint16_t port(const Server& server, std::size_t index = 0) {
    return server.endpoints().at(index).bound.local_port;
}

} // namespace

TEST_CASE("a server without a name is none") {
    Config config;
    const auto made = Server::create(config);
    REQUIRE_FALSE(made);
    CHECK(made.error().kind == ErrorKind::Rejected);
}

TEST_CASE("a port in use is told before anything else is touched") {
    Place first;
    auto server = first.start();
    Place second;
    second.config.listen[0].port = port(*server);
    const auto made = Server::create(second.config);
    REQUIRE_FALSE(made);
    CHECK(made.error().kind == ErrorKind::Conflict);
    CHECK(made.error().detail.starts_with("smtp: "));
    CHECK(Peer(port(*server)).line().starts_with("220 mx.example.test "));
}

TEST_CASE("an address that is none is refused") {
    Place place;
    place.config.listen[0].addresses = {"localhost"};
    const auto made = Server::create(place.config);
    REQUIRE_FALSE(made);
    CHECK(made.error().detail == "listen: not an address: localhost");
}

TEST_CASE(
    "a certificate that cannot be read fails the start, or the reload, which changes nothing") {
    Place place;
    place.config.certificates = {{"missing.pem", "missing.key"}};
    auto made = Server::create(place.config);
    REQUIRE(made);
    CHECK_FALSE((*made)->start());

    Place good;
    auto server = good.start();
    auto next = good.config;
    next.certificates = {{"missing.pem", "missing.key"}};
    CHECK_FALSE(server->reload(next));
    CHECK_FALSE(good.events.has("server.reloaded"));
    std::ofstream(good.folder.path() + "/cert.pem") << "no certificate\n";
    next.certificates = {{"cert.pem", "cert.pem"}};
    CHECK_FALSE(server->reload(next));
    CHECK(Peer(port(*server)).line().starts_with("220 "));
}

TEST_CASE("a reload is for new connections, drops none, and names what waits for the next start") {
    Place place;
    auto server = place.start();
    Peer before(port(*server));
    CHECK(before.line().starts_with("220 "));
    auto next = place.config;
    next.message_octets_max = 12'345;
    next.loops = 7;
    next.memory_max = 100'000'000;
    const auto unchanged = server->reload(next);
    REQUIRE(unchanged);
    CHECK(unchanged->size() == 2);
    Peer after(port(*server));
    CHECK(after.line().starts_with("220 "));
    const auto size = [](Peer& peer) {
        peer.send("EHLO client.example.org\r\n");
        std::string found;
        for (std::string line = peer.line(); line.starts_with("250"); line = peer.line()) {
            if (line.substr(4).starts_with("SIZE")) found = line.substr(4);
            if (line[3] == ' ') break;
        }
        return found;
    };
    CHECK(size(after).starts_with("SIZE 12345"));
    CHECK(size(before).starts_with("SIZE " + std::to_string(place.config.message_octets_max)));
}

TEST_CASE("an expired certificate is served and warned of") {
    base::SystemClock clock;
    const auto now = clock.wall_now();
    struct Case {
        std::chrono::hours from, until;
        const char* warning;
    };
    for (const auto& c : {Case{-48h, -24h, "expired"}, Case{-48h, 24h, "expires"},
                          Case{24h, 24h * 300, "valid"}, Case{-48h, 24h * 300, ""}}) {
        INFO(c.from.count() << " to " << c.until.count());
        Place place;
        place.certify(now + c.from, now + c.until);
        auto server = place.start();
        std::string told; // but that it is self-signed, which all of these are
        for (const auto& warning : server->warnings())
            if (!warning.contains("self-signed")) told += warning + "\n";
        CHECK(told.contains(c.warning));
        CHECK(told.empty() == std::string_view(c.warning).empty());
        CHECK(place.events.has("tls.certificate"));
        Peer peer(port(*server));
        CHECK(peer.line().starts_with("220 "));
        peer.send("EHLO client.example.org\r\n");
        bool offered = false;
        for (std::string line = peer.line(); line.starts_with("250"); line = peer.line()) {
            offered = offered || line.substr(4).starts_with("STARTTLS");
            if (line[3] == ' ') break;
        }
        CHECK(offered);
    }
    Place none;
    CHECK(none.start()->warnings() ==
          std::vector<std::string>{"no certificate: TLS is not offered"});
}

TEST_CASE("a service under TLS without a certificate is left out and told") {
    Place place;
    place.config.listen.push_back({ServiceKind::Imaps, {"127.0.0.1"}, 0, "", false});
    auto server = place.start();
    CHECK(place.events.has("server.no_certificate"));
    CHECK(Peer(port(*server)).line().starts_with("220 "));
}

TEST_CASE("stopping says goodbye to the idle and lets a message that is coming in finish") {
    Place place;
    place.config.relay_networks = {"127.0.0.0/8"};
    auto server = place.start();
    Peer idle(port(*server)), busy(port(*server));
    CHECK(idle.line().starts_with("220 "));
    CHECK(busy.line().starts_with("220 "));
    for (const char* line : {"HELO client.example.org\r\n", "MAIL FROM:<x@example.org>\r\n",
                             "RCPT TO:<y@example.org>\r\n", "DATA\r\n"}) {
        busy.send(line);
        const auto reply = busy.line();
        INFO(reply);
        CHECK((reply.starts_with("250") || reply.starts_with("354")));
    }
    busy.send("Subject: on its way\r\n\r\nfirst half\r\n");
    const auto number = port(*server);
    auto stopped = std::async(std::launch::async, [&] { server->stop(); });
    CHECK(idle.line().starts_with("421 "));
    CHECK(idle.line() == "<end>");
    busy.send("second half\r\n.\r\n");
    CHECK(busy.line().starts_with("250 "));
    CHECK(busy.line().starts_with("421 "));
    CHECK(stopped.wait_for(10s) == std::future_status::ready);
    CHECK(place.events.has("server.stopped"));
    server->stop(); // a second time does nothing
    // The port is free again.
    Place again;
    again.config.listen[0].port = number;
    CHECK(again.start());
}

TEST_CASE("who does not leave in time is closed") {
    Place place;
    place.config.drain_time = 0s;
    auto server = place.start();
    Peer busy(port(*server));
    CHECK(busy.line().starts_with("220 "));
    busy.send("HELO x.example\r\nMAIL FROM:<x@example.org>\r\n");
    auto stopped = std::async(std::launch::async, [&] { server->stop(); });
    CHECK(stopped.wait_for(10s) == std::future_status::ready);
}

TEST_CASE("only its owner may open the control socket, and it answers there") {
    Place place;
    place.config.in_memory = false;
    place.config.index_octets_max = 64 * 1024 * 1024;
    auto server = place.start();
    const auto path = place.folder.path() + "/control.sock";
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    Peer peer(path);
    peer.send("{\"method\":\"status\"}\r\n");
    CHECK(peer.line().contains("\"hostname\":\"mx.example.test\""));
    peer.send("{\"method\":\"reload\"}\r\n");
    CHECK(peer.line().contains("\"kind\":\"rejected\"")); // this host has no settings file
    // One process owns a store.
    Place other;
    other.config.data = place.folder.path();
    other.config.in_memory = false;
    other.config.control_socket = "other.sock";
    auto second = Server::create(other.config);
    REQUIRE(second);
    CHECK_FALSE((*second)->start());
    server->stop();
    CHECK(::stat(path.c_str(), &status) != 0);
}

TEST_CASE("a program asks for what the control socket does, from any thread") {
    Place place;
    const auto server = place.start();
    const auto status = server->call("status", "");
    REQUIRE(status);
    CHECK(status->find("mx.example.test") != std::string::npos);
    CHECK(server->call("domain.add", R"({"name": "example.test"})"));
    const auto twice = server->call("domain.add", R"({"name": "example.test"})");
    REQUIRE_FALSE(twice);
    CHECK(twice.error().kind == ErrorKind::Conflict);
    CHECK(server->call("no.such", "{}").error().kind == ErrorKind::NotFound);
    CHECK(server->call("status", "[]").error().kind == ErrorKind::Rejected);
    std::vector<std::future<bool>> threads;
    for (int i = 0; i < 8; ++i)
        threads.push_back(std::async(std::launch::async, [&] {
            for (int k = 0; k < 20; ++k)
                if (!server->call("metrics", "{}")) return false;
            return true;
        }));
    for (auto& each : threads) CHECK(each.get());
    server->stop();
    CHECK(server->call("status", "").error().kind == ErrorKind::Unavailable);
}

TEST_CASE("who asks while the server ends is answered") {
    Place place;
    const auto server = place.start();
    std::promise<void> asked;
    auto asking = std::async(std::launch::async, [&] {
        asked.set_value();
        while (server->call("status", "")) {
        }
        return server->call("status", "").error().kind;
    });
    asked.get_future().wait();
    server->stop();
    CHECK(asking.get() == ErrorKind::Unavailable);
}

TEST_CASE("changes of mailboxes are told after they were made") {
    Place place;
    std::promise<store::Change> told;
    std::once_flag once;
    Server::Parts parts;
    parts.changed = [&](const store::Change& change) {
        std::call_once(once, [&] { told.set_value(change); });
    };
    auto created = Server::create(place.config, std::move(parts));
    REQUIRE(created);
    REQUIRE((*created)->start());
    REQUIRE((*created)->call("domain.add", R"({"name": "example.test"})"));
    REQUIRE((*created)->call("account.add",
                             R"({"address": "an@example.test", "password": "correct horse"})"));
    const auto change = told.get_future().get();
    CHECK(change.account.value != 0);
    CHECK(change.modseq.value != 0);
}
