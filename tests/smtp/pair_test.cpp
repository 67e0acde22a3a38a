// The client's engine and the server's talk to each other, their octets cut as a seed wants.
#include "tests/sim/pair.h"

#include "tests/catch.h"
#include "tests/smtp/memory_client.h"
#include "tests/smtp/memory_server.h"

using namespace mailcore;
using namespace mailcore::smtp;

namespace {

struct World {
    explicit World(std::uint64_t seed)
        : random(seed), client_driver(scheduler), server_driver(scheduler) {
        server_options.dialect = client_options.dialect = chance(4) ? Dialect::Lmtp : Dialect::Smtp;
        server_options.starttls = chance(2);
        server_options.binary_mime = chance(2);
        server_options.mechanisms = {"PLAIN", "LOGIN"};
        server_options.auth_without_tls = ServerOptions::AuthWithoutTls::Always;
        server_options.refuse_early_talkers = false;
        server_options.chunk_octets_max = 1 + random.below(3000);
        server_options.recipients_max = 5;
        client_options.pipelining = chance(2);
        client_options.chunking = chance(2);
        client_options.body_octets_max = 1 + random.below(5000);
        client_options.output_octets_max = 1 + random.below(5000);
        client_options.chunks_under_way_max = 1 + random.below(5);
    }

    bool chance(std::uint64_t one_in) { return random.below(one_in) == 0; }

    void connect() {
        server.options = server_options;
        server.passwords["jo"] = "pw";
        PeerInfo peer;
        auto client_dialogue =
            std::make_unique<MemoryClientDialogue>(client_options, peer, scheduler.now());
        client = client_dialogue.get();
        client_driver.start(std::move(client_dialogue));
        server_driver.start(std::make_unique<MemoryServerDialogue>(server, peer, scheduler.now()));
        pair = std::make_unique<sim::Pair>(scheduler, client_driver, server_driver, &random);
        pair->tls_facts.tls.emplace();
    }

    /// Text of lines that look like ends of messages; every line ends with CRLF, the last one
    /// perhaps not.
    std::string body() {
        static constexpr std::string_view pieces[] = {"\r\n",
                                                      "\r\n",
                                                      ".",
                                                      "..",
                                                      "\r\n.\r\n",
                                                      "QUIT\r\n",
                                                      "BDAT 5 LAST\r\n",
                                                      "A: b",
                                                      "\r\n\r\n",
                                                      "MAIL FROM:<x@y>\r\n",
                                                      "text",
                                                      "ü"};
        std::string text;
        const auto count = chance(3) ? random.below(400) : random.below(12);
        for (std::uint64_t i = 0; i < count; ++i) text += pieces[random.below(std::size(pieces))];
        if (chance(10)) text += std::string(random.below(60'000), 'x');
        return text;
    }

    OutgoingMessage message() {
        static constexpr std::string_view names[] = {"b", "c", "no-such", "full", "quoted name"};
        OutgoingMessage message;
        message.octets = body();
        message.piece_max = 1 + random.below(4000);
        if (!chance(5))
            message.envelope.sender = Path{{"a" + std::to_string(random.below(100)), "c.example"}};
        if (chance(3)) message.envelope.parameters.size = message.octets.size();
        if (chance(3)) message.envelope.parameters.body = BodyType::EightBitMime;
        if (server_options.binary_mime && chance(4))
            message.envelope.parameters.body = BodyType::BinaryMime;
        for (auto count = 1 + random.below(7); count > 0; --count)
            message.envelope.recipients.push_back(
                {Path{{std::string(names[random.below(std::size(names))]), "mx.example"}}, {}});
        return message;
    }

    sim::VirtualScheduler scheduler;
    base::SeededRandom random;
    ServerOptions server_options;
    ClientOptions client_options;
    MemoryServer server;
    MemoryClientDialogue* client = nullptr;
    sim::Driver client_driver, server_driver;
    std::unique_ptr<sim::Pair> pair;
};

/// What a message becomes on its way.
std::string arrived(const OutgoingMessage& sent) {
    auto octets = sent.octets;
    const bool binary = sent.envelope.parameters.body_type() == BodyType::BinaryMime;
    if (!binary && !octets.empty() && !octets.ends_with("\r\n")) octets += "\r\n";
    return octets;
}

bool good(const ForwardPath& path) {
    return path.mailbox.local_part != "no-such" && path.mailbox.local_part != "full";
}

} // namespace

TEST_CASE(
    "every message arrives as it was, for those who were accepted, however the octets are cut") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        INFO("seed " << seed);
        World world(seed);
        world.connect();
        if (world.chance(3))
            world.client->log_in(
                {world.chance(2) ? "PLAIN" : "LOGIN", "jo", "pw", world.chance(2)});
        std::vector<OutgoingMessage> sent;
        for (auto count = world.random.below(6); count > 0; --count)
            sent.push_back(world.message());
        for (const auto& message : sent) world.client->send(message);
        world.client->quit();
        world.client_driver.wake();
        const auto hour = world.scheduler.now() + std::chrono::hours{1};
        REQUIRE(world.pair->run_until(
            [&] { return world.client_driver.closed() && world.server_driver.closed(); }, hour));

