/* Limbs: an integer cut into pieces of a few bits, each looked up in a range table. */
#ifndef MICA_COMPILER_LIMBS_H
#define MICA_COMPILER_LIMBS_H

#include "lowering.h"

#define LIMBS_MAX_BITS 12 /* of one limb */

/* Bits of limb i of n, together exactly `bits`, as equal as possible. */
unsigned limbs_width(unsigned bits, unsigned n, unsigned i);

/* The number of limbs of `bits` bits with the fewest lookups of `cells` cells and table rows together. */
unsigned limbs_choose(const lowering *l, unsigned bits, uint64_t cells);

/* Adds -2^offset * limb to f for s->n_limbs limbs, which are the low ones of `pieces` pieces of `bits` bits,
 * and names them in the step. */
bool limbs_emit(lowering *l, form *f, unsigned bits, unsigned pieces, step *s, mica_status *st);

/* Records that a sum has too many terms. Always returns false. */
bool limbs_too_many_terms(const lowering *l, mica_status *st);

/* A tensor over [B, dim] whose cells are any integers of [least, least + 2^bits), least <= 0: the sum of
 * least and of digits with the ranges of their tables. No step computes it: the runtime fills it and its
 * digits. */
uint32_t digits_tensor(lowering *l, unsigned rank, const uint32_t *dim, unsigned bits, int64_t least,
                       mica_status *st);

/* Proves 0 <= f < 2^bits on D by a decomposition into limbs whose tables multiply to exactly 2^bits, 1 <=
 * bits <= 30. */
bool range_check(lowering *l, const form *f, unsigned bits, mica_status *st);
/* The same; *value, unless NULL, is f again, through the limbs: a form that is in [0, 2^bits) by their
 * tables. */
bool range_check_value(lowering *l, const form *f, unsigned bits, form *value, mica_status *st);

#endif
