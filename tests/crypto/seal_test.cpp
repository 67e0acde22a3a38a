#include "libmailcore/crypto/seal.h"

#include "tests/catch.h"

using namespace mailcore;
using namespace mailcore::crypto;

TEST_CASE("what is sealed opens with the same key and the same associated text only") {
    base::SeededRandom random(1);
    const auto key = make_seal_key(random);
    const auto other = make_seal_key(random);
    for (const std::size_t size : {0, 1, 100000}) {
        const std::string text(size, 'x');
        const auto sealed = seal(key, text, "row 1", random);
        CHECK(sealed.size() == text.size() + seal_overhead_octets);
        const auto opened = unseal(key, sealed, "row 1");
        REQUIRE(opened);
        CHECK(opened->reveal() == text);
        CHECK(unseal(key, sealed, "row 2").error().kind == ErrorKind::Corrupt);
        CHECK(unseal(other, sealed, "row 1").error().kind == ErrorKind::Corrupt);
        CHECK(seal(key, text, "row 1", random) != sealed);
    }
}

TEST_CASE("an altered or shortened sealed text never opens") {
    base::SeededRandom random(2);
    const auto key = make_seal_key(random);
    const auto sealed = seal(key, "twelve words", "", random);
    for (std::size_t at = 0; at < sealed.size(); ++at) {
        auto altered = sealed;
        altered[at] = static_cast<char>(altered[at] ^ 1);
        CHECK_FALSE(unseal(key, altered, ""));
        CHECK_FALSE(unseal(key, std::string_view(sealed).substr(0, at), ""));
    }
    CHECK_FALSE(unseal(key, sealed + "x", ""));
}
