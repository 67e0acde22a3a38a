#include "libmailcore/crypto/hmac.h"

#include "libmailcore/base/assert.h"

#include <algorithm>

#include <sodium/utils.h>

namespace mailcore::crypto {

// RFC 2104 §2: the two pads are hashed once a key, and their states copied for each message.
template <HashKind kind>
Hmac<kind>::Hmac(std::string_view key) {
    std::array<unsigned char, Hash<kind>::block_octets> block{};
    if (key.size() > block.size()) {
        const auto digest = Hash<kind>::of(key);
        std::copy(digest.begin(), digest.end(), block.begin());
    } else {
        std::copy(key.begin(), key.end(), block.begin());
    }
    for (auto& octet : block) octet ^= 0x36;
    inner_start_.update(octets_of(block));
    for (auto& octet : block) octet ^= 0x36 ^ 0x5c;
    outer_start_.update(octets_of(block));
    sodium_memzero(block.data(), block.size());
    inner_ = inner_start_;
}

template <HashKind kind>
typename Hmac<kind>::Digest Hmac<kind>::finish() {
    const auto inner = inner_.finish();
    auto outer = outer_start_;
    outer.update(octets_of(inner));
    inner_ = inner_start_;
    return outer.finish();
}

template class Hmac<HashKind::Md5>;
template class Hmac<HashKind::Sha1>;
template class Hmac<HashKind::Sha256>;
template class Hmac<HashKind::Sha512>;

template <HashKind kind>
Digest<kind> pbkdf2(std::string_view password, std::string_view salt, unsigned iterations) {
    MAILCORE_ASSERT(iterations > 0);
    Hmac<kind> hmac(password);
    hmac.update(salt);
    hmac.update(std::string_view("\0\0\0\1", 4));
    auto round = hmac.finish();
    auto sum = round;
    for (unsigned i = 1; i < iterations; ++i) {
        hmac.update(octets_of(round));
        round = hmac.finish();
        for (std::size_t at = 0; at < sum.size(); ++at) sum[at] ^= round[at];
    }
    return sum;
}

template Digest<HashKind::Sha1> pbkdf2<HashKind::Sha1>(std::string_view, std::string_view,
                                                       unsigned);
template Digest<HashKind::Sha256> pbkdf2<HashKind::Sha256>(std::string_view, std::string_view,
                                                           unsigned);
template Digest<HashKind::Sha512> pbkdf2<HashKind::Sha512>(std::string_view, std::string_view,
                                                           unsigned);

} // namespace mailcore::crypto
