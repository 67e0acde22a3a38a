#include "libmailcore/crypto/seal.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/crypto/detail/sodium.h"

#include <sodium/crypto_aead_xchacha20poly1305.h>

namespace mailcore::crypto {

namespace {

constexpr std::size_t nonce_octets = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
static_assert(seal_key_octets == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(seal_overhead_octets == nonce_octets + crypto_aead_xchacha20poly1305_ietf_ABYTES);

const unsigned char* bytes(std::string_view octets) {
    return reinterpret_cast<const unsigned char*>(octets.data());
}
unsigned char* bytes(std::string& octets) {
    return reinterpret_cast<unsigned char*>(octets.data());
}

} // namespace

Secret make_seal_key(Random& random) {
    std::string key(seal_key_octets, '\0');
    random.fill({bytes(key), key.size()});
    return Secret(std::move(key));
}

std::string seal(const Secret& key, std::string_view plaintext, std::string_view associated,
                 Random& random) {
    MAILCORE_ASSERT(key.size() == seal_key_octets);
    detail::start_sodium();
    std::string sealed(plaintext.size() + seal_overhead_octets, '\0');
    random.fill({bytes(sealed), nonce_octets});
    crypto_aead_xchacha20poly1305_ietf_encrypt(
        bytes(sealed) + nonce_octets, nullptr, bytes(plaintext), plaintext.size(),
        bytes(associated), associated.size(), nullptr, bytes(sealed), bytes(key.reveal()));
    return sealed;
}

Result<Secret> unseal(const Secret& key, std::string_view sealed, std::string_view associated) {
    MAILCORE_ASSERT(key.size() == seal_key_octets);
    detail::start_sodium();
    if (sealed.size() < seal_overhead_octets)
        return fail(ErrorKind::Corrupt, "sealed text: shorter than its nonce and tag");
    std::string plaintext(sealed.size() - seal_overhead_octets, '\0');
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            bytes(plaintext), nullptr, nullptr, bytes(sealed) + nonce_octets,
            sealed.size() - nonce_octets, bytes(associated), associated.size(), bytes(sealed),
            bytes(key.reveal())) != 0)
        return fail(ErrorKind::Corrupt, "sealed text: wrong key, altered, or of another place");
    return Secret(std::move(plaintext));
}

} // namespace mailcore::crypto
