#include "libmailcore/tls/session.h"

#include "tests/tls/pair.h"

#include <fmt/format.h>

using namespace mailcore;
using namespace mailcore::test;
using tls::FailureKind;
using tls::State;
using tls::Version;

namespace {

std::shared_ptr<tls::ServerContext> server(const char* name, Version version_min = Version::Tls12) {
    tls::ServerOptions options;
    options.certificates.push_back(chain(name));
    options.version_min = version_min;
    return server_context(std::move(options));
}

std::string pattern(std::size_t octets) {
    base::SeededRandom random(octets);
    std::string text(octets, '\0');
    random.fill({reinterpret_cast<unsigned char*>(text.data()), text.size()});
    return text;
}

} // namespace

TEST_CASE("a handshake and an exchange work however the ciphertext is cut") {
    for (const auto version : both_versions)
        for (const char* name : {"rsa", "ecdsa"}) {
            const auto shared = server(name);
            const auto trusting = client_trusting(certificate_file("root.pem"), version);
            for (const std::size_t piece : {1, 2, 3, 5, 6, 64, 1000, 16384, 1 << 20}) {
                INFO(name << " in pieces of " << piece << ", TLS 1."
                          << 2 + static_cast<int>(version));
                auto pair = make_pair(shared, trusting, required());
                pair.piece_octets = piece;
                pair.run();
                REQUIRE(pair.open());
                CHECK(pair.client.send("EHLO client.example\r\n") == 21);
                pair.run();
                CHECK(pair.server_got == "EHLO client.example\r\n");
                CHECK(pair.server.facts().version ==
                      (version == Version::Tls12 ? "TLSv1.2" : "TLSv1.3"));
                CHECK(pair.server.send("250 mx.example.test\r\n") == 21);
                pair.run();
                CHECK(pair.client_got == "250 mx.example.test\r\n");
                pair.client.close();
                pair.run();
                CHECK(pair.server.state() == State::PeerClosed);
                pair.server.close();
                pair.run();
                pair.server.receive_end();
                CHECK(pair.server.state() == State::Closed);
                CHECK(pair.server.failure() == FailureKind::None);
            }
        }
}

TEST_CASE("the facts of a session are those that were agreed") {
    tls::ServerOptions options;
    options.certificates.push_back(chain("ecdsa"));
    auto target = required("A.Mail.example.test");
    target.alpn = {"pop3", "imap"};
    auto pair = make_pair(server_context(std::move(options)),
                          client_trusting(certificate_file("root.pem")), target, {{"imap"}});
    pair.run();
    REQUIRE(pair.open());
    const auto client = pair.client.facts();
    const auto served = pair.server.facts();
    CHECK(client.version == "TLSv1.3");
    CHECK(served.version == "TLSv1.3");
    CHECK(client.cipher == "TLS_AES_256_GCM_SHA384");
    CHECK(served.cipher == client.cipher);
    CHECK(served.server_name == "a.mail.example.test");
    CHECK(client.alpn == "imap");
    CHECK(served.alpn == "imap");
    CHECK(client.exporter_binding.size() == 32);
    CHECK(client.exporter_binding == served.exporter_binding);
    CHECK(client.peer_verified);
    CHECK_FALSE(served.peer_verified);
    CHECK(served.peer_certificate.empty());
    const auto shown = crypto::read_certificates(client.peer_certificate);
    REQUIRE(shown);
    CHECK(shown->front().covers("mx.example.test"));
    CHECK(pair.client.peer_chain().size() == 2);
}

