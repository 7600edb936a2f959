/* Multilinear polynomials. Points are little-endian: z[0] belongs to bit 0 of the index. */
#ifndef MICA_POLY_MLE_H
#define MICA_POLY_MLE_H

#include <stddef.h>

#include "field/qm31.h"

/* eq(a, b) = prod_i (a_i b_i + (1 - a_i)(1 - b_i)). */
qm31 mle_eq(const qm31 *a, const qm31 *b, unsigned n);

/* table[i] = eq(z, i) for i < 2^n, array-of-structures; for the verifier and small tables. */
void mle_eq_table(const qm31 *z, unsigned n, qm31 *table);

/* eq(z, index) for one index. */
qm31 mle_eq_index(const qm31 *z, unsigned n, uint64_t index);

/* sum over index < bound of eq(z, index), 0 <= bound <= 2^n: the less-than polynomial, O(n). */
qm31 mle_less_than(const qm31 *z, unsigned n, uint64_t bound);

/* sum_i 2^i z_i: the multilinear extension of index -> index. */
qm31 mle_identity(const qm31 *z, unsigned n);

/* sum over index < bound of index eq(z, index), 0 <= bound <= 2^n, n <= 31, O(n). */
qm31 mle_identity_below(const qm31 *z, unsigned n, uint32_t bound);

/* sum over i < n of x[i] value[i], |value[i]| < 2^31, n < 2^30. */
qm31 mle_dot_i32(const qm31 *x, const int32_t *value, size_t n);

/* sum_i value[i] eq(z, i) over i < count <= 2^n, |value[i]| < 2^31; scratch holds mle_eval_scratch(n)
 * elements.
 */
qm31 mle_eval_i32(const int32_t *value, uint64_t count, const qm31 *z, unsigned n, qm31 *scratch);
static inline size_t mle_eval_scratch(unsigned n) {
    return ((size_t)1 << n / 2) + ((size_t)1 << (n - n / 2));
}

#endif
