// Listeners, ceilings and drains over real sockets on the loopback.
#include "libmailcore/net/acceptor.h"

#include "libmailcore/crypto/certificate.h"
#include "libmailcore/net/pipe.h"
#include "tests/catch.h"
#include "tests/net/peer.h"

#include <fcntl.h>
#include <fstream>
#include <malloc.h>
#include <mutex>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace mailcore;
using namespace mailcore::net;
using namespace mailcore::net_test;
using namespace std::chrono_literals;

namespace {

base::SystemRandom randomness;
base::SystemClock system_clock;

std::shared_ptr<TlsServer> tls_server() {
    crypto::SelfSignedRequest request;
    request.host_names = {"localhost"};
    request.not_before = system_clock.wall_now() - std::chrono::hours(1);
    request.not_after = system_clock.wall_now() + std::chrono::hours(24);
    tls::ServerOptions options;
    options.certificates.push_back(*crypto::make_self_signed(request, randomness));
    return std::make_shared<TlsServer>(
        *tls::ServerCredentials::create(std::move(options), randomness));
}

std::shared_ptr<tls::ClientContext> tls_client() {
    return *tls::ClientContext::create({}, randomness);
}

/// As many descriptors as the system lets us have.
void raise_descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Memory as a test says it is.
struct SetMemory final : base::MemoryMeter {
    std::uint64_t used() override { return shed && shed() ? 0 : octets.load(); }
    void give_back() override {}
    std::atomic<std::uint64_t> octets = 0;
    std::function<bool()> shed; // all is well once it says so; empty: never
};

/// A folder of its own that goes with the test.
struct Folder {
    std::string path = "/tmp/mailcore-net-XXXXXX";
    Folder() { REQUIRE(::mkdtemp(path.data())); }
    ~Folder() { ::rmdir(path.c_str()); }
};

} // namespace

TEST_CASE("a service is reached over IPv4, IPv6 and a UNIX socket") {
    EchoServer server;
    server.service->connection.linger_time = 50ms;
    Folder folder;
    const auto path = folder.path + "/socket";
    const auto port = server.listen();
    CHECK(port != 0);
    REQUIRE(server.acceptor->listen(UnixEndpoint{path, 0600}, server.service));
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    Peer tcp(port);
    Peer local(path);
    for (auto* peer : {&tcp, &local}) {
        CHECK(peer->line() == "hello");
        CHECK(peer->send("one\nLATER\nQUIT\n"));
        CHECK(peer->line() == "one");
        CHECK(peer->line() == "late");
        CHECK(peer->line() == "bye");
        CHECK(peer->line() == "<end>");
    }
    const auto v6 =
        server.acceptor->listen(TcpEndpoint{*IpAddress::parse("::1"), 0}, server.service);
    if (v6) CHECK(v6->bound.local_address.to_string() == "::1");
    CHECK(server.drain(1s));
    CHECK(::stat(path.c_str(), &status) != 0); // the socket went with its listener
}

TEST_CASE("what cannot be listened on is said at once") {
    EchoServer server;
    Folder folder;
    const auto port = server.listen();
    const auto again =
        server.acceptor->listen(TcpEndpoint{*IpAddress::parse("127.0.0.1"), port}, server.service);
    REQUIRE_FALSE(again);
    CHECK(again.error().kind == ErrorKind::Conflict);
    CHECK(again.error().detail.find("127.0.0.1:" + std::to_string(port)) != std::string::npos);
    CHECK_FALSE(
        server.acceptor->listen(TcpEndpoint{*IpAddress::parse("192.0.2.1"), 0}, server.service));
    CHECK_FALSE(server.acceptor->listen(GivenEndpoint{-1}, server.service));
    CHECK_FALSE(server.acceptor->listen(UnixEndpoint{std::string(200, 'x')}, server.service));
    CHECK_FALSE(server.acceptor->listen(UnixEndpoint{folder.path + "/no/socket"}, server.service));

    const auto file = folder.path + "/file";
    std::ofstream(file) << "mail";
    const auto taken = server.acceptor->listen(UnixEndpoint{file}, server.service);
    CHECK(taken.error().kind == ErrorKind::Conflict);
    ::unlink(file.c_str());

    const auto path = folder.path + "/socket";
    auto first = ListeningSocket::open(UnixEndpoint{path});
    REQUIRE(first);
    CHECK(ListeningSocket::open(UnixEndpoint{path}).error().kind == ErrorKind::Conflict);
    // A process that was killed leaves its socket behind.
    const auto stale = folder.path + "/stale";
    {
        sockaddr_un to{};
        to.sun_family = AF_UNIX;
        std::memcpy(to.sun_path, stale.data(), stale.size());
        const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
        REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
        ::close(fd);
    }
    CHECK(ListeningSocket::open(UnixEndpoint{stale}));
}

