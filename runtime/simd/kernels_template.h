/* The vector kernels, included once per instruction set after a header that defines the lanes (simd/vec_*.h).
 * The file that includes this puts KERNELS_OF_TEMPLATE into its table.
 *
 * Each kernel does the whole vectors and leaves the rest to the portable table. Values are canonical between
 * the steps, so the results equal the portable ones exactly; only sums of products stay unreduced, as stated
 * there.
 */
#include "field/qvec.h"
#include "simd/kernels_levels.h"
#include "simd/limbs.h"

#define INLINE static inline __attribute__((always_inline))

/* --- M31, lane by lane --- */

/* s < 2p: the smaller of s and s - p modulo 2^32 is the residue. */
INLINE vec vec_reduce_once(vec s) {
    return vec_min(s, vec_sub32(s, vec_set1(M31_P)));
}
INLINE vec vec_add(vec a, vec b) {
    return vec_reduce_once(vec_add32(a, b));
}
/* a - b wraps around exactly when it is negative, and then a - b + p is the smaller. */
INLINE vec vec_sub(vec a, vec b) {
    const vec d = vec_sub32(a, b);
    return vec_min(d, vec_add32(d, vec_set1(M31_P)));
}

/* Products of all lanes as 64-bit words. */
typedef struct wide {
    word even, odd;
} wide;

/* `uniform`: all lanes of b are equal. */
INLINE wide wide_mul(vec a, vec b, bool uniform) {
    return (wide){word_mul(a, b), word_mul(vec_odd_down(a), uniform ? b : vec_odd_down(b))};
}
INLINE wide wide_add(wide a, wide b) {
    return (wide){word_add(a.even, b.even), word_add(a.odd, b.odd)};
}
/* Any 64-bit value to a congruent one < 2^31 + 2^33 < 2^34. */
INLINE wide wide_fold(wide x) {
    return (wide){word_add(word_low31(x.even), word_shift31(x.even)),
                  word_add(word_low31(x.odd), word_shift31(x.odd))};
}
/* Any 64-bit value to its residue: two foldings leave less than 2^31 + 2^3 < 2p. */
INLINE vec wide_reduce(wide x) {
    const wide t = wide_fold(wide_fold(x));
    return vec_reduce_once(word_pack_low(t.even, t.odd));
}

/* a * b where b2 = 2b < 2^32: of the 63-bit product 2ab, the high half is ab >> 31 and the low half twice the
 * low 31 bits of ab. Their sum is < 2p as in m31_mul. */
INLINE vec vec_mul_doubled(vec a, vec b2, bool uniform) {
    const wide x = wide_mul(a, b2, uniform);
    return vec_reduce_once(vec_add32(word_pack_high(x.even, x.odd), vec_half(word_pack_low(x.even, x.odd))));
}

/* --- QM31 --- */

typedef struct vec_qm31 {
    vec v[QM31_DEGREE];
} vec_qm31;

INLINE vec_qm31 q_load(qvec x, size_t i) {
    vec_qm31 r;
    for (unsigned j = 0; j < QM31_DEGREE; j++)
        r.v[j] = vec_load(x.p + j * x.stride + i);
    return r;
}
INLINE void q_store(qvec x, size_t i, vec_qm31 a) {
    for (unsigned j = 0; j < QM31_DEGREE; j++)
        vec_store(x.p + j * x.stride + i, a.v[j]);
}
INLINE vec_qm31 q_set1(qm31 a) {
    vec_qm31 r;
    for (unsigned j = 0; j < QM31_DEGREE; j++)
        r.v[j] = vec_set1(a.v[j]);
    return r;
}
INLINE vec_qm31 q_add(vec_qm31 a, vec_qm31 b) {
    for (unsigned j = 0; j < QM31_DEGREE; j++)
        a.v[j] = vec_add(a.v[j], b.v[j]);
    return a;
}
INLINE vec_qm31 q_sub(vec_qm31 a, vec_qm31 b) {
    for (unsigned j = 0; j < QM31_DEGREE; j++)
        a.v[j] = vec_sub(a.v[j], b.v[j]);
    return a;
}

/* A second factor y = (e + fi) + (g + hi)u, with s + ti = (2 + i)(g + hi), prepared so that each coordinate
 * of xy is a sum of four products. Negated entries are p - x, at most p. */
typedef struct factor {
    vec e, f, g, h, s, t, neg_f, neg_h, neg_t;
    bool uniform;
} factor;

