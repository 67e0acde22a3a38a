#include "libmailcore/tls/ticket_keys.h"

#include "tests/tls/pair.h"

using namespace mailcore;
using namespace mailcore::test;
using tls::PeerCheck;

namespace {

struct Site {
    explicit Site(tls::Version version = tls::Version::Tls13)
        : client(client_trusting(certificate_file("root.pem"), version)) {}

    base::SystemRandom random;
    std::shared_ptr<tls::TicketKeys> keys =
        std::make_shared<tls::TicketKeys>(random, std::chrono::hours(12));
    std::shared_ptr<tls::ClientContext> client;

    std::shared_ptr<tls::ServerContext> server() const {
        tls::ServerOptions options;
        options.certificates.push_back(chain("ecdsa"));
        options.ticket_keys = keys;
        return server_context(std::move(options));
    }
};

std::shared_ptr<const tls::ClientTicket> ticket_from(Site& site, tls::ClientTarget target,
                                                     WallTime now = noon) {
    auto pair = make_pair(site.server(), site.client, std::move(target), {}, now);
    pair.run();
    REQUIRE(pair.open());
    CHECK_FALSE(pair.client.resumed());
    REQUIRE(pair.client.ticket() != nullptr);
    return pair.client.ticket();
}

} // namespace

TEST_CASE("a ticket saves the next connection the full handshake") {
    for (const auto version : both_versions) {
        INFO("TLS 1." << 2 + static_cast<int>(version));
        Site site(version);
        auto target = required();
        target.ticket = ticket_from(site, required());
        CHECK(target.ticket->verified);
        for (const std::size_t piece : {1 << 20, 1}) {
            auto each = make_pair(site.server(), site.client, target);
            each.piece_octets = piece;
            each.run();
            REQUIRE(each.open());
            CHECK(each.client.resumed());
            const auto facts = each.client.facts();
            CHECK(facts.peer_verified);
            CHECK(facts.peer_certificate == target.ticket->peer_chain.front());
            CHECK(facts.exporter_binding.size() == (version == tls::Version::Tls13 ? 32 : 0));
            CHECK(facts.exporter_binding == each.server.facts().exporter_binding);
            CHECK(each.server.facts().server_name == "mx.example.test");
            each.client.send("NOOP\r\n");
            each.run();
            CHECK(each.server_got == "NOOP\r\n");
            REQUIRE(each.client.ticket() != nullptr);
            CHECK(each.client.ticket() != target.ticket); // a new one for the next time
        }
    }
}

TEST_CASE("tickets live for one to two periods of their keys") {
    for (const auto version : both_versions) {
        Site site(version);
        auto target = required();
        target.ticket = ticket_from(site, required());
        const auto resumes = [&](std::chrono::hours later) {
            auto pair = make_pair(site.server(), site.client, target, {}, noon + later);
            pair.run();
            REQUIRE(pair.open());
            return pair.client.resumed();
        };
        CHECK(resumes(std::chrono::hours(1)));
        CHECK(resumes(std::chrono::hours(13)));
        CHECK_FALSE(resumes(std::chrono::hours(26)));
        CHECK_FALSE(resumes(std::chrono::hours(100)));
    }
}

TEST_CASE("a ticket is used only where its first connection would have been good enough") {
    Site site;
    const auto unverified = ticket_from(site, unchecked());
    CHECK_FALSE(unverified->verified);
    const auto resumed = [&](tls::ClientTarget target,
                             const std::shared_ptr<const tls::ClientTicket>& ticket) {
        target.ticket = ticket;
        auto pair = make_pair(site.server(), site.client, std::move(target));
        pair.run();
        REQUIRE(pair.open());
        CHECK(pair.client.facts().peer_verified ==
              (pair.client.resumed() ? ticket->verified : true));
        return pair.client.resumed();
    };
    CHECK_FALSE(resumed(required(), unverified));
    CHECK(resumed(unchecked(), unverified));
    CHECK_FALSE(resumed(required("smtp.mail.example.test"), ticket_from(site, required())));
}

TEST_CASE("a ticket of other keys, or nonsense, leads to a full handshake") {
    Site site;
    Site other;
    auto target = required();
    target.ticket = ticket_from(other, required());
    auto pair = make_pair(site.server(), site.client, target);
    pair.run();
    REQUIRE(pair.open());
    CHECK_FALSE(pair.client.resumed());

    target.ticket = std::make_shared<const tls::ClientTicket>(
        tls::ClientTicket{"mx.example.test", true, Secret("nonsense"), {}});
    auto nonsense = make_pair(site.server(), site.client, target);
    nonsense.run();
    REQUIRE(nonsense.open());
    CHECK_FALSE(nonsense.client.resumed());
    CHECK(nonsense.client.facts().peer_verified);
}

TEST_CASE("a server without ticket keys gives none") {
    auto pair = make_pair(server_with(chain("ecdsa")), client_context(), unchecked());
    pair.run();
    CHECK(pair.open());
    CHECK(pair.client.ticket() == nullptr);
}

TEST_CASE("ticket keys change by the clock and remember one before") {
    base::SeededRandom random(7);
    tls::TicketKeys keys(random, std::chrono::hours(1));
    const auto first = keys.at(noon);
    CHECK(keys.at(noon + std::chrono::minutes(59)).generation == first.generation);
    CHECK(keys.at(noon - std::chrono::minutes(59)).generation == first.generation);
    const auto second = keys.at(noon + std::chrono::minutes(60));
    CHECK(second.generation == first.generation + 1);
    CHECK(second.previous.octets == first.current.octets);
    CHECK(second.current.octets != first.current.octets);
    const auto third = keys.at(noon + std::chrono::hours(50));
    CHECK(third.previous.octets != second.current.octets);
    CHECK(keys.lifetime() == std::chrono::hours(2));
    // A clock that is set back far: the key does not stay until the old time comes again.
    const auto back = keys.at(noon - std::chrono::hours(50));
    CHECK(back.current.octets != third.current.octets);
    CHECK(keys.at(noon - std::chrono::hours(49)).current.octets != back.current.octets);
}
