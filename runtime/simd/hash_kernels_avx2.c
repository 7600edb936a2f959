/* Blake2s on 8 messages at once. */
#include "simd/hash_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LANES       8
#define LEVEL(name) name##_avx2

typedef __m256i vec;

static inline vec vec_load(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline void vec_store(void *p, vec a) {
    _mm256_storeu_si256((__m256i *)p, a);
}
static inline vec vec_set1(uint32_t x) {
    return _mm256_set1_epi32((int)x);
}
static inline vec vec_add(vec a, vec b) {
    return _mm256_add_epi32(a, b);
}
static inline vec vec_xor(vec a, vec b) {
    return _mm256_xor_si256(a, b);
}
static inline vec vec_and(vec a, vec b) {
    return _mm256_and_si256(a, b);
}
static inline vec vec_or(vec a, vec b) {
    return _mm256_or_si256(a, b);
}
static inline vec vec_ror16(vec a) {
    return _mm256_shuffle_epi8(a, _mm256_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 2, 3,
                                                   0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
}
static inline vec vec_ror8(vec a) {
    return _mm256_shuffle_epi8(a, _mm256_setr_epi8(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12, 1, 2,
                                                   3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12));
}
static inline vec vec_ror12(vec a) {
    return _mm256_or_si256(_mm256_srli_epi32(a, 12), _mm256_slli_epi32(a, 20));
}
static inline vec vec_ror7(vec a) {
    return _mm256_or_si256(_mm256_srli_epi32(a, 7), _mm256_slli_epi32(a, 25));
}
static inline uint32_t vec_zero_mask(vec a) {
    const vec is_zero = _mm256_cmpeq_epi32(a, _mm256_setzero_si256());
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(is_zero));
}

/* Word j of a[i] becomes word i of a[j]. */
static inline void transpose(vec a[8]) {
    vec t[8], u[8];
    for (unsigned i = 0; i < 8; i += 2) { /* pairs of rows, per 128-bit half: 0 0 1 1 and 2 2 3 3 */
        t[i] = _mm256_unpacklo_epi32(a[i], a[i + 1]);
        t[i + 1] = _mm256_unpackhi_epi32(a[i], a[i + 1]);
    }
    for (unsigned i = 0; i < 8; i += 4) { /* u[i + k]: word k of rows i .. i + 3 low, word 4 + k high */
        u[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
        u[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
        u[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
        u[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (unsigned i = 0; i < 4; i++) {
        a[i] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x20);
        a[i + 4] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x31);
    }
}

static inline void store_digests(vec h[8], uint8_t *out) {
    transpose(h);
    for (size_t i = 0; i < 8; i++)
        vec_store(out + 32 * i, h[i]);
}

static inline void load_children(vec m[16], const uint8_t *child) {
    for (size_t i = 0; i < 8; i++) {
        m[i] = vec_load(child + 64 * i);
        m[8 + i] = vec_load(child + 64 * i + 32);
    }
    transpose(m);
    transpose(m + 8);
}

#include "simd/hash_lanes.h"

#endif
