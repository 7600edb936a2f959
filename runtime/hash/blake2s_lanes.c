#include "hash/blake2s_lanes.h"

#include "hash/blake2s_schedule.h"

#define ROTR(x, n) ((x) >> (n) | (x) << (32 - (n)))

#define G(a, b, c, d, x, y)                                                                                  \
    do {                                                                                                     \
        a += b + (x);                                                                                        \
        d = ROTR(d ^ a, 16);                                                                                 \
        c += d;                                                                                              \
        b = ROTR(b ^ c, 12);                                                                                 \
        a += b + (y);                                                                                        \
        d = ROTR(d ^ a, 8);                                                                                  \
        c += d;                                                                                              \
        b = ROTR(b ^ c, 7);                                                                                  \
    } while (0)

void blake2s_compress_lanes(blake2s_vec h[8], const blake2s_vec block[16], uint64_t counted, int last) {
    const blake2s_vec *m = block;
    blake2s_vec v[16];
    for (unsigned i = 0; i < 8; i++) {
        v[i] = h[i];
        v[8 + i] = (blake2s_vec){0} + blake2s_iv[i];
    }
    v[12] ^= (uint32_t)counted;
    v[13] ^= (uint32_t)(counted >> 32);
    v[14] ^= last ? UINT32_MAX : 0;
    BLAKE2S_ROUNDS(BLAKE2S_ROUND)
    for (unsigned i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[8 + i];
}
