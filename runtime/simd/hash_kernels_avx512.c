/* Blake2s on 16 messages at once. */
#include "simd/hash_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LANES       16
#define LEVEL(name) name##_avx512

typedef __m512i vec;

static inline vec vec_load(const void *p) {
    return _mm512_loadu_si512(p);
}
static inline void vec_store(void *p, vec a) {
    _mm512_storeu_si512(p, a);
}
static inline vec vec_set1(uint32_t x) {
    return _mm512_set1_epi32((int)x);
}
static inline vec vec_add(vec a, vec b) {
    return _mm512_add_epi32(a, b);
}
static inline vec vec_xor(vec a, vec b) {
    return _mm512_xor_si512(a, b);
}
static inline vec vec_and(vec a, vec b) {
    return _mm512_and_si512(a, b);
}
static inline vec vec_or(vec a, vec b) {
    return _mm512_or_si512(a, b);
}
static inline vec vec_ror16(vec a) {
    return _mm512_ror_epi32(a, 16);
}
static inline vec vec_ror12(vec a) {
    return _mm512_ror_epi32(a, 12);
}
static inline vec vec_ror8(vec a) {
    return _mm512_ror_epi32(a, 8);
}
static inline vec vec_ror7(vec a) {
    return _mm512_ror_epi32(a, 7);
}
static inline uint32_t vec_zero_mask(vec a) {
    return _mm512_testn_epi32_mask(a, a);
}

/* Transposes within each 128-bit quarter: with rows a[0..4), quarter q of a[k] becomes word 4 q + k of the
 * rows. */
static inline void transpose_quarters(vec a[4]) {
    const vec t0 = _mm512_unpacklo_epi32(a[0], a[1]), t1 = _mm512_unpackhi_epi32(a[0], a[1]);
    const vec t2 = _mm512_unpacklo_epi32(a[2], a[3]), t3 = _mm512_unpackhi_epi32(a[2], a[3]);
    a[0] = _mm512_unpacklo_epi64(t0, t2);
    a[1] = _mm512_unpackhi_epi64(t0, t2);
    a[2] = _mm512_unpacklo_epi64(t1, t3);
    a[3] = _mm512_unpackhi_epi64(t1, t3);
}

/* After transpose_quarters, quarter q of h[k] holds words 0 to 3 (h[4 + k]: 4 to 7) of message 4 q + k. */
static inline void store_digests(vec h[8], uint8_t *out) {
    transpose_quarters(h);
    transpose_quarters(h + 4);
    for (size_t k = 0; k < 4; k++) {
        uint8_t *at = out + 32 * k;
        /* quarters: h0 h1 | g0 g1 and h2 h3 | g2 g3, then each message's pair h_q g_q side by side */
        const vec low = _mm512_shuffle_i32x4(h[k], h[4 + k], 0x44),
                  high = _mm512_shuffle_i32x4(h[k], h[4 + k], 0xee);
        const vec m01 = _mm512_shuffle_i32x4(low, low, 0xd8), m23 = _mm512_shuffle_i32x4(high, high, 0xd8);
        _mm256_storeu_si256((__m256i *)(at), _mm512_castsi512_si256(m01));
        _mm256_storeu_si256((__m256i *)(at + 128), _mm512_extracti64x4_epi64(m01, 1));
        _mm256_storeu_si256((__m256i *)(at + 256), _mm512_castsi512_si256(m23));
        _mm256_storeu_si256((__m256i *)(at + 384), _mm512_extracti64x4_epi64(m23, 1));
    }
}

/* A 16 x 16 transposition: 4 x 4 blocks in registers, then the blocks themselves. */
static inline void load_children(vec m[16], const uint8_t *child) {
    vec a[16];
    for (size_t i = 0; i < 16; i++)
        a[i] = vec_load(child + 64 * i);
    for (unsigned i = 0; i < 16; i += 4)
        transpose_quarters(a + i);
    for (unsigned k = 0; k < 4; k++) {
        /* quarter q of a[4 i + k]: word 4 q + k of messages 4 i to 4 i + 3 */
        const vec t0 = _mm512_shuffle_i32x4(a[k], a[4 + k], 0x44),
                  t1 = _mm512_shuffle_i32x4(a[k], a[4 + k], 0xee);
        const vec t2 = _mm512_shuffle_i32x4(a[8 + k], a[12 + k], 0x44);
        const vec t3 = _mm512_shuffle_i32x4(a[8 + k], a[12 + k], 0xee);
        m[k] = _mm512_shuffle_i32x4(t0, t2, 0x88);
        m[4 + k] = _mm512_shuffle_i32x4(t0, t2, 0xdd);
        m[8 + k] = _mm512_shuffle_i32x4(t1, t3, 0x88);
        m[12 + k] = _mm512_shuffle_i32x4(t1, t3, 0xdd);
    }
}

#include "simd/hash_lanes.h"

#endif
