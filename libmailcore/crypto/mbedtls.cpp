#include "libmailcore/crypto/mbedtls.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/base/random.h"

#include <array>

#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/platform_util.h>
#include <psa/crypto.h>

namespace mailcore::crypto::mbedtls {

void start() {
    static const bool started = psa_crypto_init() == PSA_SUCCESS;
    MAILCORE_ASSERT(started);
}

std::string describe(int error) {
    std::array<char, 160> text{};
    mbedtls_strerror(error, text.data(), text.size());
    return text.data();
}

int random_octets(void* random, unsigned char* octets, std::size_t size) {
    static_cast<Random*>(random)->fill({octets, size});
    return 0;
}

int system_random(void* /*unused*/, unsigned char* octets, std::size_t size) {
    return psa_generate_random(octets, size) == PSA_SUCCESS ? 0 : MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
}

void wipe(void* octets, std::size_t size) { mbedtls_platform_zeroize(octets, size); }

} // namespace mailcore::crypto::mbedtls
