/* The constants of Blake2s (RFC 7693, sections 2.6 and 2.7), shared by the portable code and the SIMD
 * template. */
#ifndef MICA_HASH_BLAKE2S_SCHEDULE_H
#define MICA_HASH_BLAKE2S_SCHEDULE_H

#include <stdint.h>

static const uint32_t blake2s_iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* ROUND(s0, ..., s15) for each of the ten rounds: message word s_i is the i-th one used. */
#define BLAKE2S_ROUNDS(ROUND)                                                                                \
    ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)                                              \
    ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3)                                              \
    ROUND(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4)                                              \
    ROUND(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8)                                              \
    ROUND(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13)                                              \
    ROUND(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9)                                              \
    ROUND(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11)                                              \
    ROUND(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10)                                              \
    ROUND(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5)                                              \
    ROUND(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0)

/* One round over v[16] and the message m[16] in terms of G(a, b, c, d, x, y): columns, then diagonals. */
#define BLAKE2S_ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15)                  \
    G(v[0], v[4], v[8], v[12], m[s0], m[s1]);                                                                \
    G(v[1], v[5], v[9], v[13], m[s2], m[s3]);                                                                \
    G(v[2], v[6], v[10], v[14], m[s4], m[s5]);                                                               \
    G(v[3], v[7], v[11], v[15], m[s6], m[s7]);                                                               \
    G(v[0], v[5], v[10], v[15], m[s8], m[s9]);                                                               \
    G(v[1], v[6], v[11], v[12], m[s10], m[s11]);                                                             \
    G(v[2], v[7], v[8], v[13], m[s12], m[s13]);                                                              \
    G(v[3], v[4], v[9], v[14], m[s14], m[s15]);

#endif