INLINE factor factor_of(vec_qm31 y, bool uniform) {
    const vec p = vec_set1(M31_P);
    factor r = {.e = y.v[0], .f = y.v[1], .g = y.v[2], .h = y.v[3], .uniform = uniform};
    r.s = vec_sub(vec_add(r.g, r.g), r.h);
    r.t = vec_add(r.g, vec_add(r.h, r.h));
    r.neg_f = vec_sub32(p, r.f);
    r.neg_h = vec_sub32(p, r.h);
    r.neg_t = vec_sub32(p, r.t);
    return r;
}
INLINE factor factor_set1(qm31 y) {
    return factor_of(q_set1(y), true);
}

typedef struct wide_qm31 {
    wide v[QM31_DEGREE];
} wide_qm31;

/* Each sum is at most 4 p (p - 1) < 2^64. */
INLINE wide wide_row(const vec_qm31 *x, vec a, vec b, vec c, vec d, bool uniform) {
    return wide_add(wide_add(wide_mul(x->v[0], a, uniform), wide_mul(x->v[1], b, uniform)),
                    wide_add(wide_mul(x->v[2], c, uniform), wide_mul(x->v[3], d, uniform)));
}
INLINE wide_qm31 q_mul_wide(vec_qm31 x, const factor *y) {
    return (wide_qm31){{wide_row(&x, y->e, y->neg_f, y->s, y->neg_t, y->uniform),
                        wide_row(&x, y->f, y->e, y->t, y->s, y->uniform),
                        wide_row(&x, y->g, y->neg_h, y->e, y->neg_f, y->uniform),
                        wide_row(&x, y->h, y->g, y->f, y->e, y->uniform)}};
}
INLINE vec_qm31 q_mul(vec_qm31 x, const factor *y) {
    const wide_qm31 w = q_mul_wide(x, y);
    vec_qm31 r;
    for (unsigned j = 0; j < QM31_DEGREE; j++)
        r.v[j] = wide_reduce(w.v[j]);
    return r;
}
/* ab + cd: each product folded to < 2^34 before they are added. */
INLINE vec_qm31 q_mul_add_mul(vec_qm31 a, const factor *b, vec_qm31 c, const factor *d) {
    const wide_qm31 x = q_mul_wide(a, b), y = q_mul_wide(c, d);
    vec_qm31 r;
    for (unsigned j = 0; j < QM31_DEGREE; j++)
        r.v[j] = wide_reduce(wide_add(wide_fold(x.v[j]), wide_fold(y.v[j])));
    return r;
}

/* --- sums --- */

/* A running sum of folded words: terms < 2^34, so exact for 2^30 of them, that is at least 2^33 elements. */
INLINE void sum_add(wide_qm31 *sum, wide_qm31 x) {
    for (unsigned j = 0; j < QM31_DEGREE; j++)
        sum->v[j] = wide_add(sum->v[j], wide_fold(x.v[j]));
}
INLINE wide_qm31 sum_zero(void) {
    const wide zero = {word_zero(), word_zero()};
    return (wide_qm31){{zero, zero, zero, zero}};
}
/* The sum over all lanes plus `rest`. */
static qm31 sum_close(const wide_qm31 *sum, qm31 rest) {
    for (unsigned j = 0; j < QM31_DEGREE; j++) {
        m31 lane[VEC_LANES];
        vec_store(lane, wide_reduce(sum->v[j]));
        for (unsigned i = 0; i < VEC_LANES; i++)
            rest.v[j] = m31_add(rest.v[j], lane[i]);
    }
    return rest;
}

/* --- the kernels, in the order of simd/kernels.h --- */

static size_t whole_vectors(size_t n) {
    return n - n % VEC_LANES;
}

/* Four products < 2^62 are added before a folding. */
static qm31 dot_m31(const m31 *row, qvec e, size_t n) {
    const size_t end = n - n % ((size_t)4 * VEC_LANES);
    wide_qm31 sum = sum_zero();
    for (size_t i = 0; i < end; i += (size_t)4 * VEC_LANES) {
        vec a[4];
        wide_qm31 s;
        for (size_t l = 0; l < 4; l++)
            a[l] = vec_load(row + i + l * VEC_LANES);
        for (unsigned j = 0; j < QM31_DEGREE; j++) {
            const m31 *plane = e.p + j * e.stride + i;
            wide x[4];
            for (size_t l = 0; l < 4; l++)
                x[l] = wide_mul(a[l], vec_load(plane + l * VEC_LANES), false);
            s.v[j] = wide_add(wide_add(x[0], x[1]), wide_add(x[2], x[3]));
        }
        sum_add(&sum, s);
    }
    return sum_close(&sum, kernels_portable.dot_m31(row + end, qvec_from(e, end), n - end));
}

