#include "libmailcore/server/config_keys.h"

#include "tests/catch.h"

#include <fstream>
#include <iterator>

using namespace mailcore;
using server::parse_config;

TEST_CASE("a documented file with every key reads back as what it was made of") {
    server::Config config;
    config.hostname = "mx.example.test";
    config.relay_networks = {"192.0.2.0/24"};
    config.retry_waits = {std::chrono::seconds{1}, std::chrono::seconds{2}};
    config.listen.push_back({server::ServiceKind::Imaps, {"127.0.0.1", "::1"}, 1993, "", false});
    config.listen.push_back({server::ServiceKind::Lmtp, {}, 24, "lmtp.sock", false});
    config.certificates.push_back({"tls/cert.pem", "tls/key.pem"});
    config.routes.push_back({"*", "relay.example.net", 587, "verified", "me", "pw"});
    const auto text = server::documented_config(config);
    const auto again = parse_config(text);
    INFO(text);
    REQUIRE(again);
    CHECK(server::documented_config(*again) == text);
    CHECK(again->listen.size() == 2);
    CHECK(again->listen[0].addresses.size() == 2);
    CHECK(again->listen[1].path == "lmtp.sock");
    CHECK(again->retry_waits.size() == 2);
    CHECK(again->routes[0].user == "me");
}

TEST_CASE("a mistake is named with its line, its column and what was expected") {
    struct Case {
        const char* name;
        std::string_view text;
        std::string_view error;
    };
    static constexpr Case cases[] = {
        {"syntax", "[server]\nhostname = \n", "f:2:12"},
        {"unknown section", "[sever]\n", "f:1:2: sever: no such section"},
        {"unknown key", "[server]\nhostnam = \"x\"\n", "f:2:1: server.hostnam: no such key"},
        {"wrong type", "[server]\nhostname = 5\n",
         "f:2:12: server.hostname: expected a text in quotes"},
        {"negative", "[server]\nhostname=\"x\"\nloops = -1\n",
         "f:3:9: server.loops: expected a whole number from 0 to 4294967295"},
        {"choice", "[server]\nhostname=\"x\"\n[log]\nlevel = \"loud\"\n",
         "f:4:9: log.level: expected one of debug, info, warning, error"},
        {"no hostname", "[server]\n", "f:1:1: server.hostname: expected the name of this host"},
        {"network", "[server]\nhostname=\"x\"\n[smtp]\nrelay_networks = [\"10\"]\n",
         "f:4:18: smtp.relay_networks: expected networks like 192.0.2.0/24, not 10"},
        {"service", "[server]\nhostname=\"x\"\n[[listen]]\nservice=\"smpt\"\n",
         "f:3:1: listen: expected service ="},
        {"port", "[server]\nhostname=\"x\"\n[[listen]]\nservice=\"smtp\"\nport=70000\n",
         "f:3:1: listen: expected port = 0 to 65535"},
        {"certificate", "[server]\nhostname=\"x\"\n[[certificate]]\nfile=\"a\"\n",
         "f:3:1: certificate: expected file and key"},
        {"memory", "[server]\nhostname=\"x\"\nmemory_max = 1000\n",
         "f:3:14: server.memory_max: expected 0, or 67108864 or more"},
        {"connection memory", "[server]\nhostname=\"x\"\nconnection_memory_max = 0\n",
         "f:3:25: server.connection_memory_max: expected 1048576 or more"},
        {"idle", "[server]\nhostname=\"x\"\n[imap]\nidle_time = 60\n",
         "f:4:13: imap.idle_time: expected 1800 or more"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto config = parse_config(c.text);
        REQUIRE_FALSE(config);
        const auto told = config.error().to_string("f");
        INFO(told);
        CHECK(told.starts_with(c.error));
    }
}

TEST_CASE("the manual has every key") {
    const auto manual = server::config_manual();
    for (const auto& facts : server::config_keys()) {
        CHECK(manual.contains("`" + facts.key + "`"));
        CHECK(facts.meaning.ends_with('.'));
    }
}

TEST_CASE("the manual that lies beside the server is the one that the keys give") {
    std::ifstream file(MAILCORE_SOURCE_DIR "/hosts/mdserver/mdserver.toml.md");
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    INFO("write it anew with: mdserver manual > hosts/mdserver/mdserver.toml.md");
    CHECK(text == server::config_manual());
}
