#include "poly/mle.h"

#include <stddef.h>

#include "base/require.h"

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
        for (size_t i = 0; i < half; i++) {
            table[half + i] = qm31_mul(table[i], z[j]);
            table[i] = qm31_sub(table[i], table[half + i]);
        }
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

qm31 mle_eval_i32(const int32_t *value, uint64_t count, const qm31 *z, unsigned n, qm31 *scratch) {
    MICA_REQUIRE(n < 64 && count <= (uint64_t)1 << n);
    qm31 sum = qm31_zero();
    mle_eq_table(z, n, scratch);
    for (uint64_t i = 0; i < count; i++)
        sum = qm31_add(sum, qm31_mul_i32(scratch[i], value[i]));
    return sum;
}
