/* The no-wrap theorem's ingredients: exact ranges of accumulators from the integers of the weights. */
#ifndef MICA_COMPILER_RANGE_H
#define MICA_COMPILER_RANGE_H

#include "lowering/form.h"

/* shift + table bits of a requantisation. With -2^(s+c-1) <= A < 2^(s+c-1), the two sides of its identity
 * A = 2^s h + lo differ by less than 2^(s+c) <= 2^30 < p whatever the prover commits to. */
#define RANGE_REQUANTISE_BITS 30
/* Accumulators stay within +-RANGE_ACC_LIMIT, so that bias and rounding still fit into 30 bits with the sign.
 */
#define RANGE_ACC_LIMIT (INT64_C(1) << 28)
/* Accumulators with weights whose scale is chosen to fill the bound: with the rounding term of a shift below
 * 2^25 they stay within 2^29, the range that a requantisation admits. */
#define RANGE_WEIGHTED_LIMIT ((INT64_C(1) << 29) - (INT64_C(1) << 24))

/* Largest and smallest value of sum_k w[row, k] x[k] over all rows and all x in `x` (which contains 0): the
 * row's positive weights times one end plus its negative weights times the other. w: row-major over
 * dim[0..rank); bit i of `contracted` says that axis i is summed, the other axes are the row. */
bound range_of_rows(const int32_t *w, unsigned rank, const uint32_t *dim, unsigned contracted, bound x);

/* Range of a sum of `count` products of two values. */
bound range_of_products(bound a, bound b, uint64_t count);

/* The least c with -2^(c-1) <= floor(a / 2^shift) < 2^(c-1) for both ends a of the range. */
unsigned range_key_bits(bound r, unsigned shift);

#endif
