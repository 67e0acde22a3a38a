#include "libmailcore/tls/client_context.h"
#include "libmailcore/tls/server_context.h"

#include "tests/tls/pair.h"

using namespace mailcore;
using namespace mailcore::test;
using tls::CertificateWarning;
using tls::FailureKind;
using tls::PeerCheck;
using tls::State;

namespace {

std::string shown_name(Pair& pair) {
    pair.run();
    REQUIRE(pair.open());
    const auto read = crypto::read_certificates(pair.client.facts().peer_certificate);
    REQUIRE(read);
    return read->front().host_names.front();
}

} // namespace

TEST_CASE("the certificate follows the name that the client asks for") {
    tls::ServerOptions options;
    options.certificates = {self_signed({"first.test", "other.first.test"}),
                            self_signed({"second.test"}), self_signed({"*.wild.test"}),
                            self_signed({"exact.wild.test"})};
    const auto server = server_context(std::move(options));
    const auto client = client_context();
    struct Case {
        const char* asked;
        const char* shown;
    };
    const Case cases[] = {
        {"first.test", "first.test"},    {"other.first.test", "first.test"},
        {"second.test", "second.test"},  {"SECOND.test", "second.test"},
        {"a.wild.test", "*.wild.test"},  {"exact.wild.test", "exact.wild.test"},
        {"a.b.wild.test", "first.test"}, {"wild.test", "first.test"},
        {"unknown.test", "first.test"},  {"", "first.test"},
        {"192.0.2.1", "first.test"},
    };
    for (const auto& c : cases) {
        INFO(c.asked);
        auto pair = make_pair(server, client, unchecked(c.asked));
        CHECK(shown_name(pair) == c.shown);
    }
}

TEST_CASE("an expired certificate is shown only if there is no other for the name") {
    const auto old = self_signed({"mx.test", "old.test"}, noon - std::chrono::days(90),
                                 noon - std::chrono::days(1));
    tls::ServerOptions options;
    options.certificates = {old, self_signed({"mx.test"})};
    const auto server = server_context(std::move(options));
    const auto client = client_context();
    const auto names = [&](const char* asked) {
        auto pair = make_pair(server, client, unchecked(asked));
        pair.run();
        return crypto::read_certificates(pair.client.facts().peer_certificate)->front().host_names;
    };
    CHECK(names("mx.test") == std::vector<std::string>{"mx.test"});
    CHECK(names("old.test") == std::vector<std::string>{"mx.test", "old.test"});
}

TEST_CASE("certificates that need attention are named") {
    tls::ServerOptions options;
    options.certificates = {
        self_signed({"gone.test"}, noon - std::chrono::days(90), noon - std::chrono::days(1)),
        self_signed({"soon.test"}, noon - std::chrono::days(90), noon + std::chrono::days(3)),
        self_signed({"later.test"}, noon + std::chrono::days(1), noon + std::chrono::days(90)),
        chain("ecdsa")};
    base::SystemRandom random;
    const auto credentials = tls::ServerCredentials::create(options, random);
    REQUIRE(credentials);
    std::vector<std::string> texts;
    for (const auto& warning : (*credentials)->warnings(noon, std::chrono::days(14)))
        texts.push_back(warning.to_string());
    CHECK(texts == std::vector<std::string>{
                       "the certificate for gone.test has expired",
                       "the certificate for gone.test is self-signed: clients will not trust it",
                       "the certificate for soon.test expires soon",
                       "the certificate for soon.test is self-signed: clients will not trust it",
                       "the certificate for later.test is not valid yet",
                       "the certificate for later.test is self-signed: clients will not trust it",
                   });
    CHECK_FALSE((*credentials)->has_rsa_key());
    CHECK((*credentials)->certificates().size() == 4);
}

