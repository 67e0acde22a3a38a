// Outgoing connections: to our own acceptor over sockets, and to nobody.
#include "libmailcore/net/connector.h"

#include "libmailcore/crypto/certificate.h"
#include "libmailcore/net/pipe.h"
#include "tests/catch.h"
#include "tests/net/peer.h"

using namespace mailcore;
using namespace mailcore::net;
using namespace mailcore::net_test;
using namespace std::chrono_literals;

namespace {

base::SystemRandom randomness;
base::SystemClock system_clock;

struct Certificates {
    crypto::CertificateAndKey pair;
    Certificates() {
        crypto::SelfSignedRequest request;
        request.host_names = {"mx.example.test"};
        request.not_before = system_clock.wall_now() - std::chrono::hours(1);
        request.not_after = system_clock.wall_now() + std::chrono::hours(24);
        pair = *crypto::make_self_signed(request, randomness);
    }
    [[nodiscard]] std::shared_ptr<TlsServer> server() const {
        tls::ServerOptions options;
        options.certificates.push_back(pair);
        options.ticket_keys = std::make_shared<tls::TicketKeys>(randomness);
        return std::make_shared<TlsServer>(
            *tls::ServerCredentials::create(std::move(options), randomness));
    }
    /// Trusts this certificate and no other.
    [[nodiscard]] std::shared_ptr<tls::ClientContext> client() const {
        tls::ClientOptions options;
        options.authorities = std::make_shared<tls::Authorities>(
            [pem = pair.certificate_pem]() -> Result<std::string> { return pem; });
        return *tls::ClientContext::create(std::move(options), randomness);
    }
};

/// What became of one outgoing connection, told from its loop.
struct Told {
    bool connected = false;
    ErrorKind error{};
    std::string detail;
    std::string received;
    bool gone = false;
    std::optional<TlsFacts> tls;
    std::string failure;
};

/// Connects, says `script`, and waits until the other side has closed.
Task<Told> talk(net::Connector& connector, base::Destination to, base::ConnectOptions options,
                std::string script, bool start_tls = false) {
    auto& scheduler = co_await base::current_scheduler();
    Told told;
    ClientDialogue dialogue;
    base::Completion<int> over(scheduler);
    std::string rest;
    if (start_tls) {
        dialogue.client.say("STARTTLS\n");
        rest = std::move(script);
    } else {
        dialogue.client.say(script);
    }
    bool asked = start_tls;
    base::Connection* waker = nullptr;
    dialogue.on_drain = [&, done = over.completer()] {
        auto& client = dialogue.client;
        if (asked && client.received.ends_with("go\n")) {
            asked = false;
            client.start_tls();
        } else if (!rest.empty() && client.tls) {
            client.say(std::exchange(rest, {}));
            if (waker) waker->wake();
        }
        if (dialogue.gone) done.complete(0);
    };
    auto connection = co_await connector.connect(std::move(to), std::move(options), dialogue);
    if (!connection) {
        told.error = connection.error().kind;
        told.detail = connection.error().detail;
        co_return std::move(told);
    }
    told.connected = true;
    waker = connection->get();
    waker->wake();
    co_await over;
    told.received = dialogue.client.received;
    told.gone = dialogue.gone;
    told.tls = dialogue.client.tls;
    told.failure = (*connection)->failure();
    co_return std::move(told);
}

struct Rig : EchoServer {
    Certificates certificates;
    std::unique_ptr<net::Connector> connector;
    std::uint16_t port = 0;

    Rig() {
        service->tls = certificates.server();
        service->connection.linger_time = 50ms;
        port = listen();
        ConnectorOptions options;
        options.tls = certificates.client();
        options.connection.linger_time = 50ms;
        connector = std::make_unique<net::Connector>((*loops)[0], std::move(options));
    }
    ~Rig() {
        on((*loops)[0], [&] { connector.reset(); });
    }
    [[nodiscard]] base::Destination here(std::uint16_t at) const {
        return base::TcpDestination{*IpAddress::parse("127.0.0.1"), at};
    }
    Told run(base::Destination to, base::ConnectOptions options, std::string script,
             bool start_tls = false) {
        auto told = run_on<Told>((*loops)[0], [&] {
            return talk(*connector, std::move(to), std::move(options), std::move(script),
                        start_tls);
        });
        REQUIRE(told);
        return std::move(*told);
    }
};

} // namespace

