#include "libmailcore/crypto/hmac.h"

#include "tests/catch.h"
#include "tests/crypto/hexadecimal.h"

using namespace mailcore::crypto;
using mailcore::test::hexadecimal;
using mailcore::test::octets;

namespace {

struct Case {
    const char* name;
    std::string key;
    std::string text;
    const char* sha256;
};

// RFC 4231 §4.2 to §4.8 (without the truncated one).
const Case cases[] = {
    {"key shorter than the digest", std::string(20, '\x0b'), "Hi There",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"key of a few letters", "Jefe", "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"key and data longer than 64 octets together", std::string(20, '\xaa'),
     std::string(50, '\xdd'), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"key of 25 octets", octets("0102030405060708090a0b0c0d0e0f10111213141516171819"),
     std::string(50, '\xcd'), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {"key longer than a block", std::string(131, '\xaa'),
     "Test Using Larger Than Block-Size Key - Hash Key First",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {"key and data longer than a block", std::string(131, '\xaa'),
     "This is a test using a larger than block-size key and a larger than block-size data. The key "
     "needs to be hashed before being used by the HMAC algorithm.",
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

} // namespace

TEST_CASE("HMAC-SHA-256 answers the vectors of RFC 4231, whole and octet by octet") {
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(hexadecimal(HmacSha256::of(c.key, c.text)) == c.sha256);
        HmacSha256 hmac(c.key);
        for (const char octet : c.text) hmac.update({&octet, 1});
        CHECK(hexadecimal(hmac.finish()) == c.sha256);
        hmac.update(c.text);
        CHECK(hexadecimal(hmac.finish()) == c.sha256);
    }
}

TEST_CASE("HMAC over the other hashes") {
    CHECK(hexadecimal(HmacSha1::of("Jefe", "what do ya want for nothing?")) ==
          "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"); // RFC 2202 §3
    CHECK(hexadecimal(Hmac<HashKind::Md5>::of("Jefe", "what do ya want for nothing?")) ==
          "750c783e6ab0b503eaa86e310a5db738"); // RFC 2104, appendix
    CHECK(hexadecimal(HmacSha512::of(std::string(20, '\x0b'), "Hi There")) ==
          "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
          "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
}

TEST_CASE("PBKDF2 answers published vectors") {
    CHECK(hexadecimal(pbkdf2<HashKind::Sha1>("password", "salt", 4096)) ==
          "4b007901b765489abead49d926f721d065a429c1"); // RFC 6070
    CHECK(hexadecimal(pbkdf2<HashKind::Sha256>("passwd", "salt", 1)) ==
          "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"); // RFC 7914 §11
    CHECK(hexadecimal(pbkdf2<HashKind::Sha256>("Password", "NaCl", 80000)) ==
          "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
}

TEST_CASE("the example exchange of SCRAM-SHA-256 comes out of these functions") {
    // RFC 7677 §3: user "user", password "pencil".
    const std::string salt = octets("5b6d99689d12358eeca04b141236fa81");
    const std::string auth_message =
        "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)"
        "hNlF$k0";
    const auto salted = pbkdf2<HashKind::Sha256>("pencil", salt, 4096);
    const auto client_key = HmacSha256::of(octets_of(salted), "Client Key");
    const auto stored_key = Sha256::of(octets_of(client_key));
    auto proof = HmacSha256::of(octets_of(stored_key), auth_message);
    for (std::size_t at = 0; at < proof.size(); ++at) proof[at] ^= client_key[at];
    CHECK(hexadecimal(proof) == "747cdb65aa56224e2352137e52d7bdcad6a0f738df30782caa69a2cfb0277554");
    const auto server_key = HmacSha256::of(octets_of(salted), "Server Key");
    CHECK(hexadecimal(HmacSha256::of(octets_of(server_key), auth_message)) ==
          "eabae24d1062db75a9451ff0b6ea7e98c8546549ff741e672d3251b2397de46e");
}