static qm31 dot(qvec a, qvec b, size_t n) {
    const size_t end = whole_vectors(n);
    wide_qm31 sum = sum_zero();
    for (size_t i = 0; i < end; i += VEC_LANES) {
        const factor y = factor_of(q_load(b, i), false);
        sum_add(&sum, q_mul_wide(q_load(a, i), &y));
    }
    return sum_close(&sum, kernels_portable.dot(qvec_from(a, end), qvec_from(b, end), n - end));
}

static void axpy_m31(qvec y, qm31 c, const m31 *row, size_t n) {
    const size_t end = whole_vectors(n);
    vec c2[QM31_DEGREE];
    for (unsigned j = 0; j < QM31_DEGREE; j++)
        c2[j] = vec_set1(2 * c.v[j]);
    for (size_t i = 0; i < end; i += VEC_LANES) {
        const vec x = vec_load(row + i);
        for (unsigned j = 0; j < QM31_DEGREE; j++) {
            m31 *plane = y.p + j * y.stride + i;
            vec_store(plane, vec_add(vec_load(plane), vec_mul_doubled(x, c2[j], true)));
        }
    }
    kernels_portable.axpy_m31(qvec_from(y, end), c, row + end, n - end);
}

/* Four products < 2^62 are added before a folding, as in dot_m31. */
static void axpys_m31(qvec y, const qm31 *c, const m31 *row, size_t stride, size_t n_rows, size_t n) {
    const size_t end = whole_vectors(n);
    for (size_t i = 0; i < end; i += VEC_LANES) {
        wide_qm31 sum = sum_zero();
        for (size_t k = 0; k < n_rows; k += 4) {
            const size_t last = n_rows - k < 4 ? n_rows - k : 4;
            wide_qm31 four = sum_zero();
            for (size_t l = k; l < k + last; l++) {
                const vec x = vec_load(row + l * stride + i), odd = vec_odd_down(x);
                for (unsigned j = 0; j < QM31_DEGREE; j++) {
                    const vec by = vec_set1(c[l].v[j]);
                    four.v[j] = wide_add(four.v[j], (wide){word_mul(x, by), word_mul(odd, by)});
                }
            }
            sum_add(&sum, four);
        }
        for (unsigned j = 0; j < QM31_DEGREE; j++) {
            m31 *plane = y.p + j * y.stride + i;
            vec_store(plane, vec_add(vec_load(plane), wide_reduce(sum.v[j])));
        }
    }
    kernels_portable.axpys_m31(qvec_from(y, end), c, row + end, stride, n_rows, n - end);
}

static void axpy(qvec y, qm31 c, qvec x, size_t n) {
    const size_t end = whole_vectors(n);
    const factor by = factor_set1(c);
    for (size_t i = 0; i < end; i += VEC_LANES)
        q_store(y, i, q_add(q_load(y, i), q_mul(q_load(x, i), &by)));
    kernels_portable.axpy(qvec_from(y, end), c, qvec_from(x, end), n - end);
}

static void eq_extend(qvec lo, qvec hi, qm31 z, size_t n) {
    const size_t end = whole_vectors(n);
    const factor by = factor_set1(z);
    for (size_t i = 0; i < end; i += VEC_LANES) {
        const vec_qm31 x = q_load(lo, i), upper = q_mul(x, &by);
        q_store(hi, i, upper);
        q_store(lo, i, q_sub(x, upper));
    }
    kernels_portable.eq_extend(qvec_from(lo, end), qvec_from(hi, end), z, n - end);
}

static void fold(qvec lo, qvec hi, qm31 r, size_t n) {
    const size_t end = whole_vectors(n);
    const factor by = factor_set1(r);
    for (size_t i = 0; i < end; i += VEC_LANES) {
        const vec_qm31 x = q_load(lo, i);
        q_store(lo, i, q_add(x, q_mul(q_sub(q_load(hi, i), x), &by)));
    }
    kernels_portable.fold(qvec_from(lo, end), qvec_from(hi, end), r, n - end);
}

