/* Binding variables of multilinear polynomials: both operations multiply many elements with one factor z,
 * whose products with the basis are made once. Twice, as in qm31_sum.h. */
#ifndef MICA_FIELD_QM31_BIND_H
#define MICA_FIELD_QM31_BIND_H

#include "field/qm31_sum.h"

/* z, z i, z u, z i u. */
typedef struct qm31_factor {
    qm31 column[QM31_DEGREE];
} qm31_factor;

/* z = (e + fi) + (g + hi)u; (2 + i)(g + hi) = re + im i. */
static inline qm31_factor qm31_factor_of(qm31 z) {
    const m31 e = z.v[0], f = z.v[1], g = z.v[2], h = z.v[3];
    const m31 re = m31_sub(m31_add(g, g), h), im = m31_add(g, m31_add(h, h));
    const qm31 zi = {{m31_neg(f), e, m31_neg(h), g}}, zu = {{re, im, e, f}};
    return (qm31_factor){{z, zi, zu, {{m31_neg(im), re, m31_neg(f), e}}}};
}

#if QM31_SUM_SSE2

static inline __m128i qm31_load(const qm31 *x) {
    return _mm_loadu_si128((const __m128i *)(const void *)x->v);
}

static inline void qm31_store(qm31 *out, __m128i x) {
    _mm_storeu_si128((__m128i *)(void *)out->v, x);
}

/* x in (-p, p) as signed words: x, or x + p if it is negative. */
static inline __m128i qm31_lift(__m128i x) {
    return _mm_add_epi32(x, _mm_and_si128(_mm_srai_epi32(x, 31), _mm_set1_epi32(M31_P)));
}

/* a - b and, by way of a + b - p, a + b. */
static inline __m128i qm31_minus(__m128i a, __m128i b) {
    return qm31_lift(_mm_sub_epi32(a, b));
}

static inline __m128i qm31_plus(__m128i a, __m128i b) {
    return qm31_lift(_mm_sub_epi32(_mm_add_epi32(a, b), _mm_set1_epi32(M31_P)));
}

/* x z = x_0 z + x_1 z i + x_2 z u + x_3 z i u. */
static inline __m128i qm31_times(__m128i x, const qm31_factor *z) {
    qm31_sum s = qm31_pair_products(qm31_load(&z->column[0]), _mm_shuffle_epi32(x, 0x00));
    s = qm31_sum_plus(s, qm31_pair_products(qm31_load(&z->column[1]), _mm_shuffle_epi32(x, 0x55)));
    s = qm31_sum_plus(s, qm31_pair_products(qm31_load(&z->column[2]), _mm_shuffle_epi32(x, 0xaa)));
    s = qm31_sum_plus(s, qm31_pair_products(qm31_load(&z->column[3]), _mm_shuffle_epi32(x, 0xff)));
    return qm31_pair_value(s);
}

/* a + z (b - a). */
static inline qm31 qm31_bind(const qm31_factor *z, const qm31 *a, const qm31 *b) {
    qm31 out;
    const __m128i low = qm31_load(a);
    qm31_store(&out, qm31_plus(low, qm31_times(qm31_minus(qm31_load(b), low), z)));
    return out;
}

/* (*a, *b) becomes (*a - z *a, z *a). */
static inline void qm31_split(const qm31_factor *z, qm31 *a, qm31 *b) {
    const __m128i whole = qm31_load(a), upper = qm31_times(whole, z);
    qm31_store(b, upper);
    qm31_store(a, qm31_minus(whole, upper));
}

#else

static inline qm31 qm31_bind(const qm31_factor *z, const qm31 *a, const qm31 *b) {
    return qm31_add(*a, qm31_mul(z->column[0], qm31_sub(*b, *a)));
}

static inline void qm31_split(const qm31_factor *z, qm31 *a, qm31 *b) {
    *b = qm31_mul(z->column[0], *a);
    *a = qm31_sub(*a, *b);
}

#endif

#endif
