#include "libmailcore/crypto/certificate.h"

#include "tests/catch.h"

using namespace mailcore;
using namespace mailcore::crypto;

namespace {

const WallTime start = base::wall_time(1767225600); // 2026-01-01
const WallTime end = start + std::chrono::days(365);

CertificateAndKey made(const std::vector<std::string>& names, std::uint64_t seed = 1) {
    base::SeededRandom random(seed);
    auto result = make_self_signed({names, start, end}, random);
    REQUIRE(result);
    return *std::move(result);
}

} // namespace

TEST_CASE("a self-signed certificate says what was asked for") {
    const auto both = made({"MX.example.test", "*.example.test", "192.0.2.1", "2001:db8::1"});
    const auto read = read_certificates(both.certificate_pem);
    REQUIRE(read);
    REQUIRE(read->size() == 1);
    const auto& certificate = read->front();
    CHECK(certificate.subject == "CN=MX.example.test");
    CHECK(certificate.issuer == certificate.subject);
    CHECK(certificate.self_signed);
    CHECK(certificate.host_names == std::vector<std::string>{"mx.example.test", "*.example.test",
                                                             "192.0.2.1", "2001:db8::1"});
    CHECK(certificate.not_before == start);
    CHECK(certificate.not_after == end);
    CHECK(certificate.serial.size() == 32);
    CHECK(certificate.covers("imap.EXAMPLE.test."));
    CHECK_FALSE(certificate.covers("a.b.example.test"));

    const auto from_der = read_certificates(certificate.der);
    REQUIRE(from_der);
    CHECK(from_der->front().der == certificate.der);
    CHECK(certificate.der.find(certificate.public_key_der) != std::string::npos);

    base::SystemRandom random;
    CHECK(check_private_key(both.certificate_pem, both.private_key_pem, random));
    CHECK(check_private_key(both.certificate_pem, made({"x.test"}, 2).private_key_pem, random)
              .error()
              .kind == ErrorKind::Conflict);
}

TEST_CASE("several certificates of one PEM text come in order") {
    const auto text = "a comment\n" + made({"one.test"}, 1).certificate_pem + "\n" +
                      made({"two.test"}, 2).certificate_pem;
    const auto read = read_certificates(text);
    REQUIRE(read);
    REQUIRE(read->size() == 2);
    CHECK(read->at(0).host_names == std::vector<std::string>{"one.test"});
    CHECK(read->at(1).host_names == std::vector<std::string>{"two.test"});
}

TEST_CASE("requests that no certificate can fulfil are refused") {
    base::SeededRandom random(1);
    CHECK(make_self_signed({{}, start, end}, random).error().kind == ErrorKind::Rejected);
    CHECK(make_self_signed({{"a b"}, start, end}, random).error().kind == ErrorKind::Rejected);
    CHECK(make_self_signed({{"x,CN=y"}, start, end}, random).error().kind == ErrorKind::Rejected);
    CHECK(make_self_signed({{""}, start, end}, random).error().kind == ErrorKind::Rejected);
    CHECK(make_self_signed({{"x.test"}, end, start}, random).error().kind == ErrorKind::Rejected);
    std::string long_name(100, 'a');
    long_name += ".test";
    CHECK(make_self_signed({{long_name}, start, end}, random)); // CN is cut, SAN is not
}

TEST_CASE("what is no certificate is refused") {
    const auto good = made({"mx.test"}).certificate_pem;
    struct Case {
        const char* name;
        std::string text;
        ErrorKind kind;
    };
    const Case cases[] = {
        {"nothing", "", ErrorKind::Corrupt},
        {"prose", "hello", ErrorKind::Corrupt},
        {"no end", good.substr(0, good.size() - 20), ErrorKind::Corrupt},
        {"a hole", good.substr(0, 100) + good.substr(140), ErrorKind::Corrupt},
        {"not base64", good.substr(0, 100) + "!" + good.substr(101), ErrorKind::Corrupt},
        {"a key", std::string(made({"mx.test"}).private_key_pem.reveal()), ErrorKind::Corrupt},
        {"DER cut short", read_certificates(good)->front().der.substr(0, 100), ErrorKind::Corrupt},
        {"too many",
         [&] {
             std::string all;
             for (int i = 0; i < 65; ++i) all += good;
             return all;
         }(),
         ErrorKind::LimitExceeded},
        {"too large", std::string(1024 * 1024 + 1, 'x'), ErrorKind::LimitExceeded},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto read = read_certificates(c.text);
        REQUIRE_FALSE(read);
        CHECK(read.error().kind == c.kind);
    }
    base::SystemRandom random;
    CHECK(check_private_key(good, Secret(good), random).error().kind == ErrorKind::Corrupt);
    CHECK(check_private_key(good, Secret(""), random).error().kind == ErrorKind::Corrupt);
}

TEST_CASE("names in certificates match whole labels") {
    struct Case {
        const char* certificate;
        const char* host;
        bool matches;
    };
    const Case cases[] = {
        {"mx.example.test", "mx.example.test", true},
        {"mx.example.test", "MX.Example.TEST", true},
        {"mx.example.test", "mx.example.test.", true},
        {"mx.example.test", "example.test", false},
        {"*.example.test", "mx.example.test", true},
        {"*.example.test", "example.test", false},
        {"*.example.test", "a.mx.example.test", false},
        {"*.example.test", ".example.test", false},
        {"*.test", "example.test", false}, // a whole top-level domain is nobody's
        {"m*.example.test", "mx.example.test", false},
        {"*", "test", false},
        {"", "", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"*.0.2.1", "192.0.2.1", false},
        {"2001:db8:0::1", "2001:db8::1", true},
    };
    for (const auto& c : cases) {
        INFO(c.certificate << " for " << c.host);
        CHECK(certificate_name_matches(c.certificate, c.host) == c.matches);
    }
}