static void round_product(qvec a0, qvec a1, qvec b0, qvec b1, size_t n, qm31 out[2]) {
    const size_t end = whole_vectors(n);
    wide_qm31 at_0 = sum_zero(), at_inf = sum_zero();
    for (size_t i = 0; i < end; i += VEC_LANES) {
        const vec_qm31 a = q_load(a0, i), b = q_load(b0, i);
        const vec_qm31 da = q_sub(q_load(a1, i), a), db = q_sub(q_load(b1, i), b);
        const factor y = factor_of(b, false), dy = factor_of(db, false);
        sum_add(&at_0, q_mul_wide(a, &y));
        sum_add(&at_inf, q_mul_wide(da, &dy));
    }
    kernels_portable.round_product(qvec_from(a0, end), qvec_from(a1, end), qvec_from(b0, end),
                                   qvec_from(b1, end), n - end, out);
    out[0] = sum_close(&at_0, out[0]);
    out[1] = sum_close(&at_inf, out[1]);
}

INLINE void sum_add_triple(wide_qm31 *sum, vec_qm31 e, vec_qm31 a, vec_qm31 b) {
    const factor by_b = factor_of(b, false);
    const vec_qm31 ab = q_mul(a, &by_b);
    const factor by_ab = factor_of(ab, false);
    sum_add(sum, q_mul_wide(e, &by_ab));
}

static void round_eq_product(qvec e0, qvec e1, qvec a0, qvec a1, qvec b0, qvec b1, size_t n, qm31 out[3]) {
    const size_t end = whole_vectors(n);
    wide_qm31 at_0 = sum_zero(), at_inf = sum_zero(), at_minus_1 = sum_zero();
    for (size_t i = 0; i < end; i += VEC_LANES) {
        const vec_qm31 e = q_load(e0, i), a = q_load(a0, i), b = q_load(b0, i);
        const vec_qm31 de = q_sub(q_load(e1, i), e), da = q_sub(q_load(a1, i), a),
                       db = q_sub(q_load(b1, i), b);
        sum_add_triple(&at_0, e, a, b);
        sum_add_triple(&at_inf, de, da, db);
        sum_add_triple(&at_minus_1, q_sub(e, de), q_sub(a, da), q_sub(b, db));
    }
    kernels_portable.round_eq_product(qvec_from(e0, end), qvec_from(e1, end), qvec_from(a0, end),
                                      qvec_from(a1, end), qvec_from(b0, end), qvec_from(b1, end), n - end,
                                      out);
    out[0] = sum_close(&at_0, out[0]);
    out[1] = sum_close(&at_inf, out[1]);
    out[2] = sum_close(&at_minus_1, out[2]);
}

static void fraction_add(qvec p0, qvec q0, qvec p1, qvec q1, qvec p, qvec q, size_t n) {
    const size_t end = whole_vectors(n);
    for (size_t i = 0; i < end; i += VEC_LANES) {
        const vec_qm31 d0 = q_load(q0, i);
        const factor by_d0 = factor_of(d0, false), by_d1 = factor_of(q_load(q1, i), false);
        q_store(p, i, q_mul_add_mul(q_load(p0, i), &by_d1, q_load(p1, i), &by_d0));
        q_store(q, i, q_mul(d0, &by_d1));
    }
    kernels_portable.fraction_add(qvec_from(p0, end), qvec_from(q0, end), qvec_from(p1, end),
                                  qvec_from(q1, end), qvec_from(p, end), qvec_from(q, end), n - end);
}

static void fraction_add_ones(qvec q0, qvec q1, qvec p, qvec q, size_t n) {
    const size_t end = whole_vectors(n);
    for (size_t i = 0; i < end; i += VEC_LANES) {
        const vec_qm31 d0 = q_load(q0, i), d1 = q_load(q1, i);
        const factor by_d1 = factor_of(d1, false);
        q_store(p, i, q_add(d0, d1));
        q_store(q, i, q_mul(d0, &by_d1));
    }
    kernels_portable.fraction_add_ones(qvec_from(q0, end), qvec_from(q1, end), qvec_from(p, end),
                                       qvec_from(q, end), n - end);
}

/* sum += e (p0 q1 + q0 (p1 + lambda q1)). */
INLINE void sum_add_fraction(wide_qm31 *sum, vec_qm31 e, const vec_qm31 t[4], const factor *lambda) {
    const factor by_q1 = factor_of(t[3], false);
    const factor by_inner = factor_of(q_add(t[2], q_mul(t[3], lambda)), false);
    const factor by_term = factor_of(q_mul_add_mul(t[0], &by_q1, t[1], &by_inner), false);
    sum_add(sum, q_mul_wide(e, &by_term));
}

