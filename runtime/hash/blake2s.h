/* Blake2s-256 (RFC 7693), portable. */
#ifndef MICA_HASH_BLAKE2S_H
#define MICA_HASH_BLAKE2S_H

#include <stddef.h>
#include <stdint.h>

#define BLAKE2S_BYTES 32

typedef struct blake2s {
    uint32_t h[8];
    uint64_t counted;
    uint8_t block[64];
    size_t filled;
} blake2s;

/* Keyed by an ASCII domain string of 1 to 32 bytes. */
void blake2s_init(blake2s *s, const char *key);
void blake2s_update(blake2s *s, const void *bytes, size_t size);
void blake2s_final(blake2s *s, uint8_t out[BLAKE2S_BYTES]);

#endif