TEST_CASE("a given descriptor is taken over, if it listens") {
    EchoServer server;
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const auto refused = server.acceptor->listen(GivenEndpoint{fd}, server.service);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Rejected);
    REQUIRE(::listen(fd, 5) == 0);
    const auto listening = server.acceptor->listen(GivenEndpoint{fd}, server.service);
    REQUIRE(listening);
    Peer peer(listening->bound.local_port);
    CHECK(peer.line() == "hello");
}

TEST_CASE("connections are spread over the loops, listed, and told to go") {
    EchoServer server;
    const auto port = server.listen();
    std::vector<Peer> peers;
    for (int i = 0; i < 10; ++i) {
        peers.emplace_back(port);
        CHECK(peers.back().line() == "hello");
    }
    const auto facts = run_on<std::vector<ConnectionFacts>>(
        (*server.loops)[0], [&] { return server.acceptor->list(); });
    REQUIRE(facts);
    REQUIRE(facts->size() == 10);
    std::map<std::uint64_t, int> by_loop;
    for (const auto& each : *facts) {
        ++by_loop[each.id.value >> 48];
        CHECK(each.service == "echo");
        CHECK(each.peer.address.is_loopback());
        CHECK(each.sent == 6);
    }
    CHECK(by_loop.size() == 2);
    CHECK(by_loop[0] == 5);
    server.acceptor->shut_down((*facts)[0].id, base::ShutdownReason::Disabled);
    server.acceptor->shut_down(ConnectionId{999}, base::ShutdownReason::Disabled);
    server.acceptor->shut_down(ConnectionId{~0ull}, base::ShutdownReason::Disabled);
    int told = 0;
    for (auto& peer : peers) {
        if (peer.fd() >= 0 && facts->at(0).peer.port != 0) {
            sockaddr_in own{};
            socklen_t size = sizeof own;
            ::getsockname(peer.fd(), reinterpret_cast<sockaddr*>(&own), &size);
            if (ntohs(own.sin_port) != facts->at(0).peer.port) continue;
            CHECK(peer.line() == "going down");
            ++told;
        }
    }
    CHECK(told == 1);
    CHECK(server.acceptor->counts().accepted == 10);
}

TEST_CASE("above a ceiling a client is told so and closed; the others are served") {
    AcceptorOptions options;
    options.connections_per_address_max = 3;
    EchoServer server(options);
    const auto port = server.listen();
    std::vector<Peer> peers;
    for (int i = 0; i < 3; ++i) {
        peers.emplace_back(port);
        CHECK(peers.back().line() == "hello");
    }
    Peer fourth(port);
    CHECK(fourth.line() == "too many");
    CHECK(fourth.line() == "<end>");
    CHECK(server.acceptor->counts().refused_address == 1);
    CHECK(peers[0].send("still here\n"));
    CHECK(peers[0].line() == "still here");
    peers.pop_back();
    CHECK(server.until([&] { return server.acceptor->connections() == 2; }));
    Peer fifth(port);
    CHECK(fifth.line() == "hello");

    AcceptorOptions total;
    total.connections_max = 1;
    EchoServer small(total);
    const auto small_port = small.listen();
    Peer in(small_port);
    CHECK(in.line() == "hello");
    CHECK(Peer(small_port).line() == "too many");
}

TEST_CASE("short of memory, clients are told to come later, and who is idle or administers stays") {
    SetMemory memory;
    base::MemoryGate gate({.octets_max = 1'000'000, .interval = 0ms}, system_clock, memory);
    AcceptorOptions options;
    options.memory = &gate;
    EchoServer server(options);
    const auto port = server.listen();
    Peer idle(port);
    CHECK(idle.line() == "hello");
    memory.octets = 810'000;
    Peer refused(port);
    CHECK(refused.line() == "too many");
    CHECK(refused.line() == "<end>");
    CHECK(server.acceptor->counts().refused_memory == 1);
    auto control = std::make_shared<net::Service>();
    control->name = "control";
    control->factory = server.factory;
    control->reserved = true;
    const auto control_port =
        server.acceptor->listen(TcpEndpoint{*IpAddress::parse("127.0.0.1"), 0}, control)
            ->bound.local_port;
    Peer administrator(control_port);
    CHECK(administrator.line() == "hello");
    memory.octets = 2'000'000;
    CHECK(idle.send("still here\n"));
    CHECK(idle.line() == "still here");
    memory.octets = 500'000;
    Peer later(port);
    CHECK(later.line() == "hello");
}