        REQUIRE(world.client->done.size() == sent.size());
        REQUIRE(world.client->ended);
        CHECK(world.client->ended->problem == Problem::None);
        std::size_t next = 0;
        for (std::size_t i = 0; i < sent.size(); ++i) {
            std::vector<Path> accepted;
            for (std::size_t r = 0; r < sent[i].envelope.recipients.size(); ++r) {
                const auto& path = sent[i].envelope.recipients[r].path;
                const auto& result = world.client->done[i].recipients[r];
                const bool expected =
                    good(path) && accepted.size() < world.server_options.recipients_max;
                CHECK(result.delivered() == expected);
                CHECK(result.reply.has_value());
                if (!expected) CHECK(result.stage == Stage::Rcpt);
                if (expected) accepted.push_back(path);
            }
            if (accepted.empty()) continue;
            REQUIRE(next < world.server.messages.size());
            const auto& got = world.server.messages[next++];
            CHECK(got.octets == arrived(sent[i]));
            CHECK(got.recipients == accepted);
            CHECK(got.sender == sent[i].envelope.sender);
            CHECK(got.parameters.size == sent[i].envelope.parameters.size);
        }
        CHECK(next == world.server.messages.size());
    }
}

TEST_CASE("where the connection breaks, nothing that was reported as delivered is missing") {
    std::size_t broken = 0, twice = 0;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        INFO("seed " << seed);
        World world(seed);
        world.connect();
        std::vector<OutgoingMessage> sent;
        for (auto count = 1 + world.random.below(4); count > 0; --count)
            sent.push_back(world.message());
        for (const auto& message : sent) world.client->send(message);
        world.client_driver.wake();
        for (auto steps = world.random.below(20); steps > 0; --steps) {
            world.scheduler.run_ready();
            world.server_driver.offer(world.client_driver.take_output());
            if (world.server_driver.wants_tls())
                world.server_driver.tls_started(world.pair->tls_facts);
            world.client_driver.offer(world.server_driver.take_output());
            if (world.client_driver.wants_tls())
                world.client_driver.tls_started(world.pair->tls_facts);
        }
        const auto said = world.client_driver.take_output();
        world.server_driver.offer(
            std::string_view(said).substr(0, world.random.below(said.size() + 1)));
        world.client_driver.cut();
        world.server_driver.end();
        if (!world.server_driver.closed()) world.server_driver.cut();
        std::size_t delivered = 0;
        for (const auto& done : world.client->done)
            delivered += std::ranges::any_of(done.recipients, &RecipientResult::delivered);
        CHECK(world.server.messages.size() >= delivered);
        CHECK(world.server.messages.size() <= delivered + 1);
        broken += delivered < sent.size();
        twice += world.server.messages.size() > delivered;
    }
    CHECK(broken > 100);
    CHECK(twice < broken);
}