TEST_CASE("large transfers in both directions arrive whole under back-pressure") {
    const auto upward = pattern(1'500'000);
    const auto downward = pattern(2'000'003);
    for (const auto version : both_versions) {
        auto pair = make_pair(server("ecdsa"), client_of(version), unchecked());
        pair.piece_octets = 5000;
        pair.run();
        REQUIRE(pair.open());
        std::size_t up = 0;
        std::size_t down = 0;
        while (up < upward.size() || down < downward.size()) {
            up += pair.client.send(std::string_view(upward).substr(up));
            down += pair.server.send(std::string_view(downward).substr(down));
            if (!pair.client.output().empty())
                CHECK(pair.client.output().front().size() <=
                      tls::Session::output_octets_max + 17000);
            CHECK(pair.client.memory() < 200'000);
            pair.run();
        }
        CHECK(pair.server_got == upward);
        CHECK(pair.client_got == downward);
    }
}

TEST_CASE("a peer whose plaintext nobody takes is stopped after one record") {
    auto pair = make_pair(server("ecdsa"), client_context(), unchecked());
    pair.run();
    REQUIRE(pair.open());
    pair.server_reads = false;
    const auto text = pattern(200'000);
    std::size_t sent = 0;
    for (int i = 0; i < 100; ++i) {
        sent += pair.client.send(std::string_view(text).substr(sent));
        pair.run();
    }
    CHECK_FALSE(pair.server.wants_input());
    CHECK(pair.server.plaintext().size() == 16383); // one octet of a record is its type
    CHECK(sent < 140'000);                          // the client's own buffer is full
    CHECK(pair.server.memory() < 60'000);
    CHECK(pair.client.send("more") == 0);

    pair.server_got = pair.server.plaintext().substr(0, 100);
    pair.server.consume(100);
    pair.server_reads = true;
    while (pair.server_got.size() < text.size()) {
        sent += pair.client.send(std::string_view(text).substr(sent));
        pair.run();
    }
    CHECK(pair.server_got == text);
}

TEST_CASE("small pieces share a record and large ones do not wait") {
    auto pair = make_pair(server("ecdsa"), client_context(), unchecked());
    pair.run();
    std::vector<std::string> lines;
    for (int i = 0; i < 500; ++i)
        lines.push_back(fmt::format("* {} FETCH (FLAGS (\\Seen))\r\n", i));
    const auto body = pattern(20'000);
    std::vector<std::string_view> pieces(lines.begin(), lines.end());
    pieces.push_back(body);
    pieces.emplace_back(")\r\n");
    std::string all;
    for (const auto piece : pieces) all += piece;
    CHECK(pair.server.send(pieces) == all.size());
    CHECK(pair.server.output().front().size() < all.size() + 4 * 30);
    pair.run();
    CHECK(pair.client_got == all);
}

TEST_CASE("nothing can be sent before the handshake or after the end") {
    auto pair = make_pair(server("ecdsa"), client_context(), unchecked());
    CHECK(pair.client.send("too early") == 0);
    CHECK(pair.server.send("too early") == 0);
    CHECK(pair.server.plaintext().empty());
    pair.run();
    pair.client.close();
    CHECK(pair.client.send("too late") == 0);
    pair.run();
    CHECK(pair.server.send("still open") == 10);
    pair.server.close();
    CHECK(pair.server.send("too late") == 0);
    pair.server.close();
    pair.run();
    CHECK(pair.client_got.empty()); // it had ended its side and reads no more
}

TEST_CASE("what is no TLS fails at once and with an alert") {
    struct Case {
        const char* name;
        std::string octets;
    };
    const Case cases[] = {
        {"an SMTP command", "EHLO client.example\r\n"},
        {"an HTTP request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"zeros", std::string(600, '\0')},
        {"a record of a later kind", std::string("\x18\x03\x03\x00\x02\x01\x00", 7)},
        {"a handshake record of SSL 2",
         std::string("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", 11)},
        {"a record longer than any", std::string("\x16\x03\x01\xff\xff\x01", 6)},
        {"an empty handshake record", std::string("\x16\x03\x01\x00\x00\x16\x03\x01\x00\x00", 10)},
        {"an alert in front of all", std::string("\x15\x03\x01\x00\x02\x02\x28", 7)},
        {"application data in front of all", std::string("\x17\x03\x03\x00\x05hello", 10)},
        {"a ClientHello that is too short",
         std::string("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", 10)},
        {"a ClientHello of 16 MiB",
         std::string("\x16\x03\x01\x40\x00\x01\xff\xff\xff", 9) + std::string(16380, 'x') +
             std::string("\x16\x03\x01\x40\x00", 5) + std::string(16384, 'x')},
    };
    const auto shared = server("ecdsa");
    for (const auto& c : cases) {
        for (const std::size_t piece : {std::size_t{1}, c.octets.size()}) {
            INFO(c.name << " in pieces of " << piece);
            auto session = tls::Session::accept(shared, {}, noon);
            for (std::size_t at = 0; at < c.octets.size(); at += piece)
                CHECK(session.receive(std::string_view(c.octets).substr(at, piece), noon) ==
                      std::min(piece, c.octets.size() - at));
            REQUIRE(session.state() == State::Failed);
            CHECK(session.failure() != FailureKind::None);
            CHECK_FALSE(session.failure_text().empty());
            CHECK(session.memory() < 120'000);
            CHECK(session.receive("more", noon) == 4);
            session.rest();
            session.close();
            CHECK(session.state() == State::Failed);
        }
    }
}

TEST_CASE("an end without close_notify is a truncation") {
    auto pair = make_pair(server("ecdsa"), client_context(), unchecked());
    pair.run();
    pair.server.send("half a lin");
    pair.run();
    pair.client.receive_end();
    CHECK(pair.client.state() == State::Failed);
    CHECK(pair.client.failure() == FailureKind::Truncated);
    CHECK(pair.client_got == "half a lin");

    auto early = make_pair(server("ecdsa"), client_context(), unchecked());
    early.server.receive_end();
    CHECK(early.server.failure() == FailureKind::Truncated);
}

TEST_CASE("a handshake that is cut off at any octet fails as truncated and never opens") {
    const auto shared = server("ecdsa");
    std::string hello;
    {
        auto client = tls::Session::connect(client_context(), unchecked(), noon);
        hello = client.output().front();
    }
    for (std::size_t cut = 0; cut < hello.size(); ++cut) {
        auto session = tls::Session::accept(shared, {}, noon);
        CHECK(session.receive(std::string_view(hello).substr(0, cut), noon) == cut);
        CHECK(session.state() == State::Handshaking);
        session.receive_end();
        CHECK(session.failure() == FailureKind::Truncated);
    }
}

TEST_CASE("an altered octet anywhere in a record is found") {
    const auto shared = server("ecdsa");
    for (int at = 0; at < 40; ++at) {
        auto pair = make_pair(shared, client_context(), unchecked());
        pair.run();
        pair.client.send("QUIT\r\n");
        std::string record(pair.client.output().front());
        record[static_cast<std::size_t>(at) % record.size()] ^= 0x40;
        CHECK(pair.server.receive(record, noon) <= record.size());
        CHECK(pair.server.plaintext().empty());
        // A changed length leaves the record unfinished.
        CHECK((pair.server.state() == State::Failed || pair.server.state() == State::Open));
        pair.server.receive_end();
        CHECK(pair.server.state() == State::Failed);
    }
}

TEST_CASE(
    "the suites of TLS 1.2 are agreed by the server's preference, old ones only if asked for") {
    for (const auto ciphers : {tls::Ciphers::Modern, tls::Ciphers::Compatible}) {
        tls::ServerOptions options;
        options.certificates.push_back(chain("rsa"));
        options.version_max = Version::Tls12;
        options.ciphers = ciphers;
        auto pair = make_pair(server_context(std::move(options)), client_context(), unchecked());
        pair.run();
        REQUIRE(pair.open());
        CHECK(pair.server.facts().cipher == "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
        CHECK(pair.server.facts().exporter_binding.empty());
    }
    // A ClientHello of TLS 1.2 with ECDHE-RSA-AES128-SHA256 (CBC) only, X25519 and
    // RSA-PKCS1-SHA256.
    const std::string extensions("\x00\x0a\x00\x04\x00\x02\x00\x1d\x00\x0b\x00\x02\x01\x00"
                                 "\x00\x0d\x00\x04\x00\x02\x04\x01",
                                 22);
    std::string body("\x03\x03", 2);
    body += std::string(32, 'r');
    body += std::string("\x00\x00\x02\xc0\x27\x01\x00\x00\x16", 9) + extensions;
    const auto size = [](std::size_t octets) { return static_cast<char>(octets); };
    const std::string hello = std::string("\x16\x03\x01\x00", 4) + size(body.size() + 4) +
                              std::string("\x01\x00\x00", 3) + size(body.size()) + body;
    for (const auto ciphers : {tls::Ciphers::Modern, tls::Ciphers::Compatible}) {
        tls::ServerOptions options;
        options.certificates.push_back(chain("rsa"));
        options.ciphers = ciphers;
        auto session = tls::Session::accept(server_context(std::move(options)), {}, noon);
        session.receive(hello, noon);
        INFO(session.failure_text());
        CHECK((session.state() == State::Handshaking) == (ciphers == tls::Ciphers::Compatible));
        if (ciphers == tls::Ciphers::Modern) CHECK(session.failure() == FailureKind::Negotiation);
    }
}

TEST_CASE("versions below the minimum are refused") {
    auto modern_only =
        make_pair(server("ecdsa", Version::Tls13), client_of(Version::Tls12), unchecked());
    modern_only.run();
    CHECK(modern_only.server.failure() == FailureKind::Negotiation);
    CHECK(modern_only.client.failure() == FailureKind::PeerAlert);
    CHECK(modern_only.client.failure_text() == "the peer refused: protocol_version (70)");
    // A ClientHello of TLS 1.1 without supported_versions.
    std::string hello("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x02", 11);
    hello += std::string(32, 'r');
    hello += std::string("\x00\x00\x04\xc0\x2b\xc0\x2f\x01\x00", 9);
    auto session = tls::Session::accept(server("ecdsa"), {}, noon);
    session.receive(hello, noon);
    CHECK(session.state() == State::Failed);
    REQUIRE_FALSE(session.output().empty());
    CHECK(session.output().front().substr(0, 1) == "\x15"); // an alert says so
}
