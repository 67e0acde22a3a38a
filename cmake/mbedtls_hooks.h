/* What mailcore adds to its own build of mbedTLS; see mbedtls_hooks.c. Installed as mbedtls/mailcore_hooks.h.
 * Any thread. */
#ifndef MAILCORE_MBEDTLS_HOOKS_H
#define MAILCORE_MBEDTLS_HOOKS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Time as mbedTLS sees it on the calling thread, in milliseconds since 1970-01-01 UTC; 0 means the system's clock.
 * Returns what was set before. */
int64_t mailcore_mbedtls_set_time(int64_t unix_ms);

/* From now on the octets that mbedTLS allocates (and frees) on the calling thread are added to (and taken from)
 * `*octets`; NULL counts nothing. I/O buffers are not counted: their pages come and go. Returns what was set before. */
size_t *mailcore_mbedtls_count_into(size_t *octets);

/* Gives the pages of an I/O buffer from `keep_octets` (rounded up to a page) on back to the system; they read as zero
 * afterwards. Returns the octets given back at most, or 0 if `buffer` is not one of the arena's. */
size_t mailcore_mbedtls_release_pages(void *buffer, size_t keep_octets);

#ifdef __cplusplus
}
#endif

#endif
