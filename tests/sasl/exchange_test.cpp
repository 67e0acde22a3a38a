// Both halves of each mechanism: the standards' examples, each other, and garbage.
#include "libmailcore/sasl/client.h"
#include "libmailcore/sasl/server.h"

#include "libmailcore/codec/base64.h"
#include "libmailcore/sasl/detail/scram_message.h"
#include "tests/catch.h"

using namespace mailcore;
using namespace mailcore::sasl;
using namespace std::string_literals;

namespace {

struct Rig {
    base::SeededRandom random{7};
    ServerOptions options;
    std::unique_ptr<ServerExchange> server;

    Rig() { options.fake_salt_key = Secret("0123456789abcdef"); }
    ServerStep start(Mechanism mechanism, std::optional<std::string_view> initial) {
        server = ServerExchange::create(mechanism, options, random);
        return server->start(initial);
    }
};

std::string shown(const ServerStep& step) {
    return std::visit(
        [](const auto& each) -> std::string {
            using Step = std::decay_t<decltype(each)>;
            if constexpr (std::is_same_v<Step, Challenge>) return "challenge " + each.octets;
            if constexpr (std::is_same_v<Step, NeedPassword>)
                return "password " + each.authzid + "|" + each.authcid + "|" +
                       std::string(each.password.reveal());
            if constexpr (std::is_same_v<Step, NeedScramKeys>)
                return "keys " + each.authzid + "|" + each.authcid;
            if constexpr (std::is_same_v<Step, NeedExternal>) return "external " + each.authzid;
            if constexpr (std::is_same_v<Step, Success>)
                return "success " + each.authzid + "|" + each.authcid + "|" +
                       each.data.value_or("-");
            if constexpr (std::is_same_v<Step, Failure>) {
                switch (each.reason) {
                case FailureReason::Malformed: return "malformed";
                case FailureReason::Refused: return "refused";
                case FailureReason::Unavailable: return "unavailable";
                case FailureReason::Unsupported: return "unsupported";
                }
            }
            return "?";
        },
        step);
}

ScramKeys keys_of(ScramHash hash, std::string_view password, const std::string& salt_base64,
                  unsigned iterations) {
    // By way of the textual form: keys with a chosen salt.
    const auto salt = *codec::base64_decode(salt_base64);
    const auto salted = sasl::detail::salted_password(hash, password, salt, iterations);
    ScramKeys keys;
    keys.hash = hash;
    keys.salt = salt;
    keys.iterations = iterations;
    keys.stored_key = sasl::detail::digest(hash, sasl::detail::hmac(hash, salted, "Client Key"));
    keys.server_key = sasl::detail::hmac(hash, salted, "Server Key");
    return keys;
}

} // namespace

TEST_CASE("mechanisms have names") {
    for (int i = 0; i <= static_cast<int>(Mechanism::External); ++i) {
        const auto mechanism = static_cast<Mechanism>(i);
        CHECK(parse_mechanism(to_string(mechanism)) == mechanism);
    }
    CHECK(parse_mechanism("scram-sha-256-plus") == Mechanism::ScramSha256Plus);
    CHECK_FALSE(parse_mechanism("CRAM-MD5"));
    CHECK_FALSE(parse_mechanism(""));
}

