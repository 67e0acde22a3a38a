/* Whole AEAD records by libsodium, for mbedtls_aead.patch; see mbedtls_hooks.c. Installed beside the library's sources. */
#ifndef MAILCORE_MBEDTLS_AEAD_H
#define MAILCORE_MBEDTLS_AEAD_H

#include <stddef.h>
#include <stdint.h>

/* The expanded form of a 256-bit AES key, or NULL where the processor has no AES instructions (or memory is short):
 * then the library works by itself. */
void *mailcore_mbedtls_gcm_remember(const unsigned char key[32]);
void mailcore_mbedtls_gcm_forget(void **remembered);
void mailcore_mbedtls_gcm_seal(const void *remembered, size_t length, const unsigned char nonce[12],
                               const unsigned char *additional, size_t additional_length, const unsigned char *input,
                               unsigned char *output, unsigned char tag[16]);
/* 1 if the tag is right, else 0 and the output is wiped. */
int mailcore_mbedtls_gcm_open(const void *remembered, size_t length, const unsigned char nonce[12],
                              const unsigned char *additional, size_t additional_length, const unsigned char tag[16],
                              const unsigned char *input, unsigned char *output);

/* `key`: eight words as ChaCha20's state holds them. 0: not done here (a big-endian machine). */
int mailcore_mbedtls_chachapoly_seal(const uint32_t key[8], size_t length, const unsigned char nonce[12],
                                     const unsigned char *additional, size_t additional_length,
                                     const unsigned char *input, unsigned char *output, unsigned char tag[16]);
/* 1 if the tag is right, -1 if it is not (the output is wiped), 0: not done here. */
int mailcore_mbedtls_chachapoly_open(const uint32_t key[8], size_t length, const unsigned char nonce[12],
                                     const unsigned char *additional, size_t additional_length,
                                     const unsigned char tag[16], const unsigned char *input, unsigned char *output);

#endif
