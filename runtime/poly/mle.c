#include "poly/mle.h"

#include "base/require.h"
#include "field/qm31_bind.h"

static qm31 one_minus(qm31 x) {
    return qm31_sub(qm31_one(), x);
}

/* ab + (1 - a)(1 - b) = 1 - a - b + 2ab. */
static qm31 eq_factor(qm31 a, qm31 b) {
    const qm31 ab = qm31_mul(a, b);
    return qm31_sub(qm31_add(one_minus(a), qm31_add(ab, ab)), b);
}

qm31 mle_eq(const qm31 *a, const qm31 *b, unsigned n) {
    qm31 product = qm31_one();
    for (unsigned i = 0; i < n; i++)
        product = qm31_mul(product, eq_factor(a[i], b[i]));
    return product;
}

void mle_eq_table(const qm31 *z, unsigned n, qm31 *table) {
    table[0] = qm31_one();
    for (unsigned j = 0; j < n; j++) {
        const size_t half = (size_t)1 << j;
        const qm31_factor factor = qm31_factor_of(z[j]);
        for (size_t i = 0; i < half; i++)
            qm31_split(&factor, &table[i], &table[half + i]);
    }
}

qm31 mle_eq_index(const qm31 *z, unsigned n, uint64_t index) {
    qm31 product = qm31_one();
    for (unsigned i = 0; i < n; i++)
        product = qm31_mul(product, index >> i & 1 ? z[i] : one_minus(z[i]));
    return product;
}

/* With L_i = sum over index < (bound mod 2^i) of the eq of the low i variables, L_0 = 0 and, by the cases of
 * bit i of the index: bit i of bound 0: L_(i+1) = (1 - z_i) L_i; bit 1: L_(i+1) = (1 - z_i) + z_i L_i. */
qm31 mle_less_than(const qm31 *z, unsigned n, uint64_t bound) {
    MICA_REQUIRE(n < 64 && bound <= (uint64_t)1 << n);
    if (bound >> n)
        return qm31_one(); /* bound = 2^n: all indices */
    qm31 less = qm31_zero();
    for (unsigned i = 0; i < n; i++) {
        const qm31 upper = qm31_mul(z[i], less);
        less = bound >> i & 1 ? qm31_add(one_minus(z[i]), upper) : qm31_sub(less, upper);
    }
    return less;
}

qm31 mle_identity(const qm31 *z, unsigned n) {
    qm31 sum = qm31_zero();
    for (unsigned i = 0; i < n; i++)
        sum = qm31_add(sum, qm31_mul_m31(z[i], 1u << i % 31)); /* 2^31 = 1 in M31 */
    return sum;
}

/* With W_i as L_i above but of index eq, and I_i the identity of the low i variables: bit 0:
 * W_(i+1) = (1 - z_i) W_i; bit 1: W_(i+1) = (1 - z_i) I_i + z_i (W_i + 2^i L_i). */
qm31 mle_identity_below(const qm31 *z, unsigned n, uint32_t bound) {
    MICA_REQUIRE(n <= 31 && (uint64_t)bound <= (uint64_t)1 << n);
    qm31 less = qm31_zero(), sum = qm31_zero(), identity = qm31_zero();
    if ((uint64_t)bound >> n)
        return mle_identity(z, n);
    for (unsigned i = 0; i < n; i++) {
        const m31 unit = (m31)1 << i; /* i < 31 */
        if (bound >> i & 1) {
            const qm31 upper = qm31_add(sum, qm31_mul_m31(less, unit));
            sum = qm31_add(identity, qm31_mul(z[i], qm31_sub(upper, identity)));
            less = qm31_add(one_minus(z[i]), qm31_mul(z[i], less));
        } else {
            sum = qm31_sub(sum, qm31_mul(z[i], sum));
            less = qm31_sub(less, qm31_mul(z[i], less));
        }
        identity = qm31_add(identity, qm31_mul_m31(z[i], unit));
    }
    return sum;
}

/* v or v + p, without a branch on the sign: <= p. */
static inline uint32_t lift(int32_t v) {
    return (uint32_t)v + (M31_P & (uint32_t)(v >> 31));
}

qm31 mle_dot_i32(const qm31 *x, const int32_t *value, size_t n) {
    qm31_sum sum = qm31_sum_zero(); /* n/4 parts */
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const uint32_t w[4] = {lift(value[i]), lift(value[i + 1]), lift(value[i + 2]), lift(value[i + 3])};
        sum = qm31_sum_add_four(sum, x + i, w);
    }
    qm31 out = qm31_sum_value(sum);
    for (; i < n; i++)
        out = qm31_add(out, qm31_mul_i32(x[i], value[i]));
    return out;
}

/* eq(z, 2^k high + low) = eq(z_high, high) eq(z_low, low): two small tables, and one product per block. */
qm31 mle_eval_i32(const int32_t *value, uint64_t count, const qm31 *z, unsigned n, qm31 *scratch) {
    MICA_REQUIRE(n < 64 && count <= (uint64_t)1 << n);
    const unsigned k = n - n / 2;
    const size_t block = (size_t)1 << k;
    qm31 sum = qm31_zero(), *low = scratch, *high = scratch + block;
    mle_eq_table(z, k, low);
    mle_eq_table(z + k, n - k, high);
    for (uint64_t first = 0; first < count; first += block, high++) {
        const size_t size = count - first < block ? (size_t)(count - first) : block;
        sum = qm31_add(sum, qm31_mul(*high, mle_dot_i32(low, value + first, size)));
    }
    return sum;
}
