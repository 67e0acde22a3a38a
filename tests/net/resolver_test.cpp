// The resolver over sockets, asking a small name server on the loopback.
#include "libmailcore/net/resolver.h"

#include "libmailcore/dns/zone.h"
#include "tests/catch.h"
#include "tests/net/peer.h"

#include <fstream>
#include <poll.h>

using namespace mailcore;
using namespace mailcore::net;
using namespace mailcore::net_test;
using namespace std::chrono_literals;

namespace {

base::SystemRandom randomness;

dns::Name name(std::string_view text) { return *dns::Name::parse(text); }

/// Speaks DNS over UDP and TCP at one port, out of a zone. Lies where it is told to.
class NameServer {
  public:
    dns::Zone zone; // under `mutex`
    std::mutex mutex;
    std::atomic<bool> truncates = false; // over UDP
    std::atomic<bool> wrong_id_first = false;
    std::atomic<bool> wrong_question = false;
    std::atomic<bool> knows_edns = true;
    std::atomic<bool> garbage = false;
    std::atomic<int> udp_queries = 0;
    std::atomic<int> tcp_queries = 0;
    std::atomic<int> edns_queries = 0;
    std::atomic<bool> authenticated = false;

    NameServer() {
        // The same port for both; the kernel's choice for TCP may be taken for UDP.
        for (int attempt = 0; attempt < 20 && port_ == 0; ++attempt) {
            tcp_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            udp_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
            sockaddr_in at{};
            at.sin_family = AF_INET;
            at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            socklen_t size = sizeof at;
            REQUIRE(::bind(tcp_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
            ::getsockname(tcp_, reinterpret_cast<sockaddr*>(&at), &size);
            if (::bind(udp_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0) {
                port_ = ntohs(at.sin_port);
                break;
            }
            ::close(tcp_);
            ::close(udp_);
        }
        REQUIRE(port_ != 0);
        REQUIRE(::listen(tcp_, 16) == 0);
        REQUIRE(::pipe(stop_) == 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~NameServer() {
        static_cast<void>(::write(stop_[1], "x", 1));
        thread_.join();
        for (const int fd : {tcp_, udp_, stop_[0], stop_[1]}) ::close(fd);
    }
    [[nodiscard]] net::NameServer address() const {
        return {*IpAddress::parse("127.0.0.1"), port_};
    }
    [[nodiscard]] std::uint16_t port() const { return port_; }

  private:
    std::optional<std::string> answer(std::string_view octets, bool tcp) {
        const std::scoped_lock lock(mutex);
        auto query = dns::parse_message(octets);
        if (!query) return std::nullopt;
        if (query->edns) ++edns_queries;
        if (!knows_edns && query->edns) {
            dns::Message refusal;
            refusal.id = query->id;
            refusal.response = true;
            refusal.question = query->question;
            refusal.code = dns::ResponseCode::FormErr;
            return dns::write_message(refusal);
        }
        auto response = zone.respond(*query);
        if (!response) return std::nullopt;
        response->authenticated = authenticated;
        if (truncates && !tcp) {
            response->truncated = true;
            response->answers.clear();
        }
        if (wrong_question && response->question) response->question->name = name("other.test");
        auto out = dns::write_message(*response);
        if (garbage) out = out.substr(0, 12) + std::string(40, '\xC0');
        return out;
    }
    void serve_udp() {
        char buffer[65536];
        sockaddr_in from{};
        socklen_t size = sizeof from;
        const auto got =
            ::recvfrom(udp_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (got <= 0) return;
        ++udp_queries;
        auto reply = answer({buffer, static_cast<std::size_t>(got)}, false);
        if (!reply) return;
        const auto send = [&](const std::string& octets) {
            ::sendto(udp_, octets.data(), octets.size(), 0, reinterpret_cast<sockaddr*>(&from),
                     size);
        };
        if (wrong_id_first) {
            auto forged = *reply;
            forged[0] = static_cast<char>(forged[0] ^ 1);
            // Somebody who guesses says 192.0.2.66.
            const auto at = forged.find(std::string("\xC0\0\2\1", 4));
            if (at != std::string::npos) forged[at + 3] = 66;
            send(forged);
        }
        send(*reply);
    }
    void serve_tcp() {
        const int fd = ::accept(tcp_, nullptr, nullptr);
        if (fd < 0) return;
        timeval two{2, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &two, sizeof two);
        unsigned char head[2];
        if (::recv(fd, head, 2, MSG_WAITALL) == 2) {
            std::string query(static_cast<std::size_t>(head[0] << 8 | head[1]), '\0');
            if (::recv(fd, query.data(), query.size(), MSG_WAITALL) ==
                static_cast<ssize_t>(query.size())) {
                ++tcp_queries;
                if (const auto reply = answer(query, true)) {
                    std::string octets;
                    octets += static_cast<char>(reply->size() >> 8);
                    octets += static_cast<char>(reply->size());
                    octets += *reply;
                    ::send(fd, octets.data(), octets.size(), MSG_NOSIGNAL);
                }
            }
        }
        ::close(fd);
    }
    void serve() {
        while (true) {
            pollfd watched[3] = {{stop_[0], POLLIN, 0}, {udp_, POLLIN, 0}, {tcp_, POLLIN, 0}};
            ::poll(watched, 3, -1);
            if (watched[0].revents) return;
            if (watched[1].revents) serve_udp();
            if (watched[2].revents) serve_tcp();
        }
    }

    int tcp_ = -1;
    int udp_ = -1;
    int stop_[2] = {-1, -1};
    std::uint16_t port_ = 0;
    std::thread thread_;
};

struct Rig {
    NameServer server;
    std::unique_ptr<Loops> loops = *Loops::create({1, 1});
    std::unique_ptr<Resolver> resolver;

    explicit Rig(std::string_view records, std::function<void(ResolverOptions&)> change = {}) {
        {
            const std::scoped_lock lock(server.mutex);
            REQUIRE(server.zone.add(records));
        }
        ResolverOptions options;
        options.servers = {server.address()};
        if (change) change(options);
        loops->start();
        on(loop(), [&] { resolver = *Resolver::create(loop(), randomness, options); });
    }
    ~Rig() {
        on(loop(), [&] { resolver.reset(); });
        loops->stop();
    }
    Loop& loop() { return (*loops)[0]; }
    Result<dns::Answer> lookup(std::string_view host, dns::Type type) {
        auto answer =
            run_on<Result<dns::Answer>>(loop(), [&] { return resolver->lookup(name(host), type); });
        REQUIRE(answer);
        return std::move(*answer);
    }
};

void be_hasty(ResolverOptions& options) {
    options.timeout = 100ms;
    options.tries = 2;
}

} // namespace

TEST_CASE("the resolver asks, and remembers") {
    Rig rig("a.test A 192.0.2.1\na.test MX 10 mx.test\nalias.test CNAME a.test\n_25._tcp.a.test "
            "TLSA 3 1 1 00ff");
    const auto found = rig.lookup("a.test", dns::Type::A);
    REQUIRE(found);
    CHECK(found->records.size() == 1);
    CHECK(rig.lookup("alias.test", dns::Type::A)->canonical_name == name("a.test"));
    CHECK(rig.lookup("_25._tcp.a.test", dns::Type::Tlsa)->found());
    CHECK(rig.lookup("a.test", dns::Type::Aaaa)->status == dns::Answer::Status::NoData);
    CHECK(rig.lookup("no.test", dns::Type::A)->status == dns::Answer::Status::NxDomain);
    const int asked = rig.server.udp_queries;
    CHECK(asked >= 5);
    CHECK(rig.lookup("a.test", dns::Type::A)->found());
    CHECK(rig.lookup("no.test", dns::Type::A)->status == dns::Answer::Status::NxDomain);
    CHECK(rig.server.udp_queries == asked);
    CHECK(rig.server.edns_queries == asked);
    CHECK(rig.server.tcp_queries == 0);
}

TEST_CASE("an answer of more than 512 octets comes over UDP, and a truncated one over TCP") {
    std::string records;
    for (int i = 0; i < 10; ++i)
        records += "big.test TXT \"" + std::string(90, static_cast<char>('a' + i)) + "\"\n";
    Rig rig(records);
    CHECK(rig.lookup("big.test", dns::Type::Txt)->records.size() == 10);
    CHECK(rig.server.tcp_queries == 0);
    rig.server.truncates = true;
    on(rig.loop(), [&] { rig.resolver->cache().clear(); });
    CHECK(rig.lookup("big.test", dns::Type::Txt)->records.size() == 10);
    CHECK(rig.server.tcp_queries >= 1);
}

TEST_CASE("silence and SERVFAIL are unavailable, in time") {
    Rig rig("a.test A 192.0.2.1", be_hasty);
    {
        const std::scoped_lock lock(rig.server.mutex);
        rig.server.zone.break_name(name("silent.test"), dns::Zone::Fault::Silence);
        rig.server.zone.break_name(name("broken.test"), dns::Zone::Fault::ServFail);
    }
    base::SystemClock clock;
    const auto before = clock.now();
    const auto silent = rig.lookup("silent.test", dns::Type::A);
    REQUIRE_FALSE(silent);
    CHECK(silent.error().kind == ErrorKind::Unavailable);
    CHECK(clock.now() - before < 5s);
    CHECK(rig.lookup("broken.test", dns::Type::A).error().kind == ErrorKind::Unavailable);
    CHECK(rig.lookup("a.test", dns::Type::A)->found());
}

TEST_CASE("a question that was lost once is asked again") {
    Rig rig("a.test A 192.0.2.1", [](ResolverOptions& options) { options.timeout = 500ms; });
    {
        const std::scoped_lock lock(rig.server.mutex);
        rig.server.zone.break_name(name("a.test"), dns::Zone::Fault::Silence, 1);
    }
    CHECK(rig.lookup("a.test", dns::Type::A)->found());
    CHECK(rig.server.udp_queries >= 2);
}

TEST_CASE("answers with a wrong id, to another question, or of garbage are not believed") {
    Rig rig("a.test A 192.0.2.1\nb.test A 192.0.2.1\nc.test A 192.0.2.1", be_hasty);
    rig.server.wrong_id_first = true;
    const auto found = rig.lookup("a.test", dns::Type::A);
    REQUIRE(found);
    CHECK(std::get<dns::AddressData>(found->records.at(0).data).address.to_string() == "192.0.2.1");
    rig.server.wrong_id_first = false;
    rig.server.wrong_question = true;
    CHECK_FALSE(rig.lookup("b.test", dns::Type::A));
    rig.server.wrong_question = false;
    rig.server.garbage = true;
    CHECK_FALSE(rig.lookup("c.test", dns::Type::A));
}

TEST_CASE("a server that does not know EDNS is asked without") {
    Rig rig("a.test A 192.0.2.1\nb.test A 192.0.2.2");
    rig.server.knows_edns = false;
    CHECK(rig.lookup("a.test", dns::Type::A)->found());
    CHECK(rig.lookup("b.test", dns::Type::A)->found());
}

TEST_CASE("the next server is asked when the first is silent or fails") {
    Rig second("a.test A 192.0.2.1");
    // The first is a port that nobody listens at.
    auto unused = ::socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(unused, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    ::getsockname(unused, reinterpret_cast<sockaddr*>(&at), &size);
    Rig rig("", [&](ResolverOptions& options) {
        options.servers = {{*IpAddress::parse("127.0.0.1"), ntohs(at.sin_port)},
                           second.server.address()};
    });
    CHECK(rig.lookup("a.test", dns::Type::A)->found());
    ::close(unused);
}

TEST_CASE("the AD bit counts only from a trusted server") {
    for (const auto trust : {TrustAd::Loopback, TrustAd::Always, TrustAd::Never}) {
        Rig rig("a.test A 192.0.2.1", [&](ResolverOptions& options) { options.trust_ad = trust; });
        rig.server.authenticated = true;
        CHECK(rig.lookup("a.test", dns::Type::A)->authenticated == (trust != TrustAd::Never));
        // And it is remembered.
        CHECK(rig.lookup("a.test", dns::Type::A)->authenticated == (trust != TrustAd::Never));
    }
    Rig rig("a.test A 192.0.2.1", [](ResolverOptions& options) {
        options.servers.push_back({*IpAddress::parse("192.0.2.53"), 53});
    });
    bool trusts = true;
    on(rig.loop(), [&] { trusts = rig.resolver->trusts_ad(); });
    CHECK_FALSE(trusts);
}

TEST_CASE("servers are read from a file, and again when it changes") {
    std::string folder = "/tmp/mailcore-dns-XXXXXX";
    REQUIRE(::mkdtemp(folder.data()));
    const auto path = folder + "/resolv.conf";
    std::ofstream(path) << "nameserver 127.0.0.1\nnameserver ::1\n";
    Rig rig("", [&](ResolverOptions& options) {
        options.servers.clear();
        options.resolv_conf = path;
        options.reload_interval = 0ms;
        options.timeout = 20ms;
        options.tries = 1;
    });
    bool trusts = false;
    const auto look = [&] { trusts = rig.resolver->trusts_ad(); };
    on(rig.loop(), look);
    CHECK(trusts);
    // And read again when it is another one.
    std::ofstream(path) << "nameserver 192.0.2.53\n";
    CHECK_FALSE(rig.lookup("a.test", dns::Type::A));
    on(rig.loop(), look);
    CHECK_FALSE(trusts);
    ::unlink(path.c_str());
    ::rmdir(folder.c_str());
}

TEST_CASE("hundreds of lookups at a time, equal ones asked once") {
    std::string records;
    for (int i = 0; i < 200; ++i) records += "h" + std::to_string(i) + ".test A 192.0.2.1\n";
    Rig rig(records);
    struct All {
        static Task<void> one(Resolver& resolver, int i, int& found) {
            const auto answer = co_await resolver.lookup(
                name("h" + std::to_string(i % 200) + ".test"), dns::Type::A);
            found += answer && answer->found();
        }
    };
    int found = 0;
    std::promise<void> over;
    std::optional<Scope> scope;
    rig.loop().post([&] {
        scope.emplace(rig.loop());
        for (int i = 0; i < 400; ++i) scope->spawn(All::one(*rig.resolver, i, found));
        scope->when_empty([&] { over.set_value(); });
    });
    REQUIRE(over.get_future().wait_for(10s) == std::future_status::ready);
    on(rig.loop(), [&] { scope.reset(); });
    CHECK(found == 400);
    CHECK(rig.server.udp_queries < 300); // a few may be lost and asked again
}

TEST_CASE("a resolver is destroyed with questions under way") {
    Rig rig("");
    {
        const std::scoped_lock lock(rig.server.mutex);
        rig.server.zone.break_name(name("silent.test"), dns::Zone::Fault::Silence);
    }
    struct Ask {
        static Task<void> one(Resolver& resolver) {
            const auto answer = co_await resolver.lookup(name("silent.test"), dns::Type::A);
            static_cast<void>(answer);
        }
    };
    std::optional<Scope> scope;
    on(rig.loop(), [&] {
        scope.emplace(rig.loop());
        scope->spawn(Ask::one(*rig.resolver));
    });
    on(rig.loop(), [&] {
        scope.reset();
        rig.resolver.reset();
    });
}
