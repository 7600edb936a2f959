/* The portable kernels: the definition that every other table is compared with, and what other CPUs run. */
#include "field/qvec.h"
#include "simd/hash_kernels.h"
#include "simd/kernels_levels.h"
#include "simd/limbs.h"

/* A sum of canonical elements, not reduced: exact for up to 2^33 terms below 2^31. */
typedef struct lazy_sum {
    uint64_t v[QM31_DEGREE];
} lazy_sum;

static void lazy_add(lazy_sum *s, qm31 x) {
    for (unsigned j = 0; j < QM31_DEGREE; j++)
        s->v[j] += x.v[j];
}

static qm31 lazy_reduce(const lazy_sum *s) {
    qm31 x;
    for (unsigned j = 0; j < QM31_DEGREE; j++)
        x.v[j] = m31_reduce64(s->v[j]);
    return x;
}

/* One folding of a product < 2^62 leaves less than 2^32: exact for up to 2^32 terms. */
static m31 dot_plane(const m31 *a, const m31 *b, size_t n) {
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t x = (uint64_t)a[i] * b[i];
        sum += (x & M31_P) + (x >> 31);
    }
    return m31_reduce64(sum);
}

static qm31 dot_m31(const m31 *row, qvec e, size_t n) {
    qm31 sum;
    for (unsigned j = 0; j < QM31_DEGREE; j++)
        sum.v[j] = dot_plane(row, e.p + j * e.stride, n);
    return sum;
}

static qm31 dot(qvec a, qvec b, size_t n) {
    lazy_sum sum = {{0}};
    for (size_t i = 0; i < n; i++)
        lazy_add(&sum, qm31_mul(qvec_get(a, i), qvec_get(b, i)));
    return lazy_reduce(&sum);
}

static void axpy_m31(qvec y, qm31 c, const m31 *row, size_t n) {
    for (unsigned j = 0; j < QM31_DEGREE; j++) {
        m31 *plane = y.p + j * y.stride;
        for (size_t i = 0; i < n; i++)
            plane[i] = m31_add(plane[i], m31_mul(c.v[j], row[i]));
    }
}

static void axpys_m31(qvec y, const qm31 *c, const m31 *row, size_t stride, size_t n_rows, size_t n) {
    for (size_t k = 0; k < n_rows; k++)
        axpy_m31(y, c[k], row + k * stride, n);
}

static void axpy(qvec y, qm31 c, qvec x, size_t n) {
    for (size_t i = 0; i < n; i++)
        qvec_set(y, i, qm31_add(qvec_get(y, i), qm31_mul(c, qvec_get(x, i))));
}

static void eq_extend(qvec lo, qvec hi, qm31 z, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const qm31 x = qvec_get(lo, i), upper = qm31_mul(x, z);
        qvec_set(hi, i, upper);
        qvec_set(lo, i, qm31_sub(x, upper));
    }
}

static void fold(qvec lo, qvec hi, qm31 r, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const qm31 x = qvec_get(lo, i), slope = qm31_sub(qvec_get(hi, i), x);
        qvec_set(lo, i, qm31_add(x, qm31_mul(r, slope)));
    }
}

static void round_product(qvec a0, qvec a1, qvec b0, qvec b1, size_t n, qm31 out[2]) {
    lazy_sum at_0 = {{0}}, at_inf = {{0}};
    for (size_t i = 0; i < n; i++) {
        const qm31 a = qvec_get(a0, i), b = qvec_get(b0, i);
        const qm31 da = qm31_sub(qvec_get(a1, i), a), db = qm31_sub(qvec_get(b1, i), b);
        lazy_add(&at_0, qm31_mul(a, b));
        lazy_add(&at_inf, qm31_mul(da, db));
    }
    out[0] = lazy_reduce(&at_0);
    out[1] = lazy_reduce(&at_inf);
}

static void round_eq_product(qvec e0, qvec e1, qvec a0, qvec a1, qvec b0, qvec b1, size_t n, qm31 out[3]) {
    lazy_sum at_0 = {{0}}, at_inf = {{0}}, at_minus_1 = {{0}};
    for (size_t i = 0; i < n; i++) {
        const qm31 e = qvec_get(e0, i), a = qvec_get(a0, i), b = qvec_get(b0, i);
        const qm31 de = qm31_sub(qvec_get(e1, i), e), da = qm31_sub(qvec_get(a1, i), a),
                   db = qm31_sub(qvec_get(b1, i), b);
        const qm31 me = qm31_sub(e, de), ma = qm31_sub(a, da), mb = qm31_sub(b, db); /* at -1 */
        lazy_add(&at_0, qm31_mul(e, qm31_mul(a, b)));
        lazy_add(&at_inf, qm31_mul(de, qm31_mul(da, db)));
        lazy_add(&at_minus_1, qm31_mul(me, qm31_mul(ma, mb)));
    }
    out[0] = lazy_reduce(&at_0);
    out[1] = lazy_reduce(&at_inf);
    out[2] = lazy_reduce(&at_minus_1);
}

