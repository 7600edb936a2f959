/* Numbers as limbs: committed digits, each looked up in a range table (docs/protocol.md). */
#ifndef MICA_COMPILER_LIMBS_H
#define MICA_COMPILER_LIMBS_H

#include "lowering/lowering.h"

#define LIMBS_MAX_BITS 12                     /* of a limb that more than its range is asked of, at most */
#define LIMBS          (STEP_MAX_TENSORS - 3) /* one more for the low limb of two stages */

/* Widths of the limbs of one number, lowest first. limbs_choose gives LIMBS at most. */
typedef struct limb_list {
    unsigned n;
    uint8_t bits[LIMBS + 1];
} limb_list;

/* The limbs of together `bits` bits, as equal as possible, with the fewest lookups and table rows; n is 0 for
 * no bits. */
limb_list limbs_choose(const lowering *l, unsigned bits, uint64_t cells);

/* Commits the first s->n_limbs limbs of the list and looks them up; adds -2^offset * limb to f for each. */
bool limbs_emit(lowering *l, form *f, const limb_list *list, step *s, mica_status *st);

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

/* *quotient := floor(f / 2^shift), 1 <= shift <= LIMBS_MAX_BITS, as a form of limbs: f less a multiple of
 * 2^shift that makes it non-negative is checked to have as many bits as its range asks for, the lowest
 * `shift` of them in a limb of its own. Fails with MICA_ERR_RANGE if these are more than 30. */
bool limbs_quotient(lowering *l, const form *f, unsigned shift, form *quotient, mica_status *st);

#endif