TEST_CASE("PLAIN takes what RFC 4616 allows") {
    const std::string long255(255, 'x');
    const std::string long1024(1024, 'x');
    struct Case {
        const char* name;
        std::string message;
        std::string expected;
    };
    const Case cases[] = {
        {"the first example", "\0tim\0tanstaaftanstaaf"s, "password |tim|tanstaaftanstaaf"},
        {"the second example", "Ursel\0Kurt\0xipj3plmq"s, "password Ursel|Kurt|xipj3plmq"},
        {"255 octets each", long255 + "\0"s + long255 + "\0"s + long255,
         "password " + long255 + "|" + long255 + "|" + long255},
        {"UTF-8", "\0m\u00FCller\0p\u00E4ss"s, "password |m\u00FCller|p\u00E4ss"},
        {"nothing", "", "malformed"},
        {"one NUL", "\0tim"s, "malformed"},
        {"no name", "\0\0secret"s, "malformed"},
        {"no password", "\0tim\0"s, "malformed"},
        {"three NULs", "\0tim\0secret\0"s, "malformed"},
        {"not UTF-8", "\0tim\0\xff"s, "malformed"},
        {"a name not UTF-8", "\0t\xc3\0secret"s, "malformed"},
        {"a name too long", "\0"s + long1024 + "x\0secret"s, "malformed"},
        {"a password too long", "\0tim\0"s + long1024 + "x", "malformed"},
        {"a message too long", std::string(8193, 'x'), "malformed"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        Rig with;
        CHECK(shown(with.start(Mechanism::Plain, c.message)) == c.expected);
        Rig without;
        CHECK(shown(without.start(Mechanism::Plain, std::nullopt)) == "challenge ");
        CHECK(shown(without.server->receive(c.message)) == c.expected);
    }
}

TEST_CASE("a verdict ends the exchange") {
    struct Case {
        Verdict verdict;
        const char* expected;
    };
    const Case cases[] = {
        {Verdict::Good, "success boss|tim|-"},
        {Verdict::Bad, "refused"},
        {Verdict::Unavailable, "unavailable"},
    };
    for (const auto& c : cases) {
        Rig rig;
        rig.start(Mechanism::Plain, "boss\0tim\0secret"s);
        CHECK(shown(rig.server->answer(c.verdict)) == c.expected);
    }
}

TEST_CASE("LOGIN asks for both, or takes the name with the command") {
    Rig rig;
    CHECK(shown(rig.start(Mechanism::Login, std::nullopt)) == "challenge Username:");
    CHECK(shown(rig.server->receive("tim")) == "challenge Password:");
    CHECK(shown(rig.server->receive("secret")) == "password |tim|secret");
    CHECK(shown(rig.server->answer(Verdict::Good)) == "success |tim|-");

    CHECK(shown(rig.start(Mechanism::Login, "tim")) == "challenge Password:");
    CHECK(shown(rig.start(Mechanism::Login, "")) == "malformed");
    CHECK(shown(rig.start(Mechanism::Login, "t\0im"s)) == "malformed");
    rig.start(Mechanism::Login, "tim");
    CHECK(shown(rig.server->receive("")) == "malformed");
}

TEST_CASE("EXTERNAL leaves the question to what lies below") {
    Rig rig;
    CHECK(shown(rig.start(Mechanism::External, "")) == "external ");
    CHECK(shown(rig.server->answer(Verdict::Good)) == "success ||-");
    CHECK(shown(rig.start(Mechanism::External, std::nullopt)) == "challenge ");
    CHECK(shown(rig.server->receive("fred@example.test")) == "external fred@example.test");
    CHECK(shown(rig.start(Mechanism::External, "a\0b"s)) == "malformed");
}

TEST_CASE("SCRAM goes as RFC 5802 §5 and RFC 7677 §3 show") {
    struct Case {
        Mechanism mechanism;
        std::string client_nonce, server_nonce, salt;
        std::string client_first, server_first, client_final, server_final;
    };
    const Case cases[] = {
        {Mechanism::ScramSha1, "fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j", "QSXCR+Q6sek8bf92",
         "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
         "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
         "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
         "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="},
        {Mechanism::ScramSha256, "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
         "W22ZaJ0SNY7soEsUEjb6gQ==", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
         "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
         "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
         "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
         "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
    };
    for (const auto& c : cases) {
        INFO(to_string(c.mechanism));
        Rig rig;
        rig.options.nonce = c.server_nonce;
        CHECK(shown(rig.start(c.mechanism, c.client_first)) == "keys |user");
        CHECK(shown(rig.server->answer_keys(keys_of(scram_hash(c.mechanism), "pencil", c.salt,
                                                    4096))) == "challenge " + c.server_first);
        CHECK(shown(rig.server->receive(c.client_final)) == "challenge " + c.server_final);
        CHECK(shown(rig.server->receive("")) == "success |user|-");

        ClientOptions options;
        options.nonce = c.client_nonce;
        auto client = *ClientExchange::create(
            c.mechanism, Credentials{"", "user", Secret("pencil")}, options, rig.random);
        CHECK(client->initial_response()->reveal() == c.client_first);
        CHECK(client->respond(c.server_first)->reveal() == c.client_final);
        CHECK(client->respond(c.server_final)->empty());
        CHECK(client->succeed(std::nullopt));
    }
}

TEST_CASE("both halves agree, whatever the names, passwords and variants") {
    struct Case {
        const char* name;
        Mechanism mechanism;
        const char* authzid;
        const char* authcid;
        const char* password;
        bool success_data;
        bool initial;
    };
    const Case cases[] = {
        {"plain", Mechanism::Plain, "", "tim@example.test", "pencil", false, true},
        {"plain without initial response", Mechanism::Plain, "boss", "tim", "x", false, false},
        {"login", Mechanism::Login, "", "tim", "pencil", false, false},
        {"scram", Mechanism::ScramSha256, "", "tim", "pencil", false, true},
        {"scram, server asked first", Mechanism::ScramSha256, "", "tim", "pencil", false, false},
        {"scram with data", Mechanism::ScramSha256, "boss", "tim", "pencil", true, true},
        {"scram, names to escape", Mechanism::ScramSha256, "a=b,c", "=,=", "p=,p", false, true},
        {"scram, composed password", Mechanism::ScramSha256, "", "t\u00EFm", "u\u0308\u00A0x",
         false, true},
        {"scram, SHA-1", Mechanism::ScramSha1, "", "tim", "pencil", false, true},
        {"bound", Mechanism::ScramSha256Plus, "", "tim", "pencil", false, true},
        {"bound, SHA-1", Mechanism::ScramSha1Plus, "boss", "tim", "pencil", true, true},
        {"external", Mechanism::External, "tim", "", "", false, true},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        Rig rig;
        rig.options.success_data = c.success_data;
        ClientOptions options;
        if (binds_channel(c.mechanism)) {
            rig.options.binding = ChannelBinding{"tls-exporter", std::string(32, '\x01')};
            options.binding = rig.options.binding;
            options.plus_offered = true;
        }
        auto client = *ClientExchange::create(c.mechanism,
                                              Credentials{c.authzid, c.authcid, Secret(c.password)},
                                              options, rig.random);
        std::optional<Secret> initial;
        if (c.initial) initial = client->initial_response();
        auto step =
            rig.start(c.mechanism, initial ? std::optional(initial->reveal()) : std::nullopt);
        for (int turns = 0; turns < 10; ++turns) {
            if (const auto* challenge = std::get_if<Challenge>(&step)) {
                const auto response = client->respond(challenge->octets);
                REQUIRE(response);
                step = rig.server->receive(response->reveal());
            } else if (const auto* need = std::get_if<NeedPassword>(&step)) {
                CHECK(need->authcid == c.authcid);
                CHECK(need->password.reveal() == c.password);
                step = rig.server->answer(Verdict::Good);
            } else if (const auto* keys = std::get_if<NeedScramKeys>(&step)) {
                CHECK(keys->authzid == c.authzid);
                step = rig.server->answer_keys(*make_scram_keys(keys->hash, Secret(c.password),
                                                                rig.random, scram_iterations_min));
            } else if (std::holds_alternative<NeedExternal>(step)) {
                step = rig.server->answer(Verdict::Good);
            } else {
                break;
            }
        }
        const auto* success = std::get_if<Success>(&step);
        REQUIRE(success);
        CHECK(success->authzid == c.authzid);
        CHECK(success->authcid == c.authcid);
        CHECK(client->succeed(success->data ? std::optional<std::string_view>(*success->data)
                                            : std::nullopt));
    }
}

TEST_CASE("a SCRAM client's first message is refused where it is wrong") {
    const std::string nonce = "r=abcdefgh";
    struct Case {
        const char* name;
        std::string message;
        const char* expected;
    };
    const Case cases[] = {
        {"good", "n,,n=tim," + nonce, "keys |tim"},
        {"acts as somebody", "n,a=boss,n=tim," + nonce, "keys boss|tim"},
        {"escapes", "n,,n=a=2Cb=3Dc," + nonce, "keys |a,b=c"},
        {"unknown extensions", "n,,n=tim," + nonce + ",x=1,y=2", "keys |tim"},
        {"could bind, saw nothing", "y,,n=tim," + nonce, "keys |tim"},
        {"name is prepared", "n,,n=\u2168," + nonce, "keys |IX"},
        {"empty", "", "malformed"},
        {"no flag", ",,n=tim," + nonce, "malformed"},
        {"unknown flag", "z,,n=tim," + nonce, "malformed"},
        {"flag without comma", "n", "malformed"},
        {"binding without name", "p=,,n=tim," + nonce, "malformed"},
        {"wants binding", "p=tls-unique,,n=tim," + nonce, "unsupported"},
        {"mandatory extension", "n,,m=x,n=tim," + nonce, "unsupported"},
        {"mandatory extension at the end", "n,,n=tim," + nonce + ",m=x", "malformed"},
        {"empty authzid", "n,a=,n=tim," + nonce, "malformed"},
        {"no second comma", "n,n=tim," + nonce, "malformed"},
        {"no name", "n,," + nonce, "malformed"},
        {"empty name", "n,,n=," + nonce, "malformed"},
        {"bad escape", "n,,n=a=2c," + nonce, "malformed"},
        {"escape at the end", "n,,n=a=," + nonce, "malformed"},
        {"NUL in the name", "n,,n=a\0b,"s + nonce, "malformed"},
        {"name not UTF-8", "n,,n=\xff," + nonce, "malformed"},
        {"name with a control", "n,,n=a\x01," + nonce, "malformed"},
        {"name of nothing", "n,,n=\u00AD," + nonce, "malformed"},
        {"no nonce", "n,,n=tim", "malformed"},
        {"empty nonce", "n,,n=tim,r=", "malformed"},
        {"nonce with a space", "n,,n=tim,r=a b", "malformed"},
        {"broken extension", "n,,n=tim," + nonce + ",x", "malformed"},
        {"too long", "n,,n=tim,r=" + std::string(9000, 'x'), "malformed"},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        Rig rig;
        CHECK(shown(rig.start(Mechanism::ScramSha256, c.message)) == c.expected);
    }
}

TEST_CASE("a SCRAM client's final message is refused where it is wrong") {
    const auto attempt = [](auto change, bool known = true) {
        Rig rig;
        rig.options.nonce = "server";
        rig.start(Mechanism::ScramSha256, "n,,n=user,r=client");
        const auto keys = keys_of(ScramHash::Sha256, "pencil", "W22ZaJ0SNY7soEsUEjb6gQ==", 4096);
        const auto first = rig.server->answer_keys(known ? std::optional(keys) : std::nullopt);
        ClientOptions options;
        options.nonce = "client";
        auto client = *ClientExchange::create(
            Mechanism::ScramSha256, Credentials{"", "user", Secret("pencil")}, options, rig.random);
        static_cast<void>(client->initial_response());
        const auto final_message = client->respond(std::get<Challenge>(first).octets);
        REQUIRE(final_message);
        return shown(rig.server->receive(change(std::string(final_message->reveal()))));
    };
    const auto replaced = [](std::string_view what, std::string_view with) {
        return [=](std::string message) {
            const auto at = message.find(what);
            REQUIRE(at != std::string::npos);
            message.replace(at, what.size(), with);
            return message;
        };
    };
    CHECK(attempt([](std::string m) { return m; }).starts_with("challenge v="));
    CHECK(attempt([](std::string m) { return m; }, false) == "refused");
    CHECK(attempt([](std::string) { return ""; }) == "malformed");
    CHECK(attempt(replaced("c=biws", "c=eSws")) == "refused"); // "y,,"
    CHECK(attempt(replaced("c=biws", "c=!")) == "malformed");
    CHECK(attempt(replaced("c=biws,", "")) == "malformed");
    CHECK(attempt(replaced("r=clientserver", "r=clientservex")) == "refused");
    CHECK(attempt(replaced("r=clientserver", "r=client")) == "refused");
    CHECK(attempt(replaced(",p=", ",q=")) == "malformed");
    CHECK(attempt(replaced(",p=", ",m=1,p=")) == "malformed");
    CHECK(attempt(replaced(",p=", ",x=1,p=")) == "refused"); // signed without it
    CHECK(attempt(replaced(",p=", ",p=AAAA,p=")) == "refused");
    CHECK(attempt([](std::string m) { return m + ",x=1"; }) == "malformed");
    CHECK(attempt([](std::string m) { return m.substr(0, m.size() - 4); }) == "malformed");
    CHECK(attempt([](std::string m) {
              auto& c = m[m.find(",p=") + 3];
              c = c == 'A' ? 'B' : 'A';
              return m;
          }) == "refused");
}

TEST_CASE("a name that does not exist looks as if it did") {
    const auto server_first = [](std::string_view key, std::string_view name,
                                 Mechanism mechanism = Mechanism::ScramSha256) {
        Rig rig;
        rig.options.fake_salt_key = Secret(std::string(key));
        rig.options.nonce = "n";
        rig.start(mechanism, "n,,n=" + std::string(name) + ",r=c");
        return shown(rig.server->answer_keys(std::nullopt));
    };
    const auto first = server_first("0123456789abcdef", "nobody@example.test");
    CHECK(first == server_first("0123456789abcdef", "Nobody@Example.test"));
    CHECK(first != server_first("0123456789abcdef", "nobody2@example.test"));
    CHECK(first != server_first("0123456789abcdeg", "nobody@example.test"));
    CHECK(first.starts_with("challenge r=cn,s="));
    CHECK(first.ends_with(",i=10000"));
    const auto salt_at = first.find(",s=") + 3;
    CHECK(codec::base64_decode(first.substr(salt_at, first.rfind(',') - salt_at))->size() ==
          scram_salt_octets);
    CHECK(server_first("0123456789abcdef", "x", Mechanism::ScramSha1).ends_with(",i=10000"));
}

TEST_CASE("what may be offered follows from the line") {
    PeerInfo open, tls12, tls13, known;
    tls12.tls.emplace();
    tls13.tls = TlsFacts{.exporter_binding = std::string(32, 'x')};
    known.tls = TlsFacts{.peer_verified = true};
    struct Case {
        const char* name;
        bool open, tls12, tls13, known;
    };
    const Case cases[] = {
        {"PLAIN", false, true, true, true},
        {"LOGIN", false, true, true, true},
        {"XOAUTH2", false, true, true, true},
        {"SCRAM-SHA-1", true, true, true, true},
        {"SCRAM-SHA-256", true, true, true, true},
        {"SCRAM-SHA-1-PLUS", false, false, true, false},
        {"SCRAM-SHA-256-PLUS", false, false, true, false},
        {"EXTERNAL", false, false, false, true},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(is_offerable(c.name, open, false) == c.open);
        CHECK(is_offerable(c.name, tls12, true) == c.tls12);
        CHECK(is_offerable(c.name, tls13, true) == c.tls13);
        CHECK(is_offerable(c.name, known, true) == c.known);
    }
    CHECK_FALSE(channel_binding(open));
    CHECK_FALSE(channel_binding(tls12));
    CHECK(channel_binding(tls13)->type == "tls-exporter");
}

TEST_CASE("channel binding is demanded, checked, and its removal noticed") {
    const auto attempt = [](Mechanism mechanism, std::string_view message) {
        Rig rig;
        rig.options.binding = ChannelBinding{"tls-exporter", std::string(32, 'x')};
        return shown(rig.start(mechanism, message));
    };
    CHECK(attempt(Mechanism::ScramSha256Plus, "p=tls-exporter,,n=u,r=c") == "keys |u");
    CHECK(attempt(Mechanism::ScramSha256Plus, "p=tls-unique,,n=u,r=c") == "unsupported");
    CHECK(attempt(Mechanism::ScramSha256Plus, "n,,n=u,r=c") == "unsupported");
    CHECK(attempt(Mechanism::ScramSha256, "n,,n=u,r=c") == "keys |u");
    CHECK(attempt(Mechanism::ScramSha256, "y,,n=u,r=c") == "refused");
    CHECK(attempt(Mechanism::ScramSha256, "p=tls-exporter,,n=u,r=c") == "unsupported");

    // Another channel on each side: somebody stands between.
    Rig rig;
    rig.options.binding = ChannelBinding{"tls-exporter", std::string(32, 'x')};
    ClientOptions options;
    options.binding = ChannelBinding{"tls-exporter", std::string(32, 'y')};
    auto client = *ClientExchange::create(Mechanism::ScramSha256Plus,
                                          Credentials{"", "u", Secret("p")}, options, rig.random);
    rig.start(Mechanism::ScramSha256Plus, client->initial_response()->reveal());
    const auto first =
        rig.server->answer_keys(*make_scram_keys(ScramHash::Sha256, Secret("p"), rig.random, 4096));
    const auto final_message = client->respond(std::get<Challenge>(first).octets);
    CHECK(shown(rig.server->receive(final_message->reveal())) == "refused");

    // The client can bind and is offered no -PLUS.
    options.plus_offered = false;
    auto plain = *ClientExchange::create(Mechanism::ScramSha256, Credentials{"", "u", Secret("p")},
                                         options, rig.random);
    CHECK(plain->initial_response()->reveal().starts_with("y,,"));
}

TEST_CASE("a SCRAM client refuses what a server may not say") {
    const std::string good = "r=clientserver,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    struct Case {
        const char* name;
        std::string message;
        bool good;
    };
    const Case cases[] = {
        {"good", good, true},
        {"extensions", good + ",x=1", true},
        {"empty", "", false},
        {"another's nonce", "r=xlientserver,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", false},
        {"nothing added to the nonce", "r=client,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", false},
        {"no salt", "r=clientserver,s=,i=4096", false},
        {"salt not base64", "r=clientserver,s=W22,i=4096", false},
        {"too few iterations", "r=clientserver,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095", false},
        {"ruinous iterations", "r=clientserver,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=200001", false},
        {"iterations beyond numbers", "r=clientserver,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999",
         false},
        {"no iterations", "r=clientserver,s=W22ZaJ0SNY7soEsUEjb6gQ==", false},
        {"mandatory extension", "m=1," + good, false},
        {"an error", "e=unknown-user", false},
        {"too long", good + ",x=" + std::string(9000, 'x'), false},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        base::SeededRandom random(1);
        ClientOptions options;
        options.nonce = "client";
        auto client = *ClientExchange::create(Mechanism::ScramSha256,
                                              Credentials{"", "u", Secret("p")}, options, random);
        static_cast<void>(client->initial_response());
        CHECK(client->respond(c.message).has_value() == c.good);
        // Success before the server has proved itself is none.
        CHECK_FALSE(client->succeed(std::nullopt));
        CHECK_FALSE(client->succeed("v=AAAA"));
        CHECK_FALSE(client->succeed("e=other-error"));
    }
}

TEST_CASE("clients refuse what cannot be sent") {
    base::SeededRandom random(1);
    const auto can = [&](Mechanism mechanism, std::string authcid, std::string password) {
        return ClientExchange::create(
                   mechanism, Credentials{"", std::move(authcid), Secret(std::move(password))}, {},
                   random)
            .has_value();
    };
    for (const auto mechanism : {Mechanism::Plain, Mechanism::Login, Mechanism::ScramSha256}) {
        CHECK(can(mechanism, "u", "p"));
        CHECK_FALSE(can(mechanism, "", "p"));
        CHECK_FALSE(can(mechanism, "u", ""));
        CHECK_FALSE(can(mechanism, "u\0"s, "p"));
        CHECK_FALSE(can(mechanism, "u", "p\0"s));
    }
    CHECK_FALSE(can(Mechanism::ScramSha256, "u", "\x07"));
    CHECK_FALSE(can(Mechanism::ScramSha256Plus, "u", "p"));
    auto plain =
        *ClientExchange::create(Mechanism::Plain, Credentials{"", "u", Secret("p")}, {}, random);
    CHECK(plain->respond(""));
    CHECK_FALSE(plain->respond(""));
    auto login =
        *ClientExchange::create(Mechanism::Login, Credentials{"", "u", Secret("p")}, {}, random);
    CHECK(login->respond("User Name")->reveal() == "u");
    CHECK(login->respond("whatever")->reveal() == "p");
    CHECK_FALSE(login->respond("more"));
}

TEST_CASE("clients choose the strongest mechanism that fits") {
    using M = Mechanism;
    const std::array all = {M::Login,       M::Plain,           M::ScramSha1,
                            M::ScramSha256, M::ScramSha256Plus, M::External};
    CHECK(choose_mechanism(all, true, true) == M::ScramSha256Plus);
    CHECK(choose_mechanism(all, true, false) == M::ScramSha256);
    const std::array old = {M::Login, M::Plain};
    CHECK(choose_mechanism(old, true, false) == M::Plain);
    CHECK_FALSE(choose_mechanism(old, false, false));
    CHECK_FALSE(choose_mechanism({}, true, true));
}

TEST_CASE("stored keys are made, written, read and checked") {
    base::SeededRandom random(1);
    const auto keys = *make_scram_keys(ScramHash::Sha256, Secret("u\u0308"), random, 4096);
    CHECK(is_scram_password(keys, Secret("\u00FC")));
    CHECK_FALSE(is_scram_password(keys, Secret("u")));
    CHECK_FALSE(is_scram_password(keys, Secret("")));
    CHECK_FALSE(make_scram_keys(ScramHash::Sha256, Secret("\x01"), random));
    CHECK_FALSE(make_scram_keys(ScramHash::Sha256, Secret(""), random));
    CHECK(ScramKeys::parse(keys.to_string()) == keys);
    const auto sha1 = *make_scram_keys(ScramHash::Sha1, Secret("x"), random, 4096);
    CHECK(ScramKeys::parse(sha1.to_string()) == sha1);
    for (const char* text :
         {"", "SCRAM-SHA-256", "SCRAM-SHA-512$4096:AAAA$AAAA:AAAA",
          "SCRAM-SHA-256$0:AAAA$AA==:AA==", "SCRAM-SHA-256$4096:$AA==:AA==",
          "SCRAM-SHA-256$4096:AAAA$AA==:AA==", "SCRAM-SHA-256$99999999:AAAA$AA==:AA=="})
        CHECK_FALSE(ScramKeys::parse(text));
    CHECK_FALSE(ScramKeys::parse(keys.to_string() + "\nx"));
}
