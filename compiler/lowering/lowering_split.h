/* Products with weights whose accumulator would break the no-wrap bound, as two that keep it.
 *
 * Weights w = 2^k high + low with -2^(k-1) <= low < 2^(k-1) have A = 2^k A_high + A_low, and
 *
 *   floor((A + 2^(k-1)) / 2^k) = A_high + floor((A_low + 2^(k-1)) / 2^k)
 *
 * is what a layer goes on with. Both accumulators are contractions within the bound; the second term is a
 * quotient by limbs. All of it is exact: the k bits that the floor drops are far below a step of the result.
 */
#ifndef MICA_COMPILER_LOWERING_SPLIT_H
#define MICA_COMPILER_LOWERING_SPLIT_H

#include "lowering/lowering.h"

typedef struct weight_split {
    unsigned bits; /* k; 0: not split */
    int32_t *low;  /* owned; NULL: not split. What was split holds the high limbs. */
    bound high_acc, low_acc;
} weight_split;

/* Takes the integers q apart, with the fewest low bits with which A_high, the carry and `bias` (in units of
 * q x) together, and A_low alone, stay below `limit`; x is the range of what the weights multiply. Leaves q
 * as it is, and s->bits 0, if none does. False if memory is short. */
bool weight_split_find(weight_split *s, int32_t *q, const weighted *w, bound x, double bias, int64_t limit,
                       mica_status *st);
void weight_split_free(weight_split *s);

/* *f := the sum above, `high` and `low` being the accumulators. */
bool lowering_add_split(lowering *l, const weight_split *s, uint32_t high, uint32_t low, form *f,
                        mica_status *st);

#endif
