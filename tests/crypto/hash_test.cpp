#include "libmailcore/crypto/hash.h"

#include "tests/catch.h"
#include "tests/crypto/hexadecimal.h"

#include <string>

using namespace mailcore::crypto;
using mailcore::test::hexadecimal;

namespace {

struct Case {
    const char* name;
    std::string input;
    const char* md5;
    const char* sha1;
    const char* sha256;
    const char* blake2b256;
};

// RFC 1321 appendix A.5, RFC 6234 §8.5, RFC 7693 (its reference implementation for 32 octets).
const Case cases[] = {
    {"nothing", "", "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
     "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"},
    {"abc", "abc", "900150983cd24fb0d6963f7d28e17f72", "a9993e364706816aba3e25717850c26c9cd0d89d",
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
     "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"},
    {"a million of a", std::string(1000000, 'a'), "7707d6ae4e027c70eea2a935c2296f21",
     "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", nullptr},
};

template <class Hasher>
void check(const Case& c, const char* expected) {
    if (expected == nullptr) return;
    CHECK(hexadecimal(Hasher::of(c.input)) == expected);
    for (const std::size_t piece : {1, 7, 63, 64, 65, 128, 4096}) {
        if (c.input.size() / piece > 20000) continue;
        Hasher hasher;
        for (std::size_t at = 0; at < c.input.size(); at += piece)
            hasher.update(std::string_view(c.input).substr(at, piece));
        CHECK(hexadecimal(hasher.finish()) == expected);
        CHECK(hasher.finish() == Hasher::of(""));
    }
}

} // namespace

TEST_CASE("digests are those of the standards, however the octets are cut") {
    for (const auto& c : cases) {
        INFO(c.name);
        check<Md5>(c, c.md5);
        check<Sha1>(c, c.sha1);
        check<Sha256>(c, c.sha256);
        check<Blake2b256>(c, c.blake2b256);
    }
    CHECK(hexadecimal(Sha512::of("abc")) ==
          "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
          "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST_CASE("a copied hash goes on from the state it was copied in") {
    Sha256 common;
    common.update("same beginning, ");
    auto one = common;
    auto two = common;
    one.update("one");
    two.update("two");
    CHECK(one.finish() == Sha256::of("same beginning, one"));
    CHECK(two.finish() == Sha256::of("same beginning, two"));
    Blake2b256 blake;
    blake.update(std::string(200, 'x'));
    auto copy = blake;
    CHECK(blake.finish() == copy.finish());
}

TEST_CASE("constant-time comparison answers as the plain one does") {
    CHECK(equal_constant_time("", ""));
    CHECK(equal_constant_time("secret", "secret"));
    CHECK_FALSE(equal_constant_time("secret", "secreT"));
    CHECK_FALSE(equal_constant_time("secret", "secre"));
    CHECK_FALSE(equal_constant_time("", "s"));
}
