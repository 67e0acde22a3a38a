// Settings that TLS clients and servers have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mailcore::tls {

enum class Version : std::uint8_t { Tls12, Tls13 };

/// Cipher suites to agree on.
enum class Ciphers : std::uint8_t {
    /// AEAD with forward secrecy: AES-GCM and ChaCha20-Poly1305 under ECDHE (RFC 9325 §4.2).
    Modern,
    /// Also ECDHE with AES-CBC in TLS 1.2, last in order: mail servers of 2012 with an RSA
    /// certificate speak
    /// nothing better, and without it mail to them goes in the clear.
    Compatible,
};

/// Whether a service asks clients for a certificate (for SASL EXTERNAL), given that its server
/// knows authorities to check it by. Who shows none, or one that is not good, is served all the
/// same, as nobody in particular.
enum class ClientCertificate : std::uint8_t { NotAsked, Asked };

/// Application protocols by preference (RFC 7301): IANA's identification sequences, such as "imap".
/// A server with a list refuses clients that offer only others (no_application_protocol), so that
/// one service's connection cannot be redirected to another's (ALPACA); clients that offer nothing
/// are served. Empty: the extension is not used.
using Alpn = std::vector<std::string>;

/// What is special to one service of a server.
struct ServiceSettings {
    Alpn alpn;
    ClientCertificate client_certificate = ClientCertificate::NotAsked;
    friend bool operator==(const ServiceSettings&, const ServiceSettings&) = default;
};

} // namespace mailcore::tls