TEST_CASE("short of memory, those who hold most go first, and no more of them than must") {
    SetMemory memory;
    base::MemoryGate gate({.octets_max = 1'000'000, .interval = 0ms}, system_clock, memory);
    AcceptorOptions options;
    options.memory = &gate;
    options.worth_shedding = 10'000;
    options.watch_time = 5ms;
    EchoServer server(options, 1);
    server.service->connection.linger_time = 50ms;
    const auto port = server.listen();
    std::vector<Peer> peers;
    for (const std::size_t half_line : {0, 100'000, 300'000, 200'000}) {
        auto& peer = peers.emplace_back(port);
        CHECK(peer.line() == "hello");
        CHECK(peer.send(std::string(half_line, 'x')));
    }
    const auto held = [&] {
        std::uint64_t octets = 0;
        const auto facts = run_on<std::vector<ConnectionFacts>>(
            (*server.loops)[0], [&] { return server.acceptor->list(); });
        for (const auto& each : *facts) octets += each.memory;
        return octets;
    };
    REQUIRE(server.until([&] { return held() >= 600'000; }));
    memory.shed = [&] { return server.acceptor->counts().ended_memory >= 1; };
    memory.octets = 1'100'000; // 220,000 too many: the largest alone makes good
    CHECK(peers[2].line().ends_with("going down"));
    CHECK(server.acceptor->counts().ended_memory == 1);
    for (const std::size_t stays : {0, 1, 3}) {
        CHECK(peers[stays].send("\n"));
        CHECK(peers[stays].line().find_first_not_of('x') == std::string::npos);
    }
}

TEST_CASE("a connection that holds more than one may is told goodbye, and closed if it stays") {
    AcceptorOptions options;
    options.connection_memory_max = 50'000;
    options.watch_time = 5ms;
    options.goodbye_time = 50ms;
    EchoServer server(options);
    server.service->connection.linger_time = 60'000ms;
    const auto port = server.listen();
    Peer small(port);
    Peer large(port);
    CHECK(small.line() == "hello");
    CHECK(large.line() == "hello");
    CHECK(small.send(std::string(10'000, 'x')));
    CHECK(large.send(std::string(60'000, 'x')));
    CHECK(large.line() == "going down");
    CHECK(server.until([&] { return server.acceptor->connections() == 1; }));
    CHECK(server.acceptor->counts().ended_too_large == 1);
    CHECK(small.send("\n"));
    CHECK(small.line() == std::string(10'000, 'x'));
}

TEST_CASE("behind a proxy the ceiling is the client's, not the proxy's") {
    AcceptorOptions options;
    options.connections_per_address_max = 1;
    EchoServer server(options);
    server.service->proxy_header = true;
    const auto port = server.listen();
    const auto header = [](int last) {
        return "PROXY TCP4 192.0.2." + std::to_string(last) + " 192.0.2.99 1 25\r\n";
    };
    Peer first(port);
    first.send(header(1));
    CHECK(first.line() == "hello");
    Peer second(port);
    second.send(header(2));
    CHECK(second.line() == "hello");
    Peer same(port);
    same.send(header(1));
    CHECK(same.line() == "<end>");
}

TEST_CASE("thousands of connections are served and cost little") {
    raise_descriptor_limit();
    AcceptorOptions options;
    options.connections_per_address_max = 100'000;
    EchoServer server(options);
    const auto port = server.listen();
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const std::size_t count = std::min<std::size_t>(3000, limit.rlim_cur / 2 - 100);
    std::vector<Peer> peers;
    peers.reserve(count);
    {
        Peer warm(port);
        CHECK(warm.line() == "hello");
    }
    const auto before = mallinfo2().uordblks;
    for (std::size_t i = 0; i < count; ++i) peers.emplace_back(port);
    std::size_t greeted = 0;
    for (auto& peer : peers) greeted += peer.line() == "hello";
    CHECK(greeted == count);
    for (auto& peer : peers) peer.send("one\n");
    std::size_t echoed = 0;
    for (auto& peer : peers) echoed += peer.line() == "one";
    CHECK(echoed == count);
    const auto each = (mallinfo2().uordblks - before) / count;
    WARN(count << " idle plain connections hold " << each
               << " octets of heap each, with their echo dialogue and the test's own end");
    CHECK(each < 4096);
    CHECK(server.drain(5s));
    CHECK(server.factory->counts.created == server.factory->counts.destroyed);
    CHECK(server.acceptor->connections() == 0);
}

TEST_CASE("a client that does not read costs what its buffers hold, and others go on") {
    EchoServer server;
    const auto port = server.listen();
    Peer silent(port, 4096);
    CHECK(silent.line() == "hello");
    CHECK(silent.send("GIVE 20000000\n"));
    Peer other(port);
    CHECK(other.line() == "hello");
    for (int i = 0; i < 100; ++i) {
        other.send("ping\n");
        CHECK(other.line() == "ping");
    }
    const auto facts = run_on<std::vector<ConnectionFacts>>(
        (*server.loops)[0], [&] { return server.acceptor->list(); });
    REQUIRE(facts);
    for (const auto& each : *facts) CHECK(each.memory < 300'000);
    // When it reads after all, it gets all of it.
    CHECK(silent.send("QUIT\n"));
    CHECK(silent.drain() == 20'000'001 + 4);
}

TEST_CASE("a client that ends its side still gets its answers") {
    EchoServer server;
    Peer peer(server.listen());
    peer.send("one\nLATER\ntwo\n");
    peer.finish_sending();
    for (const char* expected : {"hello", "one", "late", "two", "end", "<end>"})
        CHECK(peer.line() == expected);
}

TEST_CASE("idle connections end by their engine's deadline") {
    EchoServer server;
    server.factory->idle_time = 50ms;
    server.service->connection.linger_time = 50ms;
    Peer peer(server.listen());
    CHECK(peer.line() == "hello");
    CHECK(peer.line() == "timeout");
    CHECK(peer.line() == "<end>");
    CHECK(server.until([&] { return server.factory->counts.destroyed == 1; }));
}

TEST_CASE("a drain says goodbye to all and lets nobody in") {
    EchoServer server;
    const auto port = server.listen();
    std::vector<Peer> peers;
    for (int i = 0; i < 20; ++i) {
        peers.emplace_back(port);
        CHECK(peers.back().line() == "hello");
    }
    std::promise<void> done;
    server.acceptor->drain(5s, [&] { done.set_value(); });
    for (auto& peer : peers) {
        CHECK(peer.line() == "going down");
        CHECK(peer.line() == "<end>");
    }
    peers.clear();
    CHECK(done.get_future().wait_for(10s) == std::future_status::ready);
    CHECK_FALSE(Peer(port).connected());
    CHECK(server.factory->counts.destroyed == 20);
}

TEST_CASE("a drain without connections is done at once, and one with a deaf client in time") {
    {
        EchoServer server;
        server.listen();
        CHECK(server.drain(10s));
    }
    EchoServer server;
    Peer deaf(server.listen(), 4096);
    CHECK(deaf.line() == "hello");
    deaf.send("GIVE 20000000\n");
    CHECK(server.drain(200ms));
    CHECK(server.factory->counts.destroyed == 1);
}

TEST_CASE("STARTTLS begins a new conversation") {
    EchoServer server;
    server.service->tls = tls_server();
    Peer peer(server.listen());
    CHECK(peer.line() == "hello");
    peer.send("TLS?\nSTARTTLS\n");
    CHECK(peer.line() == "plain");
    CHECK(peer.line() == "go");
    REQUIRE(peer.start_tls(tls_client()));
    CHECK(peer.send("TLS?\nGIVE 300000\n"));
    CHECK(peer.line() == "TLSv1.3");
    CHECK(peer.line() == std::string(300'000, 'x'));
    CHECK(peer.send("QUIT\n"));
    CHECK(peer.line() == "bye");
    CHECK(peer.line() == "<end>"); // with close_notify
    CHECK(peer.tls().state() == tls::State::PeerClosed);
}

TEST_CASE("plaintext injected behind STARTTLS is never heard") {
    EchoServer server;
    server.service->tls = tls_server();
    Peer peer(server.listen());
    CHECK(peer.line() == "hello");
    peer.send("STARTTLS\ninjected\nGIVE 10\n");
    CHECK(peer.line() == "go");
    REQUIRE(peer.start_tls(tls_client()));
    peer.send("first\n");
    CHECK(peer.line() == "first");
}

TEST_CASE("TLS from the first octet on") {
    EchoServer server;
    server.service->tls = tls_server();
    server.service->implicit_tls = true;
    server.service->connection.linger_time = 50ms;
    const auto port = server.listen();
    const auto context = tls_client();
    std::vector<Peer> peers;
    for (int i = 0; i < 8; ++i) {
        peers.emplace_back(port);
        REQUIRE(peers.back().start_tls(context));
        CHECK(peers.back().line() == "hello");
        peers.back().send("TLS?\n");
        CHECK(peers.back().line() == "TLSv1.3");
    }
    // New certificates are for new connections.
    const auto old = peers[0].tls().peer_chain();
    server.service->tls->replace(tls_server()->credentials());
    Peer later(port);
    REQUIRE(later.start_tls(context));
    CHECK(later.line() == "hello");
    CHECK(later.tls().peer_chain() != old);
    peers[0].send("still\n");
    CHECK(peers[0].line() == "still");
    CHECK(server.drain(5s));
    CHECK(later.line() == "going down");
    CHECK(later.line() == "<end>");
}

TEST_CASE("many handshakes at a time leave room for those who are in") {
    EchoServer server({}, 1);
    server.service->tls = tls_server();
    Peer in(server.listen());
    CHECK(in.line() == "hello");
    auto secure = std::make_shared<Service>(*server.service);
    secure->implicit_tls = true;
    const auto port =
        server.acceptor->listen(TcpEndpoint{*IpAddress::parse("127.0.0.1"), 0}, secure)
            ->bound.local_port;
    const auto context = tls_client();
    std::vector<Peer> peers;
    for (int i = 0; i < 40; ++i) {
        peers.emplace_back(port);
        // The ClientHello is on its way; the rest comes later.
        auto hello = tls::Session::connect(context, {}, system_clock.wall_now());
        for (const auto piece : hello.output()) peers.back().raw_send(piece);
    }
    in.send("ping\n");
    CHECK(in.line() == "ping");
    Peer whole(port);
    REQUIRE(whole.start_tls(context));
    CHECK(whole.line() == "hello");
}

TEST_CASE("what is not TLS, ends early or never speaks gets no dialogue") {
    EchoServer server;
    server.service->tls = tls_server();
    server.service->implicit_tls = true;
    server.service->connection.handshake_time = 100ms;
    const auto port = server.listen();
    {
        Peer babbler(port);
        babbler.raw_send("EHLO client.example\r\n");
        CHECK(babbler.drain() < 100); // an alert at most
    }
    Peer mute(port);
    Peer half(port);
    half.raw_send("\x16\x03\x01");
    {
        Peer gone(port);
        gone.raw_send("\x16\x03\x01");
    }
    CHECK(mute.line() == "<end>");
    CHECK(half.drain() < 100);
    CHECK(server.until([&] { return server.acceptor->connections() == 0; }));
    CHECK(server.factory->counts.created == 0);
}

TEST_CASE("stopping in the middle of a handshake closes it") {
    EchoServer server;
    server.service->tls = tls_server();
    Peer peer(server.listen());
    CHECK(peer.line() == "hello");
    peer.send("STARTTLS\n");
    CHECK(peer.line() == "go");
    peer.raw_send("\x16\x03\x01");
    auto secure = std::make_shared<Service>(*server.service);
    secure->implicit_tls = true;
    const auto port =
        server.acceptor->listen(TcpEndpoint{*IpAddress::parse("127.0.0.1"), 0}, secure)
            ->bound.local_port;
    Peer other(port);
    other.raw_send("\x16\x03\x01");
    CHECK(server.until([&] { return server.acceptor->connections() == 2; }));
    CHECK(server.drain(300ms));
    CHECK(other.drain() < 100);
    CHECK(server.factory->counts.created == server.factory->counts.destroyed);
}

TEST_CASE("an idle connection under TLS costs little") {
    EchoServer server;
    server.service->tls = tls_server();
    server.service->implicit_tls = true;
    server.service->connection.rest_time = 20ms;
    const auto port = server.listen();
    const auto context = tls_client();
    std::vector<Peer> peers;
    for (int i = 0; i < 50; ++i) {
        peers.emplace_back(port);
        REQUIRE(peers.back().start_tls(context));
        CHECK(peers.back().line() == "hello");
    }
    std::size_t memory = 0;
    const auto rested = [&] {
        const auto facts = run_on<std::vector<ConnectionFacts>>(
            (*server.loops)[0], [&] { return server.acceptor->list(); });
        memory = 0;
        for (const auto& each : *facts) memory += each.memory;
        return memory / peers.size() < 16'000;
    };
    CHECK(server.until(rested));
    WARN("an idle connection under TLS says that it holds " << memory / peers.size()
                                                            << " octets beyond itself");
    for (auto& peer : peers) {
        peer.send("awake\n");
        CHECK(peer.line() == "awake");
    }
}

// The undefined behaviour sanitizer needs descriptors of its own to look at memory.
#ifndef __SANITIZE_ADDRESS__
TEST_CASE("without descriptors nobody spins, and who waits is served later") {
    struct Lines final : base::LogSink {
        void write(const base::LogEvent& event) override {
            if (!event.id.starts_with("net.accept.")) return;
            const std::scoped_lock lock(mutex);
            ids.emplace_back(event.id);
        }
        std::vector<std::string> told() {
            const std::scoped_lock lock(mutex);
            return ids;
        }
        std::mutex mutex;
        std::vector<std::string> ids;
    } log;
    EchoServer server({}, 1, true, Log(log));
    const auto port = server.listen();
    {
        Peer first(port);
        CHECK(first.line() == "hello");
    }
    CHECK(server.until([&] { return server.acceptor->connections() == 0; }));
    Peer waiting(port);
    CHECK(waiting.line() == "hello");
    // The next socket of this process must be the client's: after it nothing is left.
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const auto before = limit;
    const int highest = ::dup(0);
    ::close(highest);
    limit.rlim_cur = static_cast<rlim_t>(highest) + 1;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    rusage usage_before{};
    ::getrusage(RUSAGE_SELF, &usage_before);
    Peer client(port);
    CHECK(client.connected());
    timeval short_wait{1, 200'000};
    ::setsockopt(client.fd(), SOL_SOCKET, SO_RCVTIMEO, &short_wait, sizeof short_wait);
    CHECK(client.line() == "<timeout>");
    rusage usage_after{};
    ::getrusage(RUSAGE_SELF, &usage_after);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    const auto spent = [](const rusage& usage) {
        return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 +
               usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    };
    CHECK(spent(usage_after) - spent(usage_before) < 100'000);
    timeval ten{10, 0};
    ::setsockopt(client.fd(), SOL_SOCKET, SO_RCVTIMEO, &ten, sizeof ten);
    CHECK(client.line() == "hello");
    // However often it was tried.
    const std::vector<std::string> once = {"net.accept.paused", "net.accept.resumed"};
    CHECK(server.until([&] { return log.told().size() >= 2; }));
    CHECK(log.told() == once);
}
#endif

TEST_CASE("a pipe inside the process is a connection like any other") {
    EchoServer server;
    auto& loop = (*server.loops)[0];
    auto client_loop = &(*server.loops)[1];
    std::unique_ptr<Transport> far;
    on(loop, [&] {
        auto [near, other] = make_pipe(loop, *client_loop);
        far = std::move(other);
        server.acceptor->adopt(0, std::move(near), PeerInfo{}, server.service);
    });
    CHECK(server.acceptor->connections() == 1);
    on(*client_loop, [&] { far.reset(); });
    CHECK(server.until([&] { return server.acceptor->connections() == 0; }));
}

TEST_CASE("listeners stop one by one, and connections stay") {
    EchoServer server;
    const auto listening =
        server.acceptor->listen(TcpEndpoint{*IpAddress::parse("127.0.0.1"), 0}, server.service);
    REQUIRE(listening);
    Peer peer(listening->bound.local_port);
    CHECK(peer.line() == "hello");
    server.acceptor->stop_listening(listening->id);
    CHECK(server.until([&] { return !Peer(listening->bound.local_port).connected(); }));
    peer.send("one\n");
    CHECK(peer.line() == "one");
}

TEST_CASE("a server is destroyed with everything open") {
    EchoServer server;
    const auto port = server.listen();
    std::vector<Peer> peers;
    for (int i = 0; i < 10; ++i) peers.emplace_back(port);
    for (auto& peer : peers) peer.send("LATER\nGIVE 1000000\n");
    CHECK(peers[0].line() == "hello");
}
