/* Memory, time, randomness, X25519 (RFC 7748) and record encryption for mailcore's own build of mbedTLS.
 *
 * Compiled into libmbedcrypto by cmake/build-mbedtls, so that no start-up code has to set function pointers in time.
 */
#define _GNU_SOURCE
#include "mbedtls_hooks.h"

#include "mailcore_aead.h"

#include "mbedtls/ecp.h"
#include "mbedtls/platform_time.h"
#include "psa/crypto.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include <sodium.h>

/* ---- memory -------------------------------------------------------------------------------------------------- */

/* A connection's in and out buffers are the only objects of this size. Each gets a slot of whole pages. */
enum {
    page_octets = 4096,
    slot_octets = 5 * page_octets,
    buffer_octets_min = 16385,
    chunk_octets = 2 * 1024 * 1024,
    chunk_slots = chunk_octets / slot_octets,
    warm_slots_max = 64 /* free slots whose pages stay: a handshake then pays no page faults */
};

static pthread_mutex_t arena_lock = PTHREAD_MUTEX_INITIALIZER;
static char **arena_chunks; /* sorted by address */
static size_t arena_chunk_count;
static char **warm_slots; /* all zero, pages present */
static size_t warm_count;
static char **cold_slots; /* all zero, pages absent; room for every slot there is */
static size_t cold_count;

static __thread size_t *counted_octets;