TEST_CASE("an outgoing connection talks until the other side closes") {
    Rig rig;
    const auto told = rig.run(rig.here(rig.port), {}, "one\nLATER\nQUIT\n");
    CHECK(told.connected);
    CHECK(told.received == "hello\none\nlate\nbye\n");
    CHECK(told.gone);
    CHECK(told.failure.empty());
}

TEST_CASE("an outgoing connection begins at the address that it is told to") {
    Rig rig;
    base::ConnectOptions options;
    options.local_address = IpAddress::parse("127.0.0.9");
    CHECK(rig.run(rig.here(rig.port), options, "QUIT\n").connected);
    options.local_address = IpAddress::parse("192.0.2.1");
    CHECK_FALSE(rig.run(rig.here(rig.port), options, "QUIT\n").connected);
    options.local_address = IpAddress::parse("::1");
    CHECK(rig.run(rig.here(rig.port), options, "QUIT\n").error == ErrorKind::Rejected);
}

TEST_CASE("who cannot be reached is unavailable, in time") {
    Rig rig;
    auto unused = ListeningSocket::open(TcpEndpoint{*IpAddress::parse("127.0.0.1"), 0});
    const auto port = unused->bound().local_port;
    // A full backlog answers nobody.
    auto full = ListeningSocket::open(TcpEndpoint{*IpAddress::parse("127.0.0.1"), 0}, 0);
    const auto full_port = full->bound().local_port;
    std::vector<int> fillers;
    for (int i = 0; i < 4; ++i) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(full_port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        static_cast<void>(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to));
        fillers.push_back(fd);
    }
    base::ConnectOptions hasty;
    hasty.connect_timeout = 100ms;
    const auto late = rig.run(rig.here(full_port), hasty, "");
    CHECK_FALSE(late.connected);
    CHECK(late.error == ErrorKind::Unavailable);
    CHECK(late.detail.ends_with("timeout"));
    for (const int fd : fillers) ::close(fd);

    unused = std::unexpected(Error{ErrorKind::Unavailable, ""});
    const auto refused = rig.run(rig.here(port), {}, "");
    CHECK(refused.error == ErrorKind::Unavailable);
    CHECK(refused.detail.find("refused") != std::string::npos);
    const auto nowhere = rig.run(base::UnixDestination{"/nowhere/socket"}, {}, "");
    CHECK(nowhere.error == ErrorKind::Unavailable);
}

TEST_CASE("an outgoing connection over a UNIX socket") {
    Rig rig;
    std::string folder = "/tmp/mailcore-net-XXXXXX";
    REQUIRE(::mkdtemp(folder.data()));
    const auto path = folder + "/lmtp";
    REQUIRE(rig.acceptor->listen(UnixEndpoint{path}, rig.service));
    CHECK(rig.run(base::UnixDestination{path}, {}, "QUIT\n").received == "hello\nbye\n");
    ::unlink(path.c_str());
    ::rmdir(folder.c_str());
}

TEST_CASE("STARTTLS from the client's side, checked and unchecked") {
    Rig rig;
    struct Case {
        const char* name;
        base::TlsCheck check;
        bool encrypted;
        bool verified;
    };
    const Case cases[] = {
        {"mx.example.test", base::TlsCheck::Verified, true, true},
        {"other.example.test", base::TlsCheck::Verified, false, false},
        {"", base::TlsCheck::Verified, false, false},
        {"other.example.test", base::TlsCheck::None, true, false},
        {"", base::TlsCheck::None, true, false},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        base::ConnectOptions options;
        options.server_name = c.name;
        options.tls_check = c.check;
        const auto told = rig.run(rig.here(rig.port), options, "TLS?\nQUIT\n", true);
        CHECK(told.connected);
        CHECK(told.gone);
        REQUIRE(told.tls.has_value() == c.encrypted);
        if (!c.encrypted) continue;
        CHECK(told.tls->peer_verified == c.verified);
        CHECK(told.received == "hello\ngo\nTLSv1.3\nbye\n");
    }
}

