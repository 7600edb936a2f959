/* Blake2s-256 (RFC 7693), portable. */
#ifndef MICA_HASH_BLAKE2S_H
#define MICA_HASH_BLAKE2S_H

#include <stddef.h>
#include <stdint.h>

#define BLAKE2S_BYTES 32
#define BLAKE2S_BLOCK 64

typedef struct blake2s {
    uint32_t h[8];
    uint64_t counted; /* bytes compressed so far, key block included */
    uint8_t block[BLAKE2S_BLOCK];
    size_t filled; /* bytes waiting in block; a full block waits until more follows, for the last one is
                      marked */
} blake2s;

/* Keyed by an ASCII domain string of 1 to 32 bytes; the empty string gives the unkeyed hash. */
void blake2s_init(blake2s *s, const char *key);
void blake2s_update(blake2s *s, const void *bytes, size_t size);
void blake2s_final(blake2s *s, uint8_t out[BLAKE2S_BYTES]);

/* --- for hashing many short messages under one key --- */
/* The state after the key block (64 bytes counted). Right only for messages of at least one byte. */
void blake2s_keyed_state(uint32_t h[8], const char *key);
/* s as blake2s_init leaves it for that key, but for the key block, which h has absorbed. */
void blake2s_resume(blake2s *s, const uint32_t h[8]);
/* Absorbs one block of 16 words; counted includes it. `last` is 0, or 1 for the final block. */
void blake2s_compress(uint32_t h[8], const uint32_t block[16], uint64_t counted, int last);

#endif