TEST_CASE("server options that cannot work are refused with the certificate's number") {
    base::SystemRandom random;
    const auto refused = [&](std::vector<crypto::CertificateAndKey> certificates) {
        tls::ServerOptions options;
        options.certificates = std::move(certificates);
        const auto credentials = tls::ServerCredentials::create(std::move(options), random);
        REQUIRE_FALSE(credentials);
        return credentials.error();
    };
    CHECK(refused({}).kind == ErrorKind::Rejected);
    CHECK(refused({chain("rsa"), {"nonsense", Secret("nonsense")}}).kind == ErrorKind::Corrupt);
    CHECK(refused({chain("rsa"), {"nonsense", Secret("nonsense")}})
              .detail.starts_with("certificate 2: "));
    CHECK(refused({{certificate_file("rsa.pem"), Secret("nonsense")}}).kind == ErrorKind::Corrupt);
    CHECK(refused({{certificate_file("rsa.pem"), Secret(certificate_file("ecdsa.key"))}}).kind ==
          ErrorKind::Conflict);
}

TEST_CASE("application protocols agree or the handshake fails") {
    const auto server = server_with(chain("ecdsa"));
    const auto client = client_context();
    struct Case {
        const char* name;
        tls::Alpn offered;
        tls::Alpn served;
        bool opens;
        const char* agreed;
    };
    const Case cases[] = {
        {"both the same", {"imap"}, {"imap"}, true, "imap"},
        {"the server's preference counts", {"b", "a"}, {"a", "b"}, true, "a"},
        {"nothing offered", {}, {"imap"}, true, ""},
        {"service without protocols", {"imap"}, {}, true, ""},
        {"another service's client", {"http/1.1"}, {"imap"}, false, ""},
        {"case matters", {"IMAP"}, {"imap"}, false, ""},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        auto target = unchecked();
        target.alpn = c.offered;
        auto pair = make_pair(server, client, target, {c.served});
        pair.run();
        CHECK(pair.open() == c.opens);
        if (c.opens) {
            CHECK(pair.server.facts().alpn == c.agreed);
            CHECK(pair.client.facts().alpn == c.agreed);
        } else {
            CHECK(pair.server.failure() == FailureKind::Negotiation);
            CHECK(pair.client.failure() == FailureKind::PeerAlert);
            CHECK(pair.client.failure_text() == "the peer refused: no_application_protocol (120)");
        }
    }
}

TEST_CASE("a client's checks of the server's certificate") {
    struct Case {
        const char* name;
        crypto::CertificateAndKey certificate;
        std::string trusted;
        std::string host;
        FailureKind required;
    };
    const auto root = certificate_file("root.pem");
    const auto own = self_signed({"own.test"});
    const auto expired =
        self_signed({"old.test"}, noon - std::chrono::days(9), noon - std::chrono::days(1));
    const auto future =
        self_signed({"new.test"}, noon + std::chrono::days(1), noon + std::chrono::days(9));
    const Case cases[] = {
        {"a good chain", chain("rsa"), root, "mx.example.test", FailureKind::None},
        {"a good chain of the other kind", chain("ecdsa"), root, "mx.example.test",
         FailureKind::None},
        {"a name under the wildcard", chain("rsa"), root, "smtp.mail.example.test",
         FailureKind::None},
        {"an address", chain("rsa"), root, "192.0.2.25", FailureKind::None},
        {"another address", chain("rsa"), root, "192.0.2.26", FailureKind::NameMismatch},
        {"another name", chain("rsa"), root, "mx.example.org", FailureKind::NameMismatch},
        {"two labels under the wildcard", chain("rsa"), root, "a.b.mail.example.test",
         FailureKind::NameMismatch},
        {"no name", chain("rsa"), root, "", FailureKind::NameMismatch},
        {"the name in the subject only", chain("common-name-only"), root, "mx.example.test",
         FailureKind::NameMismatch},
        {"no authority", chain("rsa"), own.certificate_pem, "mx.example.test",
         FailureKind::Untrusted},
        {"itself as authority", own, own.certificate_pem, "own.test", FailureKind::None},
        {"self-signed and unknown", own, root, "own.test", FailureKind::Untrusted},
        {"expired", expired, expired.certificate_pem, "old.test", FailureKind::Expired},
        {"not valid yet", future, future.certificate_pem, "new.test", FailureKind::Expired},
    };
    for (const auto& c : cases) {
        const auto server = server_with(c.certificate);
        const auto client = client_trusting(c.trusted);
        for (const auto check : {PeerCheck::Unchecked, PeerCheck::Reported, PeerCheck::Required}) {
            INFO(c.name << ", check " << static_cast<int>(check));
            auto pair = make_pair(server, client, {.server_name = c.host, .check = check});
            pair.run();
            if (check == PeerCheck::Required && c.required != FailureKind::None) {
                CHECK(pair.client.state() == State::Failed);
                CHECK(pair.client.failure() == c.required);
                CHECK_FALSE(pair.client.failure_text().empty());
                CHECK(pair.client.send("secret") == 0);
                CHECK(pair.server.state() == State::Failed);
                continue; // (the library's client alerts in the clear here, which its server cannot
                          // read)
            }
            REQUIRE(pair.open());
            const bool good = c.required == FailureKind::None;
            CHECK(pair.client.facts().peer_verified == (check != PeerCheck::Unchecked && good));
            CHECK(pair.client.check_text().empty() == (check == PeerCheck::Unchecked || good));
            CHECK_FALSE(pair.client.peer_chain().empty());
        }
    }
}