static void round_fraction(qvec e, const qvec t[4][2], qm31 lambda, size_t n, qm31 out[2]) {
    const size_t end = whole_vectors(n);
    const factor by_lambda = factor_set1(lambda);
    wide_qm31 at_0 = sum_zero(), at_inf = sum_zero();
    qvec rest[4][2];
    for (size_t i = 0; i < end; i += VEC_LANES) {
        const vec_qm31 weight = q_load(e, i);
        vec_qm31 value[4];
        for (unsigned j = 0; j < 4; j++)
            value[j] = q_load(t[j][0], i);
        sum_add_fraction(&at_0, weight, value, &by_lambda);
        for (unsigned j = 0; j < 4; j++)
            value[j] = q_sub(q_load(t[j][1], i), q_load(t[j][0], i));
        sum_add_fraction(&at_inf, weight, value, &by_lambda);
    }
    for (unsigned j = 0; j < 4; j++) {
        for (unsigned half = 0; half < 2; half++)
            rest[j][half] = qvec_from(t[j][half], end);
    }
    kernels_portable.round_fraction(qvec_from(e, end), (const qvec(*)[2])rest, lambda, n - end, out);
    out[0] = sum_close(&at_0, out[0]);
    out[1] = sum_close(&at_inf, out[1]);
}

static void round_shifted(qvec e, const qvec t[2][2], const qm31 s[2], size_t n, qm31 out[2]) {
    const size_t end = whole_vectors(n);
    const vec_qm31 s0 = q_set1(s[0]), s1 = q_set1(s[1]);
    wide_qm31 at_0 = sum_zero(), at_inf = sum_zero();
    qvec rest[2][2];
    for (size_t i = 0; i < end; i += VEC_LANES) {
        const vec_qm31 weight = q_load(e, i), a = q_load(t[0][0], i), b = q_load(t[1][0], i);
        const vec_qm31 da = q_sub(q_load(t[0][1], i), a), db = q_sub(q_load(t[1][1], i), b);
        sum_add_triple(&at_0, weight, q_add(a, s0), q_add(b, s0));
        sum_add_triple(&at_inf, weight, q_add(da, s1), q_add(db, s1));
    }
    for (unsigned j = 0; j < 2; j++) {
        for (unsigned half = 0; half < 2; half++)
            rest[j][half] = qvec_from(t[j][half], end);
    }
    kernels_portable.round_shifted(qvec_from(e, end), (const qvec(*)[2])rest, s, n - end, out);
    out[0] = sum_close(&at_0, out[0]);
    out[1] = sum_close(&at_inf, out[1]);
}

/* (u, v) -> (u + x v, u - x v), x2 = 2x. */
INLINE void vec_butterfly(vec *u, vec *v, vec x2, bool uniform) {
    const vec a = *u, b = vec_mul_doubled(*v, x2, uniform);
    *u = vec_add(a, b);
    *v = vec_sub(a, b);
}
INLINE vec vec_twice(vec a) {
    return vec_add32(a, a);
}

INLINE void butterfly_vectors(m31 *u, m31 *v, const m31 *x, bool broadcast, size_t end) {
    const vec same = vec_twice(vec_set1(x[0]));
    for (size_t i = 0; i < end; i += VEC_LANES) {
        vec a = vec_load(u + i), b = vec_load(v + i);
        vec_butterfly(&a, &b, broadcast ? same : vec_twice(vec_load(x + i)), broadcast);
        vec_store(u + i, a);
        vec_store(v + i, b);
    }
}

static void butterfly(m31 *u, m31 *v, const m31 *x, int broadcast, size_t n) {
    const size_t end = whole_vectors(n);
    if (end && broadcast)
        butterfly_vectors(u, v, x, true, end);
    else if (end)
        butterfly_vectors(u, v, x, false, end);
    if (end < n)
        kernels_portable.butterfly(u + end, v + end, broadcast ? x : x + end, broadcast, n - end);
}

