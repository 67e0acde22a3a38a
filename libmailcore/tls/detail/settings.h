// mbedtls_ssl_config objects as clients and servers share them.
#pragma once

#include "libmailcore/crypto/mbedtls.h"
#include "libmailcore/tls/settings.h"

#include <memory>
#include <string>
#include <vector>

#include <mbedtls/ssl.h>

namespace mailcore::tls::detail {

/// The settings for one list of application protocols, with what they point to.
struct Settings {
    Alpn alpn;
    bool asks_certificate = false; ///< of clients
    std::vector<const char*> alpn_pointers; // into `alpn`, ended by a null pointer
    crypto::mbedtls::Holder<mbedtls_ssl_config, mbedtls_ssl_config_init, mbedtls_ssl_config_free>
        config;
};

enum class Side : unsigned char { Client, Server };

struct Versions {
    Version min;
    Version max;
};

/// Versions, suites, groups and ALPN; certificates and tickets are the caller's to add.
[[nodiscard]] std::unique_ptr<Settings> make_settings(Side side, Versions versions, Ciphers ciphers,
                                                      const Alpn& alpn);

/// What a handshake leaves for its session; mbedTLS's user data points to it.
struct HandshakeNotes {
    std::string server_name; ///< SNI as received, lower case
};

} // namespace mailcore::tls::detail