static int arena_grow(void)
{
    char **chunks = realloc(arena_chunks, (arena_chunk_count + 1) * sizeof *chunks);
    if (chunks == NULL) {
        return 0;
    }
    arena_chunks = chunks;
    char **cold = realloc(cold_slots, (arena_chunk_count + 1) * chunk_slots * sizeof *cold);
    if (cold == NULL) {
        return 0;
    }
    cold_slots = cold;
    if (warm_slots == NULL && (warm_slots = malloc(warm_slots_max * sizeof *warm_slots)) == NULL) {
        return 0;
    }
    char *chunk =
        mmap(NULL, chunk_octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (chunk == MAP_FAILED) {
        return 0;
    }
#ifdef MADV_NOHUGEPAGE
    (void) madvise(chunk, chunk_octets, MADV_NOHUGEPAGE); /* a huge page would never become empty */
#endif
    size_t at = arena_chunk_count++;
    for (; at > 0 && arena_chunks[at - 1] > chunk; --at) {
        arena_chunks[at] = arena_chunks[at - 1];
    }
    arena_chunks[at] = chunk;
    for (size_t slot = chunk_slots; slot-- > 0;) {
        cold_slots[cold_count++] = chunk + slot * slot_octets;
    }
    return 1;
}

static void *arena_take(void)
{
    void *slot = NULL;
    pthread_mutex_lock(&arena_lock);
    if (warm_count > 0) {
        slot = warm_slots[--warm_count];
    } else if (cold_count > 0 || arena_grow()) {
        slot = cold_slots[--cold_count];
    }
    pthread_mutex_unlock(&arena_lock);
    return slot;
}

static int arena_owns(const char *pointer)
{
    if (((uintptr_t) pointer & (page_octets - 1)) != 0) {
        return 0; /* nearly every pointer: no lock is taken */
    }
    pthread_mutex_lock(&arena_lock);
    size_t low = 0, high = arena_chunk_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (arena_chunks[middle] <= pointer) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    int owns = low > 0 && pointer < arena_chunks[low - 1] + chunk_octets;
    pthread_mutex_unlock(&arena_lock);
    return owns;
}

static void arena_give(char *slot)
{
    pthread_mutex_lock(&arena_lock);
    int warm = warm_count < warm_slots_max;
    if (warm) {
        memset(slot, 0, slot_octets);
        warm_slots[warm_count++] = slot;
    }
    pthread_mutex_unlock(&arena_lock);
    if (warm) {
        return;
    }
    (void) madvise(slot, slot_octets, MADV_DONTNEED);
    pthread_mutex_lock(&arena_lock);
    cold_slots[cold_count++] = slot;
    pthread_mutex_unlock(&arena_lock);
}

void *mailcore_mbedtls_calloc(size_t count, size_t size)
{
    size_t octets;
    if (__builtin_mul_overflow(count, size, &octets)) {
        return NULL;
    }
    if (octets >= buffer_octets_min && octets <= slot_octets) {
        return arena_take();
    }
    void *pointer = calloc(1, octets);
    if (pointer != NULL && counted_octets != NULL) {
        *counted_octets += malloc_usable_size(pointer) + sizeof(size_t);
    }
    return pointer;
}

void mailcore_mbedtls_free(void *pointer)
{
    if (pointer == NULL) {
        return;
    }
    if (arena_owns(pointer)) {
        arena_give(pointer);
        return;
    }
    if (counted_octets != NULL) {
        size_t octets = malloc_usable_size(pointer) + sizeof(size_t);
        *counted_octets -= octets < *counted_octets ? octets : *counted_octets;
    }
    free(pointer);
}

size_t *mailcore_mbedtls_count_into(size_t *octets)
{
    size_t *before = counted_octets;
    counted_octets = octets;
    return before;
}

size_t mailcore_mbedtls_release_pages(void *buffer, size_t keep_octets)
{
    size_t keep = (keep_octets + page_octets - 1) & ~(size_t) (page_octets - 1);
    if (keep >= slot_octets || !arena_owns(buffer)) {
        return 0;
    }
    return madvise((char *) buffer + keep, slot_octets - keep, MADV_DONTNEED) == 0 ? slot_octets - keep : 0;
}

/* ---- time ---------------------------------------------------------------------------------------------------- */

static __thread int64_t given_unix_ms;

int64_t mailcore_mbedtls_set_time(int64_t unix_ms)
{
    int64_t before = given_unix_ms;
    given_unix_ms = unix_ms;
    return before;
}

mbedtls_ms_time_t mbedtls_ms_time(void)
{
    if (given_unix_ms != 0) {
        return given_unix_ms;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (mbedtls_ms_time_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* MBEDTLS_PLATFORM_STD_TIME: what the library's function pointer starts with. */
time_t mailcore_mbedtls_time(time_t *seconds)
{
    time_t now = (time_t) (mbedtls_ms_time() / 1000);
    if (seconds != NULL) {
        *seconds = now;
    }
    return now;
}

/* ---- randomness ---------------------------------------------------------------------------------------------- */

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context, uint8_t *output,
                                             size_t output_size, size_t *output_length)
{
    (void) context;
    size_t done = 0;
    while (done < output_size) {
        ssize_t got = getrandom(output + done, output_size - done, 0);
        if (got > 0) {
            done += (size_t) got;
        } else if (got < 0 && errno != EINTR) {
            return PSA_ERROR_INSUFFICIENT_ENTROPY;
        }
    }
    *output_length = done;
    return PSA_SUCCESS;
}

/* ---- X25519 -------------------------------------------------------------------------------------------------- */

/* R = m * P on Curve25519, called by mbedtls_x25519.patch after the library has checked m and P. The library's own
 * ladder on its general bignum takes 20 times as long. */
int mailcore_mbedtls_x25519(mbedtls_ecp_point *R, const mbedtls_mpi *m, const mbedtls_ecp_point *P)
{
    unsigned char scalar[32], point[32], product[32];
    int error = mbedtls_mpi_write_binary_le(m, scalar, sizeof scalar);
    if (error == 0) {
        error = mbedtls_mpi_write_binary_le(&P->MBEDTLS_PRIVATE(X), point, sizeof point);
    }
    if (error == 0) {
        int base = mbedtls_mpi_cmp_int(&P->MBEDTLS_PRIVATE(X), 9) == 0;
        int failed = base ? crypto_scalarmult_curve25519_base(product, scalar)
                          : crypto_scalarmult_curve25519(product, scalar, point);
        error = failed ? MBEDTLS_ERR_ECP_INVALID_KEY : 0; /* RFC 7748 §6.1: an all-zero secret */
    }
    if (error == 0) {
        error = mbedtls_mpi_read_binary_le(&R->MBEDTLS_PRIVATE(X), product, sizeof product);
    }
    if (error == 0) {
        error = mbedtls_mpi_lset(&R->MBEDTLS_PRIVATE(Z), 1);
    }
    mbedtls_mpi_free(&R->MBEDTLS_PRIVATE(Y));
    explicit_bzero(scalar, sizeof scalar);
    explicit_bzero(product, sizeof product);
    return error;
}

/* ---- records ------------------------------------------------------------------------------------------------- */

void *mailcore_mbedtls_gcm_remember(const unsigned char key[32])
{
    if (sodium_init() < 0 || !crypto_aead_aes256gcm_is_available()) {
        return NULL;
    }
    /* calloc aligns to 16, which is what it needs; counted like all else that the library holds. */
    crypto_aead_aes256gcm_state *state = mailcore_mbedtls_calloc(1, sizeof *state);
    if (state != NULL) {
        crypto_aead_aes256gcm_beforenm(state, key);
    }
    return state;
}

void mailcore_mbedtls_gcm_forget(void **remembered)
{
    if (*remembered != NULL) {
        explicit_bzero(*remembered, sizeof(crypto_aead_aes256gcm_state));
        mailcore_mbedtls_free(*remembered);
        *remembered = NULL;
    }
}

void mailcore_mbedtls_gcm_seal(const void *remembered, size_t length, const unsigned char nonce[12],
                               const unsigned char *additional, size_t additional_length, const unsigned char *input,
                               unsigned char *output, unsigned char tag[16])
{
    crypto_aead_aes256gcm_encrypt_detached_afternm(output, tag, NULL, input, length, additional, additional_length,
                                                   NULL, nonce, remembered);
}

int mailcore_mbedtls_gcm_open(const void *remembered, size_t length, const unsigned char nonce[12],
                              const unsigned char *additional, size_t additional_length, const unsigned char tag[16],
                              const unsigned char *input, unsigned char *output)
{
    if (crypto_aead_aes256gcm_decrypt_detached_afternm(output, NULL, input, length, tag, additional,
                                                       additional_length, nonce, remembered) == 0) {
        return 1;
    }
    explicit_bzero(output, length);
    return 0;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

int mailcore_mbedtls_chachapoly_seal(const uint32_t key[8], size_t length, const unsigned char nonce[12],
                                     const unsigned char *additional, size_t additional_length,
                                     const unsigned char *input, unsigned char *output, unsigned char tag[16])
{
    return crypto_aead_chacha20poly1305_ietf_encrypt_detached(output, tag, NULL, input, length, additional,
                                                              additional_length, NULL, nonce,
                                                              (const unsigned char *) key) == 0;
}

int mailcore_mbedtls_chachapoly_open(const uint32_t key[8], size_t length, const unsigned char nonce[12],
                                     const unsigned char *additional, size_t additional_length,
                                     const unsigned char tag[16], const unsigned char *input, unsigned char *output)
{
    if (crypto_aead_chacha20poly1305_ietf_decrypt_detached(output, NULL, input, length, tag, additional,
                                                           additional_length, nonce,
                                                           (const unsigned char *) key) == 0) {
        return 1;
    }
    explicit_bzero(output, length);
    return -1;
}

#else

int mailcore_mbedtls_chachapoly_seal(const uint32_t key[8], size_t length, const unsigned char nonce[12],
                                     const unsigned char *additional, size_t additional_length,
                                     const unsigned char *input, unsigned char *output, unsigned char tag[16])
{
    (void) key, (void) length, (void) nonce, (void) additional, (void) additional_length;
    (void) input, (void) output, (void) tag;
    return 0;
}

int mailcore_mbedtls_chachapoly_open(const uint32_t key[8], size_t length, const unsigned char nonce[12],
                                     const unsigned char *additional, size_t additional_length,
                                     const unsigned char tag[16], const unsigned char *input, unsigned char *output)
{
    (void) key, (void) length, (void) nonce, (void) additional, (void) additional_length;
    (void) tag, (void) input, (void) output;
    return 0;
}

#endif