INLINE void butterflies_vectors(m31 *a, size_t step, const m31 *x, const m31 *y, const m31 *z, bool broadcast,
                                size_t end) {
    const vec same_x = vec_twice(vec_set1(x[0])), same_y = vec_twice(vec_set1(y[0])),
              same_z = vec_twice(vec_set1(z[0]));
    for (size_t i = 0; i < end; i += VEC_LANES) {
        vec v[4];
        for (unsigned q = 0; q < 4; q++)
            v[q] = vec_load(a + q * step + i);
        const vec x2 = broadcast ? same_x : vec_twice(vec_load(x + i));
        vec_butterfly(&v[0], &v[1], x2, broadcast);
        vec_butterfly(&v[2], &v[3], x2, broadcast);
        vec_butterfly(&v[0], &v[2], broadcast ? same_y : vec_twice(vec_load(y + i)), broadcast);
        vec_butterfly(&v[1], &v[3], broadcast ? same_z : vec_twice(vec_load(z + i)), broadcast);
        for (unsigned q = 0; q < 4; q++)
            vec_store(a + q * step + i, v[q]);
    }
}

static void butterflies(m31 *a, size_t step, const m31 *x, const m31 *y, const m31 *z, int broadcast,
                        size_t n) {
    const size_t end = whole_vectors(n), at = broadcast ? 0 : end;
    if (end && broadcast)
        butterflies_vectors(a, step, x, y, z, true, end);
    else if (end)
        butterflies_vectors(a, step, x, y, z, false, end);
    if (end < n)
        kernels_portable.butterflies(a + end, step, x + at, y + at, z + at, broadcast, n - end);
}

/* A loop that the C compiler vectorises. */
static unsigned limbs_split(int16_t *limb, size_t stride, const m31 *v, size_t n) {
    return limbs_split_row(limb, stride, v, n);
}

/* s < 0 wraps around, and then s + p is the smaller. */
INLINE vec limbs_residue(const int32_t *sum) {
    const vec s = vec_load((const m31 *)(const void *)sum);
    return vec_min(s, vec_add32(s, vec_set1(M31_P)));
}

static void limbs_join(m31 *acc, const int32_t *sum, size_t stride, size_t n) {
    const size_t end = whole_vectors(n);
    for (size_t i = 0; i < end; i += VEC_LANES) {
        const vec high = vec_times_2_22(limbs_residue(sum + 2 * stride + i));
        const vec middle = vec_times_2_11(limbs_residue(sum + stride + i));
        const vec low = vec_add(vec_load(acc + i), limbs_residue(sum + i));
        vec_store(acc + i, vec_add(vec_add(low, middle), high));
    }
    limbs_join_row(acc + end, sum + end, stride, n - end);
}

/* A loop that the C compiler vectorises. */
static void abs_sums(uint32_t *sum, const int16_t *v, size_t n) {
    abs_sums_row(sum, v, n);
}

static void halves_join(m31 *acc, const int32_t *sum, size_t stride, size_t parts, size_t part_stride,
                        const m31 *scale, size_t n) {
    const size_t end = whole_vectors(n);
    const vec twice_2_16 = vec_set1(2u << HALF_BITS);
    for (size_t i = 0; i < end; i += VEC_LANES) {
        vec low = limbs_residue(sum + i), high = limbs_residue(sum + stride + i);
        for (size_t q = 1; q < parts; q++) {
            low = vec_add(low, limbs_residue(sum + q * part_stride + i));
            high = vec_add(high, limbs_residue(sum + q * part_stride + stride + i));
        }
        const vec v = vec_add(low, vec_mul_doubled(high, twice_2_16, true)), by = vec_load(scale + i);
        vec_store(acc + i, vec_add(vec_load(acc + i), vec_mul_doubled(v, vec_add32(by, by), false)));
    }
    halves_join_row(acc + end, sum + end, stride, parts, part_stride, scale + end, n - end);
}

/* The entries of mica_kernels that are defined above. */
#define KERNELS_OF_TEMPLATE                                                                                  \
    .dot_m31 = dot_m31, .dot = dot, .axpy_m31 = axpy_m31, .axpys_m31 = axpys_m31, .axpy = axpy,              \
    .eq_extend = eq_extend, .fold = fold, .round_product = round_product,                                    \
    .round_eq_product = round_eq_product, .fraction_add = fraction_add,                                      \
    .fraction_add_ones = fraction_add_ones, .round_fraction = round_fraction,                                \
    .round_shifted = round_shifted, .butterfly = butterfly, .butterflies = butterflies,                      \
    .limbs_split = limbs_split, .limbs_join = limbs_join, .abs_sums = abs_sums, .halves_join = halves_join
