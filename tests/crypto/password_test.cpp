#include "libmailcore/crypto/password.h"

#include "tests/catch.h"
#include "tests/crypto/hexadecimal.h"

using namespace mailcore;
using namespace mailcore::crypto;

namespace {

const PasswordCost cheap{.memory_octets = 64 * 1024, .passes = 1};

} // namespace

TEST_CASE("a password is recognised by its own hash and no other is") {
    base::SystemRandom random;
    const auto phc = hash_password(Secret("correct horse"), random, cheap);
    REQUIRE(phc);
    CHECK(phc->starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
    CHECK(verify_password(Secret("correct horse"), *phc, cheap) == PasswordMatch::Yes);
    CHECK(verify_password(Secret("correct horsf"), *phc, cheap) == PasswordMatch::No);
    CHECK(verify_password(Secret(""), *phc, cheap) == PasswordMatch::No);
    CHECK(verify_password(Secret("correct horse"), *phc) == PasswordMatch::YesButWeak);
    CHECK(hash_password(Secret("correct horse"), random, cheap) != phc);
}

TEST_CASE("the default cost is 19 MiB and two passes") {
    base::SystemRandom random;
    const auto phc = hash_password(Secret("x"), random);
    REQUIRE(phc);
    CHECK(phc->starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    CHECK(verify_password(Secret("x"), *phc) == PasswordMatch::Yes);
}

TEST_CASE("hashes that other programs made are understood") {
    // From the reference implementation's own tests: salt "somesalt" (8 octets), password
    // "password".
    CHECK(verify_password(Secret("password"),
                          "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$"
                          "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
                          {.memory_octets = 256 * 1024, .passes = 2}) == PasswordMatch::Yes);
    CHECK(verify_password(Secret("passwort"),
                          "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$"
                          "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4") == PasswordMatch::No);
}

TEST_CASE("a password may hold any octets, NUL among them, up to 4096") {
    base::SystemRandom random;
    const std::string odd("a\0b\xff", 4);
    const auto phc = hash_password(Secret(odd), random, cheap);
    REQUIRE(phc);
    CHECK(verify_password(Secret(odd), *phc, cheap) == PasswordMatch::Yes);
    CHECK(verify_password(Secret("a"), *phc, cheap) == PasswordMatch::No);
    CHECK(hash_password(Secret(std::string(4096, 'x')), random, cheap));
    CHECK(hash_password(Secret(std::string(4097, 'x')), random, cheap).error().kind ==
          ErrorKind::LimitExceeded);
    CHECK(verify_password(Secret(std::string(4097, 'x')), *phc, cheap) == PasswordMatch::No);
}

TEST_CASE("malformed PHC strings are refused where they go wrong") {
    struct Case {
        const char* name;
        std::string phc;
        std::size_t offset;
    };
    const std::string good =
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    const std::string hash = "$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    const Case cases[] = {
        {"nothing", "", 0},
        {"another function", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ" + hash, 0},
        {"an old version", "$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ" + hash, 0},
        {"crypt", "$6$salt$hash", 0},
        {"memory missing", "$argon2id$v=19$t=2,p=1$c29tZXNhbHQ" + hash, 15},
        {"memory with a leading zero", "$argon2id$v=19$m=0256,t=2,p=1$c29tZXNhbHQ" + hash, 17},
        {"negative memory", "$argon2id$v=19$m=-1,t=2,p=1$c29tZXNhbHQ" + hash, 17},
        {"memory below the least", "$argon2id$v=19$m=7,t=2,p=1$c29tZXNhbHQ" + hash, 18},
        {"memory above 1 GiB", "$argon2id$v=19$m=1048577,t=2,p=1$c29tZXNhbHQ" + hash, 17},
        {"memory beyond numbers",
         "$argon2id$v=19$m=99999999999999999999999,t=2,p=1$c29tZXNhbHQ" + hash, 17},
        {"too many passes", "$argon2id$v=19$m=256,t=65,p=1$c29tZXNhbHQ" + hash, 23},
        {"two lanes", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ" + hash, 24},
        {"salt too short", "$argon2id$v=19$m=256,t=2,p=1$c29tZQ" + hash, 29},
        {"salt not base64", "$argon2id$v=19$m=256,t=2,p=1$c29t*XNhbHQ" + hash, 29},
        {"salt with an octet that libsodium takes for a digit",
         "$argon2id$v=19$m=256,t=2,p=1$c29tZXN\xef"
         "bHQ" +
             hash,
         29},
        {"no hash", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ", 40},
        {"hash too short", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65", 41},
        {"padding", good + "=", 41},
        {"something behind", good + "$x", 84},
        {"hash too long", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$" + std::string(88, 'A'), 41},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto parsed = PasswordHash::parse(c.phc);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().offset == c.offset);
        CHECK(verify_password(Secret("password"), c.phc).error().kind == ErrorKind::Corrupt);
    }
    REQUIRE(PasswordHash::parse(good));
    CHECK(PasswordHash::parse(good)->to_string() == good);
}
