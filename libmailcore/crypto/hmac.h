// Keyed digests: HMAC (RFC 2104), and PBKDF2 (RFC 8018), which SCRAM calls Hi (RFC 5802).
#pragma once

#include "libmailcore/crypto/hash.h"

namespace mailcore::crypto {

/// HMAC over octets that arrive in pieces. A value, like `Hash`; the key may have any length.
/// One thread at a time. Source: RFC 2104.
template <HashKind kind>
class Hmac {
  public:
    using Digest = crypto::Digest<kind>;

    explicit Hmac(std::string_view key);
    void update(std::string_view octets) { inner_.update(octets); }
    /// The code of all octets since the beginning; the object then begins anew under the same key.
    [[nodiscard]] Digest finish();
    [[nodiscard]] static Digest of(std::string_view key, std::string_view octets) {
        Hmac hmac(key);
        hmac.update(octets);
        return hmac.finish();
    }

  private:
    Hash<kind> inner_start_;
    Hash<kind> outer_start_;
    Hash<kind> inner_;
};

using HmacSha1 = Hmac<HashKind::Sha1>;
using HmacSha256 = Hmac<HashKind::Sha256>;
using HmacSha512 = Hmac<HashKind::Sha512>;

extern template class Hmac<HashKind::Md5>;
extern template class Hmac<HashKind::Sha1>;
extern template class Hmac<HashKind::Sha256>;
extern template class Hmac<HashKind::Sha512>;

/// The first block of PBKDF2 with HMAC over this hash: SCRAM's Hi(password, salt, iterations).
///
/// `iterations` is at least 1; its cost is linear: 4096 of SHA-256 take about 0.7 ms, so a caller
/// that takes the number from a peer bounds it first. Any thread. Source: RFC 8018 §5.2, RFC 5802
/// §2.2.
template <HashKind kind>
[[nodiscard]] Digest<kind> pbkdf2(std::string_view password, std::string_view salt,
                                  unsigned iterations);

extern template Digest<HashKind::Sha1> pbkdf2<HashKind::Sha1>(std::string_view, std::string_view,
                                                              unsigned);
extern template Digest<HashKind::Sha256> pbkdf2<HashKind::Sha256>(std::string_view,
                                                                  std::string_view, unsigned);
extern template Digest<HashKind::Sha512> pbkdf2<HashKind::Sha512>(std::string_view,
                                                                  std::string_view, unsigned);

} // namespace mailcore::crypto
