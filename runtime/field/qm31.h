/* Arithmetic in QM31 = CM31[u]/(u^2 - 2 - i), CM31 = M31[i]/(i^2 + 1); |QM31| = p^4, about 2^124.
 *
 * Element (a + bi) + (c + di)u is stored as v = {a, b, c, d}, all canonical. This is the only file that knows
 * the extension's degree apart from those that pack vectors of it (qvec.h, simd/).
 */
#ifndef MICA_FIELD_QM31_H
#define MICA_FIELD_QM31_H

#include "field/m31.h"

#define QM31_DEGREE 4
#define QM31_BYTES  16

typedef struct qm31 {
    m31 v[QM31_DEGREE];
} qm31;

static inline qm31 qm31_from_m31(m31 a) {
    return (qm31){{a, 0, 0, 0}};
}
static inline qm31 qm31_zero(void) {
    return qm31_from_m31(0);
}
static inline qm31 qm31_one(void) {
    return qm31_from_m31(1);
}
static inline qm31 qm31_from_i32(int32_t a) {
    return qm31_from_m31(m31_from_i32(a));
}

static inline qm31 qm31_add(qm31 a, qm31 b) {
    return (qm31){
        {m31_add(a.v[0], b.v[0]), m31_add(a.v[1], b.v[1]), m31_add(a.v[2], b.v[2]), m31_add(a.v[3], b.v[3])}};
}
static inline qm31 qm31_sub(qm31 a, qm31 b) {
    return (qm31){
        {m31_sub(a.v[0], b.v[0]), m31_sub(a.v[1], b.v[1]), m31_sub(a.v[2], b.v[2]), m31_sub(a.v[3], b.v[3])}};
}
static inline qm31 qm31_neg(qm31 a) {
    return (qm31){{m31_neg(a.v[0]), m31_neg(a.v[1]), m31_neg(a.v[2]), m31_neg(a.v[3])}};
}
static inline qm31 qm31_mul_m31(qm31 a, m31 b) {
    return (qm31){{m31_mul(a.v[0], b), m31_mul(a.v[1], b), m31_mul(a.v[2], b), m31_mul(a.v[3], b)}};
}

/* With A = a0 + a1 i, C = a2 + a3 i and likewise B, D for b:
 *   (A + Cu)(B + Du) = AB + (2 + i)CD + (AD + CB)u.
 * Each sum below has at most four products < 2^62 and offsets that keep it non-negative: < 2^64. */
static inline qm31 qm31_mul(qm31 x, qm31 y) {
    const uint64_t a = x.v[0], b = x.v[1], c = x.v[2], d = x.v[3];
    const uint64_t e = y.v[0], f = y.v[1], g = y.v[2], h = y.v[3];
    const uint64_t pp = (uint64_t)M31_P * M31_P; /* >= any product */
    const m31 cd_re = m31_reduce64(c * g + (pp - d * h));
    const m31 cd_im = m31_reduce64(c * h + d * g);
    /* (2 + i)(re + i im) = (2re - im) + i(re + 2im) */
    const uint64_t r0 = a * e + (pp - b * f) + 2ull * cd_re + (M31_P - cd_im);
    const uint64_t r1 = a * f + b * e + cd_re + 2ull * cd_im;
    const uint64_t r2 = a * g + c * e + (pp - b * h) + (pp - d * f);
    const uint64_t r3 = a * h + b * g + c * f + d * e; /* < 4 (p-1)^2 < 2^64 */
    return (qm31){{m31_reduce64(r0), m31_reduce64(r1), m31_reduce64(r2), m31_reduce64(r3)}};
}

static inline qm31 qm31_mul_i32(qm31 a, int32_t b) {
    return qm31_mul_m31(a, m31_from_i32(b));
}

static inline bool qm31_eq(qm31 a, qm31 b) {
    return a.v[0] == b.v[0] && a.v[1] == b.v[1] && a.v[2] == b.v[2] && a.v[3] == b.v[3];
}
static inline bool qm31_is_zero(qm31 a) {
    return (a.v[0] | a.v[1] | a.v[2] | a.v[3]) == 0;
}

/* Inverse of a != 0; 0 maps to 0. 1/(A + Cu) = (A - Cu)/(A^2 - (2 + i)C^2), the norm being in CM31. */
static inline qm31 qm31_inv(qm31 x) {
    const m31 a = x.v[0], b = x.v[1], c = x.v[2], d = x.v[3];
    const m31 a2r = m31_sub(m31_mul(a, a), m31_mul(b, b)), a2i = m31_mul(m31_add(a, a), b);
    const m31 c2r = m31_sub(m31_mul(c, c), m31_mul(d, d)), c2i = m31_mul(m31_add(c, c), d);
    const m31 nr = m31_sub(a2r, m31_sub(m31_add(c2r, c2r), c2i));
    const m31 ni = m31_sub(a2i, m31_add(c2r, m31_add(c2i, c2i)));
    const m31 n = m31_inv(m31_add(m31_mul(nr, nr), m31_mul(ni, ni)));
    const m31 ir = m31_mul(nr, n), ii = m31_neg(m31_mul(ni, n)); /* 1/(nr + i ni) */
    const qm31 inv_norm = {{ir, ii, 0, 0}};
    const qm31 conj = {{a, b, m31_neg(c), m31_neg(d)}};
    return qm31_mul(conj, inv_norm);
}

static inline qm31 qm31_pow(qm31 a, uint64_t e) {
    qm31 r = qm31_one();
    for (; e; e >>= 1, a = qm31_mul(a, a)) {
        if (e & 1)
            r = qm31_mul(r, a);
    }
    return r;
}

/* 1/2 in M31. */
#define M31_HALF 0x40000000u

#endif
