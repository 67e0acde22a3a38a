/* mbedTLS as mailcore builds it: TLS 1.2 and 1.3 for mail, small at rest, no files, no globals of its own making.
 *
 * Used by cmake/build-mbedtls in place of the library's own mbedtls/mbedtls_config.h. Everything that is not named
 * here is off. The reasons of each group stand above it.
 */
#ifndef MAILCORE_MBEDTLS_CONFIG_H
#define MAILCORE_MBEDTLS_CONFIG_H

#include <stddef.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif
void *mailcore_mbedtls_calloc(size_t count, size_t size);
void mailcore_mbedtls_free(void *pointer);
time_t mailcore_mbedtls_time(time_t *seconds);
#ifdef __cplusplus
}
#endif

/* Platform: several loops, each with its own ssl_config, share keys and the PSA key store through mutexes. */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD

/* Memory: the two 16 KiB I/O buffers of a connection come from a page arena, so that pages which hold nothing can be
 * given back while a connection is idle. See mbedtls_hooks.c. */
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_CALLOC_MACRO mailcore_mbedtls_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO mailcore_mbedtls_free

/* Time is given by the caller of each step (certificates, tickets): simulation and tests run under virtual time. */
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_PLATFORM_TIME_ALT
#define MBEDTLS_PLATFORM_MS_TIME_ALT
#define MBEDTLS_PLATFORM_STD_TIME mailcore_mbedtls_time

/* Randomness: the kernel's, for everything; no generator state of our own to seed, fork or lock. */
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG

/* PSA is needed by TLS 1.3. Key storage is not: it would write into the working folder. The dynamic key store removes
 * the bound of 32 handshakes at a time. */
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_KEY_STORE_DYNAMIC

/* Ciphers and hashes of the suites below. GCM's large table costs 4 KiB a direction and buys nothing beside AES-NI. */
#define MBEDTLS_AESNI_C
#define MBEDTLS_AESCE_C
#define MBEDTLS_AES_C
#define MBEDTLS_CIPHER_C
#define MBEDTLS_CIPHER_MODE_CBC
#define MBEDTLS_CIPHER_PADDING_PKCS7
#define MBEDTLS_GCM_C
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C
#define MBEDTLS_MD_C
#define MBEDTLS_SHA1_C
#define MBEDTLS_SHA224_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_HKDF_C
#define MBEDTLS_HMAC_DRBG_C

/* Public keys. P256M stays off: it is 7 times slower than the library's own P-256. */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_SECP521R1_ENABLED
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECDSA_DETERMINISTIC

/* X.509 and PEM, read from memory only (no MBEDTLS_FS_IO); no encrypted keys. */
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_OID_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_PEM_WRITE_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_WRITE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CRT_WRITE_C
#define MBEDTLS_X509_CSR_PARSE_C
#define MBEDTLS_X509_CSR_WRITE_C
#define MBEDTLS_ERROR_C

/* TLS. Off: DTLS, renegotiation, early data, static RSA and finite-field key exchange, pure PSK. Content lengths stay
 * at the protocol's 16384: a smaller out buffer fails with a certificate chain of 4.9 KB, and variable buffers break
 * full records in TLS 1.2. */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_SSL_IN_CONTENT_LEN 16384
#define MBEDTLS_SSL_OUT_CONTENT_LEN 16384
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#define MBEDTLS_SSL_ALPN
#define MBEDTLS_SSL_ENCRYPT_THEN_MAC
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
#define MBEDTLS_SSL_KEYING_MATERIAL_EXPORT
#define MBEDTLS_SSL_MAX_FRAGMENT_LENGTH
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_SESSION_TICKETS
#define MBEDTLS_SSL_TICKET_C
#define MBEDTLS_VERSION_C

#endif
