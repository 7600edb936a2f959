/* eq of the point of a fraction layer's claims, over the variables that a sumcheck has not bound yet. */
#ifndef MICA_LOGUP_FRACTION_EQ_H
#define MICA_LOGUP_FRACTION_EQ_H

#include "base/arena.h"
#include "field/qvec.h"

/* eq(r, .) over the low_bits + high_bits lowest variables as a product: entry i is
 * low[i mod 2^low_bits] * high[i >> low_bits]. One chunk of nodes meets one entry of `high`. */
typedef struct fraction_eq {
    qvec low, high;
    unsigned low_bits, high_bits;
} fraction_eq;

/* For `vars` variables, of which as many are covered as the indices of n nodes have bits. */
bool fraction_eq_init(fraction_eq *eq, const qm31 *r, unsigned vars, size_t n, mica_arena *arena,
                      mica_status *st);
/* Leaves at most `vars` variables. */
void fraction_eq_shrink(fraction_eq *eq, unsigned vars);
size_t fraction_eq_bytes(size_t n);

#endif
