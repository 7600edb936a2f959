#include "hash/blake2s.h"

#include <string.h>

#include "base/bytes.h"
#include "base/require.h"
#include "hash/blake2s_schedule.h"

static inline uint32_t rotr(uint32_t x, unsigned n) {
    return x >> n | x << (32 - n);
}

#define G(a, b, c, d, x, y)                                                                                  \
    do {                                                                                                     \
        a += b + (x);                                                                                        \
        d = rotr(d ^ a, 16);                                                                                 \
        c += d;                                                                                              \
        b = rotr(b ^ c, 12);                                                                                 \
        a += b + (y);                                                                                        \
        d = rotr(d ^ a, 8);                                                                                  \
        c += d;                                                                                              \
        b = rotr(b ^ c, 7);                                                                                  \
    } while (0)

void blake2s_compress(uint32_t h[8], const uint32_t block[16], uint64_t counted, int last) {
    const uint32_t *m = block;
    uint32_t v[16];
    memcpy(v, h, 32);
    memcpy(v + 8, blake2s_iv, 32);
    v[12] ^= (uint32_t)counted;
    v[13] ^= (uint32_t)(counted >> 32);
    v[14] ^= last ? UINT32_MAX : 0;
    BLAKE2S_ROUNDS(BLAKE2S_ROUND)
    for (unsigned i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
}

static void compress_bytes(uint32_t h[8], const uint8_t block[BLAKE2S_BLOCK], uint64_t counted, int last) {
    uint32_t m[16];
    for (size_t i = 0; i < 16; i++)
        m[i] = load_u32(block + 4 * i);
    blake2s_compress(h, m, counted, last);
}

/* Parameter block: digest length, key length, fanout 1, depth 1, all else zero (RFC 7693, section 2.8). */
static void init_state(uint32_t h[8], size_t key_size) {
    memcpy(h, blake2s_iv, 32);
    h[0] ^= 0x01010000u ^ (uint32_t)key_size << 8 ^ BLAKE2S_BYTES;
}

void blake2s_init(blake2s *s, const char *key) {
    const size_t key_size = strlen(key);
    MICA_REQUIRE(key_size <= 32);
    memset(s, 0, sizeof *s);
    init_state(s->h, key_size);
    if (key_size) {
        memcpy(s->block, key, key_size);
        s->filled = BLAKE2S_BLOCK;
    }
}

void blake2s_resume(blake2s *s, const uint32_t h[8]) {
    memcpy(s->h, h, sizeof s->h);
    s->counted = BLAKE2S_BLOCK;
    s->filled = 0;
}

void blake2s_update(blake2s *s, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    while (size) {
        if (s->filled == BLAKE2S_BLOCK) {
            s->counted += BLAKE2S_BLOCK;
            compress_bytes(s->h, s->block, s->counted, 0);
            s->filled = 0;
        }
        const size_t room = BLAKE2S_BLOCK - s->filled;
        const size_t take = size < room ? size : room;
        memcpy(s->block + s->filled, at, take);
        s->filled += take;
        at += take;
        size -= take;
    }
}

void blake2s_final(blake2s *s, uint8_t out[BLAKE2S_BYTES]) {
    memset(s->block + s->filled, 0, BLAKE2S_BLOCK - s->filled);
    s->counted += s->filled;
    compress_bytes(s->h, s->block, s->counted, 1);
    for (size_t i = 0; i < 8; i++)
        store_u32(out + 4 * i, s->h[i]);
}

void blake2s_keyed_state(uint32_t h[8], const char *key) {
    uint8_t block[BLAKE2S_BLOCK] = {0};
    const size_t key_size = strlen(key);
    MICA_REQUIRE(key_size >= 1 && key_size <= 32);
    memcpy(block, key, key_size); /* no text */ // NOLINT(bugprone-not-null-terminated-result)
    init_state(h, key_size);
    compress_bytes(h, block, BLAKE2S_BLOCK, 0);
}
