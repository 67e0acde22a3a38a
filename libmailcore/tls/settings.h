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

/// Whether a server asks clients for a certificate (for SASL EXTERNAL). Its chain is not verified:
/// who owns the key is shown by the handshake, what the certificate is worth is the application's
/// to decide.
enum class ClientCertificate : std::uint8_t { NotAsked, Asked };

/// Application protocols by preference (RFC 7301): IANA's identification sequences, such as "imap".
/// A server with a list refuses clients that offer only others (no_application_protocol), so that
/// one service's connection cannot be redirected to another's (ALPACA); clients that offer nothing
/// are served. Empty: the extension is not used.
using Alpn = std::vector<std::string>;

} // namespace mailcore::tls
