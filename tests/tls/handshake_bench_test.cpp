// How many handshakes a core does; run with `cmake/test --module tls [bench]`.
#include "tests/tls/pair.h"

#include <chrono>
#include <cstdio>

using namespace mailcore;
using namespace mailcore::test;

namespace {

double cpu_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Milliseconds of CPU that the server's half of a handshake takes.
double server_ms(const std::shared_ptr<tls::ServerContext>& server,
                 const std::shared_ptr<tls::ClientContext>& client,
                 const tls::ClientTarget& target) {
    constexpr int rounds = 300;
    double spent = 0;
    for (int i = 0; i < rounds; ++i) {
        auto pair = make_pair(server, client, target);
        while (!pair.open()) {
            const auto hello =
                std::string(pair.client.output().empty() ? "" : pair.client.output().front());
            pair.client.output_sent(hello.size());
            const auto before = cpu_seconds();
            REQUIRE(pair.server.receive(hello, noon) == hello.size());
            spent += cpu_seconds() - before;
            const auto answer =
                std::string(pair.server.output().empty() ? "" : pair.server.output().front());
            pair.server.output_sent(answer.size());
            REQUIRE(pair.client.receive(answer, noon) == answer.size());
        }
    }
    return spent / rounds * 1e3;
}

} // namespace

TEST_CASE("handshakes a second on one core", "[.][bench]") {
    base::SystemRandom random;
    for (const auto version : both_versions) {
        for (const char* name : {"p256", "ecdsa", "rsa"}) {
            tls::ServerOptions options;
            options.certificates.push_back(
                std::string_view(name) == "p256" ? self_signed({"mx.example.test"}) : chain(name));
            options.ticket_keys = std::make_shared<tls::TicketKeys>(random);
            const auto server = server_context(std::move(options));
            const auto client = client_of(version);
            const auto full = server_ms(server, client, unchecked());
            auto target = unchecked();
            auto first = make_pair(server, client, target);
            first.run();
            target.ticket = first.client.ticket();
            const auto resumed = server_ms(server, client, target);
            std::printf("TLS 1.%d %-5s  full %.2f ms (%.0f/s)  resumed %.2f ms (%.0f/s)\n",
                        version == tls::Version::Tls12 ? 2 : 3, name, full, 1e3 / full, resumed,
                        1e3 / resumed);
        }
    }
}

TEST_CASE("octets a second on one core", "[.][bench]") {
    for (const auto version : both_versions) {
        auto pair = make_pair(server_with(chain("ecdsa")), client_of(version), unchecked());
        pair.run();
        const std::string block(64 * 1024, 'x');
        double sending = 0;
        std::size_t octets = 0;
        double receiving = 0;
        constexpr int rounds = 2000;
        for (int i = 0; i < rounds; ++i) {
            auto before = cpu_seconds();
            const auto taken = pair.server.send(block);
            sending += cpu_seconds() - before;
            octets += taken;
            const std::string records(pair.server.output().front());
            pair.server.output_sent(records.size());
            before = cpu_seconds();
            std::string_view rest = records;
            while (!rest.empty()) {
                rest.remove_prefix(pair.client.receive(rest, noon));
                pair.client.consume(pair.client.plaintext().size());
            }
            receiving += cpu_seconds() - before;
        }
        const auto megabytes = static_cast<double>(octets) / 1e6;
        std::printf("TLS 1.%d %s  send %.0f MB/s  receive %.0f MB/s\n",
                    version == tls::Version::Tls12 ? 2 : 3, pair.server.facts().cipher.c_str(),
                    megabytes / sending, megabytes / receiving);
    }
}
