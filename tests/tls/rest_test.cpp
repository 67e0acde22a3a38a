#include "tests/tls/pair.h"

#include <cstdio>
#include <unistd.h>

using namespace mailcore;
using namespace mailcore::test;

namespace {

// Octets of anonymous memory that are resident, of this process.
std::size_t anonymous_octets() {
    std::FILE* file = std::fopen("/proc/self/smaps_rollup", "r");
    if (file == nullptr) return 0;
    char line[256];
    std::size_t kibibytes = 0;
    while (std::fgets(line, sizeof line, file) != nullptr) {
        const std::string_view text(line);
        if (!text.starts_with("Anonymous:")) continue;
        for (const char octet : text)
            if (octet >= '0' && octet <= '9')
                kibibytes = kibibytes * 10 + static_cast<std::size_t>(octet - '0');
    }
    std::fclose(file);
    return kibibytes * 1024;
}

} // namespace

TEST_CASE("a session that rests goes on where it was, in any state of its buffers") {
    const auto server = server_with(chain("ecdsa"));
    for (const auto version : both_versions)
        for (const std::size_t piece : {1 << 20, 1, 7}) {
            INFO("pieces of " << piece << ", TLS 1." << 2 + static_cast<int>(version));
            auto pair = make_pair(server, client_of(version), unchecked());
            pair.piece_octets = piece;
            pair.client.rest();
            pair.server.rest(); // during the handshake it does nothing
            pair.run();
            REQUIRE(pair.open());
            for (int round = 0; round < 20; ++round) {
                pair.client.rest();
                pair.server.rest();
                CHECK(pair.server.plaintext().empty());
                const std::string line(static_cast<std::size_t>(1 + round * 977), 'x');
                CHECK(pair.client.send(line) == line.size());
                pair.client.rest(); // not while it has output
                if (round % 3 == 0) pair.server.send("* OK still here\r\n");
                pair.run();
                CHECK(pair.server_got == line);
                pair.server_got.clear();
            }
            // In the middle of a record it must not rest: the rest of the record still comes.
            pair.client.send("IDLE\r\n");
            const std::string record(pair.client.output().front());
            pair.client.output_sent(record.size());
            for (const char octet : record) {
                CHECK(pair.server.receive({&octet, 1}, noon) == 1);
                pair.server.rest();
            }
            CHECK(pair.server.plaintext() == "IDLE\r\n");
            pair.server.consume(2);
            pair.server.rest();
            CHECK(pair.server.plaintext() == "LE\r\n");
            pair.server.consume(4);
            pair.server.rest();
            pair.server.send("+ idling\r\n");
            pair.run();
            CHECK(pair.client_got.ends_with("+ idling\r\n"));
            pair.server.rest();
            pair.server.close();
            pair.run();
            CHECK(pair.client.state() == tls::State::PeerClosed);
        }
}

TEST_CASE("an idle server session holds at most 13 KiB") {
    tls::ServerOptions options;
    options.certificates.push_back(chain("ecdsa"));
    base::SystemRandom random;
    options.ticket_keys = std::make_shared<tls::TicketKeys>(random);
    const auto server = server_context(std::move(options));
    const auto client = client_context();
    std::vector<tls::Session> sessions;
    constexpr std::size_t count = 400;
    sessions.reserve(count + 50);
    const auto open_one = [&] {
        auto pair = make_pair(server, client, unchecked());
        pair.run();
        pair.client.send("LOGIN\r\n");
        pair.run();
        pair.server.send(std::string(3000, 'x'));
        pair.run();
        pair.server.rest();
        sessions.push_back(std::move(pair.server));
    };
    for (int i = 0; i < 50; ++i) open_one(); // caches and arenas fill
    const auto before = anonymous_octets();
    for (std::size_t i = 0; i < count; ++i) open_one();
    const auto each = (anonymous_octets() - before) / count;
    std::printf("idle TLS server session: %zu octets of anonymous memory, says %zu itself\n", each,
                sessions.back().memory());
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(each <= 13 * 1024);
#else
    static_cast<void>(each); // the sanitizer's own memory outweighs it
#endif
    CHECK(sessions.back().memory() <= 13 * 1024);
}