TEST_CASE("implicit TLS, and its failure, which is the end of the dialogue") {
    Rig rig;
    auto secure = std::make_shared<Service>(*rig.service);
    secure->implicit_tls = true;
    const auto port = rig.acceptor->listen(TcpEndpoint{*IpAddress::parse("127.0.0.1"), 0}, secure)
                          ->bound.local_port;
    base::ConnectOptions options;
    options.implicit_tls = true;
    options.tls_check = base::TlsCheck::Verified;
    options.server_name = "mx.example.test";
    for (int i = 0; i < 2; ++i) { // the second one by a ticket
        const auto told = rig.run(rig.here(port), options, "TLS?\nQUIT\n");
        CHECK(told.received == "hello\nTLSv1.3\nbye\n");
        REQUIRE(told.tls);
        CHECK(told.tls->peer_verified);
    }
    options.server_name = "other.example.test";
    const auto wrong = rig.run(rig.here(port), options, "TLS?\nQUIT\n");
    CHECK(wrong.connected);
    CHECK(wrong.gone);
    CHECK(wrong.received.empty());
    CHECK(wrong.failure == "the certificate is not for this name");
    // Plain speech where TLS is expected.
    const auto plain = rig.run(rig.here(rig.port), options, "TLS?\n");
    CHECK(plain.gone);
    CHECK(plain.received.empty());
}

TEST_CASE("a client is destroyed while it connects, shakes hands, and talks") {
    Rig rig;
    auto& loop = (*rig.loops)[0];
    auto secure = std::make_shared<Service>(*rig.service);
    secure->implicit_tls = true;
    const auto port = rig.acceptor->listen(TcpEndpoint{*IpAddress::parse("127.0.0.1"), 0}, secure)
                          ->bound.local_port;
    for (const bool tls : {false, true}) {
        for (int turns = 0; turns < 12; ++turns) {
            std::promise<void> done;
            auto scope = std::make_shared<std::optional<Scope>>();
            auto left = std::make_shared<int>(turns);
            // Cancels after so many turns of the loop.
            auto step = std::make_shared<std::function<void()>>();
            *step = [&, scope, left, weak = std::weak_ptr(step)] {
                if (--*left > 0) {
                    loop.post([again = weak.lock()] { (*again)(); });
                    return;
                }
                scope->reset();
                done.set_value();
            };
            loop.post([&, scope, step] {
                scope->emplace(loop);
                base::ConnectOptions options;
                options.implicit_tls = tls;
                struct Drop {
                    static Task<void> run(Task<Told> task) {
                        const Told told = co_await std::move(task);
                        static_cast<void>(told);
                    }
                };
                (*scope)->spawn(Drop::run(talk(*rig.connector, rig.here(tls ? port : rig.port),
                                               options, "GIVE 1000000\n")));
                loop.post([step] { (*step)(); });
            });
            REQUIRE(done.get_future().wait_for(10s) == std::future_status::ready);
        }
    }
    CHECK(rig.until([&] { return rig.acceptor->connections() == 0; }));
}

TEST_CASE("a connector drives one end of a pipe") {
    Rig rig;
    auto& loop = (*rig.loops)[0];
    ClientDialogue dialogue;
    std::unique_ptr<base::Connection> connection;
    std::promise<void> over;
    on(loop, [&] {
        auto [near, far] = make_pipe(loop, loop);
        rig.acceptor->adopt(0, std::move(near), PeerInfo{}, rig.service);
        dialogue.client.say("one\nQUIT\n");
        dialogue.on_drain = [&] {
            if (dialogue.gone) over.set_value();
        };
        connection = rig.connector->drive(std::move(far), PeerInfo{}, {}, dialogue);
    });
    REQUIRE(over.get_future().wait_for(10s) == std::future_status::ready);
    CHECK(dialogue.client.received == "hello\none\nbye\n");
    on(loop, [&] { connection.reset(); });
}
