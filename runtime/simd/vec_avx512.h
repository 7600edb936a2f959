/* Sixteen lanes of M31, for simd/kernels_template.h. */
#ifndef MICA_SIMD_VEC_AVX512_H
#define MICA_SIMD_VEC_AVX512_H

#include <immintrin.h>

#include "field/m31.h"

#define VEC_LANES 16

typedef __m512i vec;  /* 32-bit lanes */
typedef __m512i word; /* 64-bit lanes */

static inline vec vec_load(const m31 *p) {
    return _mm512_loadu_si512((const void *)p);
}
static inline void vec_store(m31 *p, vec a) {
    _mm512_storeu_si512((void *)p, a);
}
static inline vec vec_set1(m31 a) {
    return _mm512_set1_epi32((int)a);
}
/* Lane by lane, modulo 2^32. */
static inline vec vec_add32(vec a, vec b) {
    return _mm512_add_epi32(a, b);
}
static inline vec vec_sub32(vec a, vec b) {
    return _mm512_sub_epi32(a, b);
}
static inline vec vec_min(vec a, vec b) {
    return _mm512_min_epu32(a, b);
}
static inline vec vec_half(vec a) {
    return _mm512_srli_epi32(a, 1);
}

/* a 2^11 and a 2^22 for a < p: rotations of 31 bits, hence < p. */
static inline vec vec_times_2_11(vec a) {
    return _mm512_or_si512(_mm512_and_si512(_mm512_slli_epi32(a, 11), vec_set1(M31_P)),
                           _mm512_srli_epi32(a, 20));
}
static inline vec vec_times_2_22(vec a) {
    return _mm512_or_si512(_mm512_and_si512(_mm512_slli_epi32(a, 22), vec_set1(M31_P)),
                           _mm512_srli_epi32(a, 9));
}

static inline word word_zero(void) {
    return _mm512_setzero_si512();
}
/* The product of the even 32-bit lanes. */
static inline word word_mul(vec a, vec b) {
    return _mm512_mul_epu32(a, b);
}
static inline word word_add(word a, word b) {
    return _mm512_add_epi64(a, b);
}
static inline word word_low31(word a) {
    return _mm512_and_si512(a, _mm512_set1_epi64(M31_P));
}
static inline word word_shift31(word a) {
    return _mm512_srli_epi64(a, 31);
}
/* Odd lanes moved to the even ones below them; what is left in the odd lanes is not used. */
static inline vec vec_odd_down(vec a) {
    return _mm512_srli_epi64(a, 32);
}
/* Lane 2i is the low half of even[i], lane 2i + 1 that of odd[i]. */
static inline vec word_pack_low(word even, word odd) {
    return _mm512_mask_shuffle_epi32(even, 0xaaaa, odd, _MM_PERM_CCAA);
}
/* The same of the high halves. */
static inline vec word_pack_high(word even, word odd) {
    return _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
}

#endif
