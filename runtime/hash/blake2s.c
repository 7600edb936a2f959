#include "hash/blake2s.h"

#include <string.h>

#include "base/bytes.h"
#include "base/require.h"
#include "hash/blake2s_schedule.h"

static inline uint32_t rotr(uint32_t x, unsigned n) {
    return x >> n | x << (32 - n);
}

/* Half of G (RFC 7693, section 3.1) on four columns or diagonals abreast, so that none waits for itself; p
 * and q are its rotations. The state's rows are a0 ... a3, b0 ... b3, c0 ... c3, d0 ... d3: variables, not an
 * array, of which compilers keep fewer in registers. */
#define HALVES(b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3, x0, x1, x2, x3, p, q)                         \
    do {                                                                                                     \
        a0 += (x0), a1 += (x1), a2 += (x2), a3 += (x3);                                                      \
        a0 += b0, a1 += b1, a2 += b2, a3 += b3;                                                              \
        d0 ^= a0, d1 ^= a1, d2 ^= a2, d3 ^= a3;                                                              \
        d0 = rotr(d0, p), d1 = rotr(d1, p), d2 = rotr(d2, p), d3 = rotr(d3, p);                              \
        c0 += d0, c1 += d1, c2 += d2, c3 += d3;                                                              \
        b0 ^= c0, b1 ^= c1, b2 ^= c2, b3 ^= c3;                                                              \
        b0 = rotr(b0, q), b1 = rotr(b1, q), b2 = rotr(b2, q), b3 = rotr(b3, q);                              \
    } while (0)

/* As BLAKE2S_ROUND: columns, then diagonals. */
#define ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15)                          \
    HALVES(b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3, m[s0], m[s2], m[s4], m[s6], 16, 12);              \
    HALVES(b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3, m[s1], m[s3], m[s5], m[s7], 8, 7);                \
    HALVES(b1, b2, b3, b0, c2, c3, c0, c1, d3, d0, d1, d2, m[s8], m[s10], m[s12], m[s14], 16, 12);           \
    HALVES(b1, b2, b3, b0, c2, c3, c0, c1, d3, d0, d1, d2, m[s9], m[s11], m[s13], m[s15], 8, 7);

void blake2s_compress(uint32_t h[8], const uint32_t block[16], uint64_t counted, int last) {
    const uint32_t *m = block, *iv = blake2s_iv;
    uint32_t a0 = h[0], a1 = h[1], a2 = h[2], a3 = h[3], b0 = h[4], b1 = h[5], b2 = h[6], b3 = h[7];
    uint32_t c0 = iv[0], c1 = iv[1], c2 = iv[2], c3 = iv[3];
    uint32_t d0 = iv[4] ^ (uint32_t)counted, d1 = iv[5] ^ (uint32_t)(counted >> 32);
    uint32_t d2 = iv[6] ^ (last ? UINT32_MAX : 0), d3 = iv[7];
    BLAKE2S_ROUNDS(ROUND)
    h[0] ^= a0 ^ c0, h[1] ^= a1 ^ c1, h[2] ^= a2 ^ c2, h[3] ^= a3 ^ c3;
    h[4] ^= b0 ^ d0, h[5] ^= b1 ^ d1, h[6] ^= b2 ^ d2, h[7] ^= b3 ^ d3;
}

static void compress_bytes(uint32_t h[8], const uint8_t block[BLAKE2S_BLOCK], uint64_t counted, int last) {
    uint32_t m[16];
    load_u32s(m, block, 16);
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
        if (s->filled == 0 && size > BLAKE2S_BLOCK) { /* more follows: not the last block */
            s->counted += BLAKE2S_BLOCK;
            compress_bytes(s->h, at, s->counted, 0);
            at += BLAKE2S_BLOCK;
            size -= BLAKE2S_BLOCK;
            continue;
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