TEST_CASE("without authorities no chain is good") {
    auto pair = make_pair(server_with(chain("rsa")), client_context(), required());
    pair.run();
    CHECK(pair.client.state() == State::Failed);
}

TEST_CASE(
    "a bundle of authorities is read once, when it is first needed, and bad ones are left out") {
    int reads = 0;
    tls::ClientOptions options;
    const auto bundle = std::make_shared<tls::Authorities>([&reads]() -> Result<std::string> {
        ++reads;
        return certificate_file("root.pem") +
               "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    });
    options.authorities = bundle;
    const auto client = client_context(options);
    const auto server = server_with(chain("rsa"));
    auto opportunistic = make_pair(server, client, unchecked());
    opportunistic.run();
    CHECK(opportunistic.open());
    CHECK(reads == 0);
    for (int i = 0; i < 3; ++i) {
        auto pair = make_pair(server, client, required());
        pair.run();
        CHECK(pair.open());
    }
    CHECK(reads == 1);
    CHECK(bundle->load() == 1u);
    CHECK(authorities("nothing here")->load().error().kind == ErrorKind::Corrupt);
}

TEST_CASE("a client that is asked shows its certificate and one that has none is served too") {
    tls::ServerOptions options;
    options.certificates.push_back(chain("rsa"));
    const auto good = chain("common-name-only");
    options.client_authorities_pem = certificate_file("root.pem");
    const auto server = server_context(std::move(options));
    const auto facts_of = [&](const std::optional<crypto::CertificateAndKey>& shown,
                              tls::ClientCertificate asked) {
        tls::ClientOptions client_options;
        if (shown) client_options.certificate = *shown;
        auto pair = make_pair(server, client_context(client_options), unchecked(), {{}, asked});
        pair.run();
        REQUIRE(pair.open());
        return pair.server.facts();
    };
    const auto der = [](const crypto::CertificateAndKey& of) {
        return crypto::read_certificates(of.certificate_pem)->front().der;
    };
    const auto with = facts_of(good, tls::ClientCertificate::Asked);
    CHECK(with.peer_certificate == der(good));
    CHECK(with.peer_verified);
    // Of nobody who is known, and one that is for servers only.
    for (const auto& bad : {self_signed({"client.test"}), chain("ecdsa")}) {
        const auto unknown = facts_of(bad, tls::ClientCertificate::Asked);
        CHECK(unknown.peer_certificate == der(bad));
        CHECK_FALSE(unknown.peer_verified);
    }
    for (const auto& facts : {facts_of(std::nullopt, tls::ClientCertificate::Asked),
                              facts_of(good, tls::ClientCertificate::NotAsked)}) {
        CHECK(facts.peer_certificate.empty());
        CHECK_FALSE(facts.peer_verified);
    }
}

TEST_CASE("connections keep the certificates that they began with when the context is replaced") {
    auto context = server_with(self_signed({"old.test"}));
    auto before = make_pair(context, client_context(), unchecked("x"));
    context = server_with(self_signed({"new.test"}));
    auto after = make_pair(context, client_context(), unchecked("x"));
    CHECK(shown_name(before) == "old.test");
    CHECK(shown_name(after) == "new.test");
}
