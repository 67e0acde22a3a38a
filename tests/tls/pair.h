// A client and a server in one process: their ciphertext is carried by hand, in pieces of a chosen
// size.
#pragma once

#include "libmailcore/base/random.h"
#include "libmailcore/tls/session.h"
#include "tests/catch.h"

#include <cstdio>
#include <string>

namespace mailcore::test {

inline const WallTime noon =
    base::wall_time(1811851200); // 2027-06-01 12:00, inside all certificates here

inline std::string read_text(const std::string& path) {
    std::string content;
    std::FILE* file = std::fopen(path.c_str(), "rb");
    REQUIRE(file != nullptr);
    char buffer[4096];
    for (std::size_t got; (got = std::fread(buffer, 1, sizeof buffer, file)) > 0;)
        content.append(buffer, got);
    std::fclose(file);
    return content;
}

inline std::string certificate_file(const std::string& name) {
    return read_text(std::string(MAILCORE_SOURCE_DIR "/tests/tls/certificates/") + name);
}

/// "rsa", "ecdsa" or "common-name-only"; see certificates/README.md.
inline crypto::CertificateAndKey chain(const std::string& name) {
    return {certificate_file(name + ".pem"), Secret(certificate_file(name + ".key"))};
}

inline crypto::CertificateAndKey self_signed(std::vector<std::string> names,
                                             WallTime from = noon - std::chrono::days(1),
                                             WallTime until = noon + std::chrono::days(90)) {
    base::SystemRandom random;
    auto made = crypto::make_self_signed({std::move(names), from, until}, random);
    REQUIRE(made);
    return *std::move(made);
}

inline std::shared_ptr<tls::ServerContext> server_context(tls::ServerOptions options) {
    base::SystemRandom random;
    auto credentials = tls::ServerCredentials::create(std::move(options), random);
    REQUIRE(credentials);
    auto context = tls::ServerContext::create(*credentials);
    REQUIRE(context);
    return *context;
}

inline std::shared_ptr<tls::ServerContext> server_with(crypto::CertificateAndKey certificate) {
    tls::ServerOptions options;
    options.certificates.push_back(std::move(certificate));
    return server_context(std::move(options));
}

inline std::shared_ptr<tls::Authorities> authorities(std::string pem) {
    return std::make_shared<tls::Authorities>([pem] { return Result<std::string>(pem); });
}

inline std::shared_ptr<tls::ClientContext> client_context(tls::ClientOptions options = {}) {
    base::SystemRandom random;
    auto context = tls::ClientContext::create(std::move(options), random);
    REQUIRE(context);
    return *context;
}

inline std::shared_ptr<tls::ClientContext>
client_trusting(const std::string& pem, tls::Version version_max = tls::Version::Tls13) {
    tls::ClientOptions options;
    options.version_max = version_max;
    options.authorities = authorities(pem);
    return client_context(std::move(options));
}

inline const tls::Version both_versions[] = {tls::Version::Tls12, tls::Version::Tls13};

inline std::shared_ptr<tls::ClientContext> client_of(tls::Version version) {
    tls::ClientOptions options;
    options.version_max = version;
    return client_context(std::move(options));
}

struct Pair {
    tls::Session client;
    tls::Session server;
    std::size_t piece_octets = 1 << 20; ///< how much ciphertext goes over at a time
    WallTime now = noon;
    std::string client_got;
    std::string server_got;
    bool client_reads = true;
    bool server_reads = true;

    /// Carries ciphertext and takes plaintext until nothing moves any more.
    void run() {
        bool moved = true;
        while (moved) {
            moved = carry(client, server);
            moved = carry(server, client) || moved;
            if (client_reads) moved = take(client, client_got) || moved;
            if (server_reads) moved = take(server, server_got) || moved;
        }
    }

    bool open() const {
        return client.state() == tls::State::Open && server.state() == tls::State::Open;
    }

  private:
    bool carry(tls::Session& from, tls::Session& to) {
        bool moved = false;
        while (!from.output().empty()) {
            const auto piece = from.output().front().substr(0, piece_octets);
            const auto taken = to.receive(piece, now);
            REQUIRE(taken <= piece.size());
            if (taken == 0) break;
            from.output_sent(taken);
            moved = true;
        }
        return moved;
    }
    static bool take(tls::Session& session, std::string& into) {
        const auto octets = session.plaintext();
        if (octets.empty()) return false;
        into += octets;
        session.consume(octets.size());
        return true;
    }
};

inline Pair make_pair(std::shared_ptr<tls::ServerContext> server,
                      std::shared_ptr<tls::ClientContext> client, tls::ClientTarget target,
                      const tls::ServiceSettings& service = {}, WallTime now = noon) {
    return Pair{.client = tls::Session::connect(std::move(client), std::move(target), now),
                .server = tls::Session::accept(std::move(server), service, now),
                .now = now};
}

inline tls::ClientTarget unchecked(std::string name = "mx.example.test") {
    return {.server_name = std::move(name), .check = tls::PeerCheck::Unchecked};
}
inline tls::ClientTarget required(std::string name = "mx.example.test") {
    return {.server_name = std::move(name), .check = tls::PeerCheck::Required};
}

} // namespace mailcore::test
