/* Partial evaluations of a PLACEMENT, whose source is folded factor by factor. */
#ifndef MICA_PLACEMENT_PLACEMENT_PARTIAL_PROVE_H
#define MICA_PLACEMENT_PLACEMENT_PARTIAL_PROVE_H

#include "protocol/tensor_prove.h"

/* tensor_partial for operands of contractions and terms of linear forms: tensor t is materialised, or a
 * PLACEMENT of something materialised. */
bool operand_partial(const tensor_store *s, uint32_t t, unsigned keep, const qm31 *point, qvec *out);

/* The multilinear extension of such a tensor at `point`. */
bool operand_eval(const tensor_store *s, uint32_t t, const qm31 *point, qm31 *out);

/* The keep-set of the source of placement t: pass-through axes as in `keep`, all others kept. inner
 * [MICA_MAX_BITS]: pass-through coordinates copied to the source's own places. */
unsigned placement_source_keep(const tensor_store *s, uint32_t t, unsigned keep, const qm31 *point,
                               qm31 *inner);

/* eq tables of the bound out axes of a factor of x; NULL for kept ones. eq [MICA_MAX_RANK] */
bool placement_bound_tables(const tensor_store *s, const mica_tensor *x, const mica_factor *f, unsigned keep,
                            const qm31 *point, qvec *eq);

#endif
