// mbedTLS's record buffers seen from inside: plaintext in place, and pages given back at rest.
//
// The one file that reads private fields of mbedtls_ssl_context. They are those of 3.6 LTS, which
// cmake/build-mbedtls builds; its last function checks that the version is that one.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include <mbedtls/ssl.h>

namespace mailcore::tls::detail {

/// The decrypted octets that mbedtls_ssl_read would copy next; empty if there are none.
[[nodiscard]] std::string_view decrypted(const mbedtls_ssl_context& ssl);
/// Takes `octets` of them as mbedtls_ssl_read does, without the copy.
void consume_decrypted(mbedtls_ssl_context& ssl, std::size_t octets);

/// Frees the parsed chain of the peer, which nothing asks for after the handshake.
void drop_peer_certificate(mbedtls_ssl_context& ssl);

/// Frees what a server's handshake leaves behind: after TLS 1.3 the library keeps it, 5 KiB, to the
/// end of the connection. (A client still needs it for tickets.)
void drop_handshake(mbedtls_ssl_context& ssl);

/// The description octet of the alert that was received last.
[[nodiscard]] unsigned received_alert(const mbedtls_ssl_context& ssl);

/// Whether nothing in the two buffers matters any more, but for the in counter.
[[nodiscard]] bool buffers_idle(const mbedtls_ssl_context& ssl);
/// Gives all their pages back; returns the in counter, which `restore_in_counter` needs before the
/// next read.
[[nodiscard]] std::array<unsigned char, 8> release_buffers(mbedtls_ssl_context& ssl);
void restore_in_counter(mbedtls_ssl_context& ssl, const std::array<unsigned char, 8>& counter);

/// How far into the two buffers something was written since they were empty.
class TouchedPages {
  public:
    void in(const mbedtls_ssl_context& ssl, const unsigned char* end);
    void out(const mbedtls_ssl_context& ssl, const unsigned char* end);
    [[nodiscard]] std::size_t octets() const;

  private:
    std::size_t in_octets_ = 0;
    std::size_t out_octets_ = 0;
};

} // namespace mailcore::tls::detail
