/* Sums of products of QM31 and M31 elements, reduced late: what the verifier's long loops consist of. Twice:
 * as plain words, which is the definition, and two coordinates to a vector by SSE2, which every x86-64 has.
 */
#ifndef MICA_FIELD_QM31_SUM_H
#define MICA_FIELD_QM31_SUM_H

#include "field/qm31.h"

/* MICA_PLAIN_SUMS: tests only, for the definition on a machine with SSE2. */
#if defined(__SSE2__) && !defined(MICA_PLAIN_SUMS)
#define QM31_SUM_SSE2 1
#include <emmintrin.h>

/* even: coordinates 0 and 2, odd: 1 and 3. */
typedef struct qm31_sum {
    __m128i even, odd;
} qm31_sum;

static inline qm31_sum qm31_sum_zero(void) {
    return (qm31_sum){_mm_setzero_si128(), _mm_setzero_si128()};
}

static inline qm31_sum qm31_sum_plus(qm31_sum a, qm31_sum b) {
    return (qm31_sum){_mm_add_epi64(a.even, b.even), _mm_add_epi64(a.odd, b.odd)};
}

/* _mm_mul_epu32 multiplies the lower halves of 64-bit words and ignores the upper ones; w is one word four
 * times. */
static inline qm31_sum qm31_pair_products(__m128i x, __m128i w) {
    return (qm31_sum){_mm_mul_epu32(x, w), _mm_mul_epu32(_mm_srli_epi64(x, 32), w)};
}

static inline qm31_sum qm31_sum_product(const qm31 *x, uint32_t w) {
    return qm31_pair_products(_mm_loadu_si128((const __m128i *)(const void *)x->v), _mm_set1_epi32((int)w));
}

static inline __m128i qm31_pair_part(__m128i x) {
    return _mm_add_epi64(_mm_and_si128(x, _mm_set1_epi64x(M31_P)), _mm_srli_epi64(x, 31));
}

static inline qm31_sum qm31_sum_part(qm31_sum s) {
    return (qm31_sum){qm31_pair_part(s.even), qm31_pair_part(s.odd)};
}

/* As m31_reduce64: two foldings leave at most 2^31 + 3, one more at most p, and p is 0. */
static inline __m128i qm31_pair_value(qm31_sum s) {
    const qm31_sum t = qm31_sum_part(qm31_sum_part(s));
    const __m128i p = _mm_set1_epi32(M31_P), words = _mm_or_si128(t.even, _mm_slli_epi64(t.odd, 32));
    const __m128i x = _mm_add_epi32(_mm_and_si128(words, p), _mm_srli_epi32(words, 31));
    return _mm_andnot_si128(_mm_cmpeq_epi32(x, p), x);
}

static inline qm31 qm31_sum_value(qm31_sum s) {
    qm31 out;
    _mm_storeu_si128((__m128i *)(void *)out.v, qm31_pair_value(s));
    return out;
}

#else
#define QM31_SUM_SSE2 0

typedef struct qm31_sum {
    uint64_t v[QM31_DEGREE];
} qm31_sum;

static inline qm31_sum qm31_sum_zero(void) {
    return (qm31_sum){{0}};
}

static inline qm31_sum qm31_sum_plus(qm31_sum a, qm31_sum b) {
    return (qm31_sum){{a.v[0] + b.v[0], a.v[1] + b.v[1], a.v[2] + b.v[2], a.v[3] + b.v[3]}};
}

/* x w, not reduced. w <= p: the product is at most (p - 1) p, and four of them fit in 64 bits. */
static inline qm31_sum qm31_sum_product(const qm31 *x, uint32_t w) {
    const uint64_t factor = w;
    return (qm31_sum){{x->v[0] * factor, x->v[1] * factor, x->v[2] * factor, x->v[3] * factor}};
}

/* The same residues, below 2^31 + 2^33: 2^30 of such sums fit in 64 bits. */
static inline qm31_sum qm31_sum_part(qm31_sum s) {
    for (unsigned c = 0; c < QM31_DEGREE; c++)
        s.v[c] = (s.v[c] & M31_P) + (s.v[c] >> 31);
    return s;
}

static inline qm31 qm31_sum_value(qm31_sum s) {
    return (qm31){{m31_reduce64(s.v[0]), m31_reduce64(s.v[1]), m31_reduce64(s.v[2]), m31_reduce64(s.v[3])}};
}

#endif

/* sum over i < 4 of x[i] w[i], not reduced; w[i] <= p. */
static inline qm31_sum qm31_sum_four(const qm31 *x, const uint32_t w[4]) {
    const qm31_sum a = qm31_sum_plus(qm31_sum_product(&x[0], w[0]), qm31_sum_product(&x[1], w[1]));
    const qm31_sum b = qm31_sum_plus(qm31_sum_product(&x[2], w[2]), qm31_sum_product(&x[3], w[3]));
    return qm31_sum_plus(a, b);
}

/* The sum so far, a sum of less than 2^30 parts, and four products more. */
static inline qm31_sum qm31_sum_add_four(qm31_sum sum, const qm31 *x, const uint32_t w[4]) {
    return qm31_sum_plus(sum, qm31_sum_part(qm31_sum_four(x, w)));
}

#endif
