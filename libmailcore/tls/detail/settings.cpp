#include "libmailcore/tls/detail/settings.h"

#include "libmailcore/base/assert.h"

#include <iterator>

#include <mbedtls/ssl_ciphersuites.h>

namespace mailcore::tls::detail {

namespace {

// By preference, ended by 0. AES-256-GCM and ChaCha20-Poly1305 are libsodium's in our build, five
// times as fast as AES-128-GCM by mbedTLS. The compatible ones stand last, so that the modern list
// is its beginning.
constexpr int modern_suites[] = {
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};
constexpr int compatible_suites[] = {
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    0,
};
static_assert(std::size(compatible_suites) > std::size(modern_suites));

constexpr std::uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519,    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

mbedtls_ssl_protocol_version library_version(Version version) {
    return version == Version::Tls13 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2;
}

} // namespace

std::unique_ptr<Settings> make_settings(Side side, Versions versions, Ciphers ciphers,
                                        const Alpn& alpn) {
    crypto::mbedtls::start();
    auto settings = std::make_unique<Settings>();
    settings->alpn = alpn;
    auto* config = settings->config.get();
    const int failed = mbedtls_ssl_config_defaults(
        config, side == Side::Server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
        MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    MAILCORE_ASSERT(failed == 0);
    mbedtls_ssl_conf_rng(config, crypto::mbedtls::system_random, nullptr);
    MAILCORE_ASSERT(versions.min <= versions.max);
    mbedtls_ssl_conf_min_tls_version(config, library_version(versions.min));
    mbedtls_ssl_conf_max_tls_version(config, library_version(versions.max));
    mbedtls_ssl_conf_ciphersuites(config,
                                  ciphers == Ciphers::Modern ? modern_suites : compatible_suites);
    mbedtls_ssl_conf_groups(config, groups);
    mbedtls_ssl_conf_tls13_key_exchange_modes(
        config, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL |
                    MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL);
    if (!alpn.empty()) {
        for (const auto& protocol : settings->alpn)
            settings->alpn_pointers.push_back(protocol.c_str());
        settings->alpn_pointers.push_back(nullptr);
        // The only fault is a name that is empty or longer than 255 octets: ours, not a peer's.
        const int refused = mbedtls_ssl_conf_alpn_protocols(config, settings->alpn_pointers.data());
        MAILCORE_ASSERT(refused == 0);
    }
    return settings;
}

} // namespace mailcore::tls::detail
