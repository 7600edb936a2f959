/* The prover's view of tensors: their cells as field elements, and partial evaluations of their multilinear
 * extensions. */
#ifndef MICA_PROTOCOL_TENSOR_PROVE_H
#define MICA_PROTOCOL_TENSOR_PROVE_H

#include "poly/narrow_prove.h"
#include "protocol/walk.h"

/* cells[t]: the padded cells (canonical, all items) of each materialised tensor t, NULL for others. */
typedef struct tensor_store {
    const plan *plan;
    m31 *const *cells;
    const m31 *matrix;           /* of the weights; their cells lie in it */
    const narrow_matrix *narrow; /* the same (poly/narrow_prove.h), or NULL */
    mica_arena *arena;
    mica_status *st;
    bool dry; /* memory is taken of the arena and neither read nor written: what would a proof take? */
} tensor_store;

/* Keep-sets: bit i keeps axis i, bit rank keeps the batch axis. */
#define TENSOR_KEEP_NONE 0u

/* Binds the axes of tensor t that are not kept to their coordinates in `point` (all mica_tensor_bits of them;
 * those of kept axes are not read). out: table over the kept axes, row-major (batch outermost), in the arena.
 * t is materialised. Cost: one pass over the cells. */
bool tensor_partial(const tensor_store *s, uint32_t t, unsigned keep, const qm31 *point, qvec *out);

/* Rearranges a table over axes of the given bits (outermost first) so that axis order[i] comes i-th. */
bool table_permute(const tensor_store *s, qvec in, const unsigned *bits, const unsigned *order, unsigned n,
                   qvec *out);

#endif
