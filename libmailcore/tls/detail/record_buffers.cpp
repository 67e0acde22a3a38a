#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "libmailcore/tls/detail/record_buffers.h"

#include <algorithm>

#include <mbedtls/mailcore_hooks.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

static_assert(MBEDTLS_VERSION_NUMBER >= 0x03060300 && MBEDTLS_VERSION_NUMBER < 0x03070000,
              "this file knows the buffers of mbedTLS 3.6.3 and later 3.6");

// The library's own, of its internal header.
extern "C" void mbedtls_ssl_handshake_free(mbedtls_ssl_context* ssl);
extern "C" void mbedtls_ssl_transform_free(mbedtls_ssl_transform* transform);

namespace mailcore::tls::detail {

namespace {

constexpr std::size_t counter_octets =
    8; // MBEDTLS_SSL_SEQUENCE_NUMBER_LEN, in front of each buffer
constexpr std::size_t page_octets = 4096;

} // namespace

std::string_view decrypted(const mbedtls_ssl_context& ssl) {
    if (ssl.in_offt == nullptr) return {};
    return {reinterpret_cast<const char*>(ssl.in_offt), ssl.in_msglen};
}

void consume_decrypted(mbedtls_ssl_context& ssl, std::size_t octets) {
    if (octets == 0) return;
    mbedtls_platform_zeroize(ssl.in_offt, octets);
    ssl.in_msglen -= octets;
    if (ssl.in_msglen == 0) {
        ssl.in_offt = nullptr;
        ssl.keep_current_message = 0;
    } else {
        ssl.in_offt += octets;
    }
}

void drop_peer_certificate(mbedtls_ssl_context& ssl) {
    if (ssl.session == nullptr || ssl.session->peer_cert == nullptr) return;
    mbedtls_x509_crt_free(ssl.session->peer_cert);
    mbedtls_free(ssl.session->peer_cert);
    ssl.session->peer_cert = nullptr;
}

// As the library does by itself after TLS 1.2. What it would free along with the handshake at the
// end goes too: the transform that was made in case TLS 1.2 is agreed, and no session (wrap-up has
// moved it).
void drop_handshake(mbedtls_ssl_context& ssl) {
    if (ssl.handshake == nullptr || mbedtls_ssl_is_handshake_over(&ssl) == 0) return;
    mbedtls_ssl_handshake_free(&ssl);
    mbedtls_free(ssl.handshake);
    ssl.handshake = nullptr;
    mbedtls_ssl_transform_free(ssl.transform_negotiate);
    mbedtls_free(ssl.transform_negotiate);
    ssl.transform_negotiate = nullptr;
}

unsigned received_alert(const mbedtls_ssl_context& ssl) {
    return ssl.in_msg != nullptr ? ssl.in_msg[1] : 0;
}

// A record that was begun (in_left), plaintext not yet taken (in_offt), a handshake message of
// which a part came (in_hdr has moved, or fragments are counted) and further messages behind the
// last (in_hslen) live in the in buffer; a record not yet handed on (out_left) in the out buffer.
// All else is in the context.
bool buffers_idle(const mbedtls_ssl_context& ssl) {
    return ssl.in_left == 0 && ssl.in_offt == nullptr &&
           ssl.in_hdr == ssl.in_buf + counter_octets && ssl.badmac_seen_or_in_hsfraglen == 0 &&
           (ssl.in_hslen == 0 || ssl.in_hslen >= ssl.in_msglen) && ssl.keep_current_message == 0 &&
           ssl.out_left == 0;
}

std::array<unsigned char, 8> release_buffers(mbedtls_ssl_context& ssl) {
    std::array<unsigned char, 8> counter;
    std::copy_n(ssl.in_buf, counter.size(), counter.begin());
    mailcore_mbedtls_release_pages(ssl.in_buf, 0);
    mailcore_mbedtls_release_pages(ssl.out_buf, 0);
    return counter;
}

void restore_in_counter(mbedtls_ssl_context& ssl, const std::array<unsigned char, 8>& counter) {
    std::copy_n(counter.begin(), counter.size(), ssl.in_buf);
}

void TouchedPages::in(const mbedtls_ssl_context& ssl, const unsigned char* end) {
    in_octets_ = std::max(in_octets_, static_cast<std::size_t>(end - ssl.in_buf));
}

void TouchedPages::out(const mbedtls_ssl_context& ssl, const unsigned char* end) {
    out_octets_ = std::max(out_octets_, static_cast<std::size_t>(end - ssl.out_buf));
}

std::size_t TouchedPages::octets() const {
    const auto pages = [](std::size_t octets) {
        return (octets + page_octets - 1) / page_octets * page_octets;
    };
    return pages(in_octets_) + pages(out_octets_);
}

} // namespace mailcore::tls::detail