static void fraction_add(qvec p0, qvec q0, qvec p1, qvec q1, qvec p, qvec q, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const qm31 d0 = qvec_get(q0, i), d1 = qvec_get(q1, i);
        qvec_set(p, i, qm31_add(qm31_mul(qvec_get(p0, i), d1), qm31_mul(qvec_get(p1, i), d0)));
        qvec_set(q, i, qm31_mul(d0, d1));
    }
}

static void fraction_add_ones(qvec q0, qvec q1, qvec p, qvec q, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const qm31 d0 = qvec_get(q0, i), d1 = qvec_get(q1, i);
        qvec_set(p, i, qm31_add(d0, d1));
        qvec_set(q, i, qm31_mul(d0, d1));
    }
}

/* p0 q1 + p1 q0 + lambda q0 q1. */
static qm31 fraction_term(qm31 p0, qm31 q0, qm31 p1, qm31 q1, qm31 lambda) {
    const qm31 inner = qm31_add(p1, qm31_mul(lambda, q1));
    return qm31_add(qm31_mul(p0, q1), qm31_mul(q0, inner));
}

static void round_fraction(qvec e, const qvec t[4][2], qm31 lambda, size_t n, qm31 out[2]) {
    lazy_sum at_0 = {{0}}, at_inf = {{0}};
    for (size_t i = 0; i < n; i++) {
        const qm31 weight = qvec_get(e, i);
        qm31 lo[4], slope[4];
        for (unsigned j = 0; j < 4; j++) {
            lo[j] = qvec_get(t[j][0], i);
            slope[j] = qm31_sub(qvec_get(t[j][1], i), lo[j]);
        }
        lazy_add(&at_0, qm31_mul(weight, fraction_term(lo[0], lo[1], lo[2], lo[3], lambda)));
        lazy_add(&at_inf, qm31_mul(weight, fraction_term(slope[0], slope[1], slope[2], slope[3], lambda)));
    }
    out[0] = lazy_reduce(&at_0);
    out[1] = lazy_reduce(&at_inf);
}

static void round_shifted(qvec e, const qvec t[2][2], const qm31 s[2], size_t n, qm31 out[2]) {
    lazy_sum at_0 = {{0}}, at_inf = {{0}};
    for (size_t i = 0; i < n; i++) {
        const qm31 weight = qvec_get(e, i), a = qvec_get(t[0][0], i), b = qvec_get(t[1][0], i);
        const qm31 da = qm31_sub(qvec_get(t[0][1], i), a), db = qm31_sub(qvec_get(t[1][1], i), b);
        lazy_add(&at_0, qm31_mul(weight, qm31_mul(qm31_add(a, s[0]), qm31_add(b, s[0]))));
        lazy_add(&at_inf, qm31_mul(weight, qm31_mul(qm31_add(da, s[1]), qm31_add(db, s[1]))));
    }
    out[0] = lazy_reduce(&at_0);
    out[1] = lazy_reduce(&at_inf);
}

static void butterfly(m31 *u, m31 *v, const m31 *x, int broadcast, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const m31 a = u[i], b = m31_mul(v[i], broadcast ? x[0] : x[i]);
        u[i] = m31_add(a, b);
        v[i] = m31_sub(a, b);
    }
}

static void butterflies(m31 *a, size_t step, const m31 *x, const m31 *y, const m31 *z, int broadcast,
                        size_t n) {
    butterfly(a, a + step, x, broadcast, n);
    butterfly(a + 2 * step, a + 3 * step, x, broadcast, n);
    butterfly(a, a + 2 * step, y, broadcast, n);
    butterfly(a + step, a + 3 * step, z, broadcast, n);
}

static unsigned limbs_split(int16_t *limb, size_t stride, const m31 *v, size_t n) {
    return limbs_split_row(limb, stride, v, n);
}

static void limbs_join(m31 *acc, const int32_t *sum, size_t stride, size_t n) {
    limbs_join_row(acc, sum, stride, n);
}

static void abs_sums(uint32_t *sum, const int16_t *v, size_t n) {
    abs_sums_row(sum, v, n);
}

static void halves_join(m31 *acc, const int32_t *sum, size_t stride, size_t parts, size_t part_stride,
                        const m31 *scale, size_t n) {
    halves_join_row(acc, sum, stride, parts, part_stride, scale, n);
}

const mica_kernels kernels_portable = {
    .name = "portable",
    .dot_m31 = dot_m31,
    .dot = dot,
    .axpy_m31 = axpy_m31,
    .axpys_m31 = axpys_m31,
    .axpy = axpy,
    .eq_extend = eq_extend,
    .fold = fold,
    .round_product = round_product,
    .round_eq_product = round_eq_product,
    .fraction_add = fraction_add,
    .fraction_add_ones = fraction_add_ones,
    .round_fraction = round_fraction,
    .round_shifted = round_shifted,
    .butterfly = butterfly,
    .butterflies = butterflies,
    .products = products_portable,
    .combine = combine_portable,
    .products_per_butterfly = 1,
    .limbs_split = limbs_split,
    .limbs_join = limbs_join,
    .abs_sums = abs_sums,
    .halves_join = halves_join,
    .hash_columns = hash_columns_portable,
    .hash_nodes = hash_nodes_portable,
    .grind = grind_portable,
};
