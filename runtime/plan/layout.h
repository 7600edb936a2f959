/* Where committed tensors lie in the matrix of their commitment group.
 *
 * Tensors of a group are placed by descending padded size (ties: by id), each at a multiple of its own size,
 * so that a tensor of 2^n cells is the subcube whose variables n and up are fixed to the bits of its offset.
 * Rows of the matrix without a cell inside some tensor's valid box are absent.
 */
#ifndef MICA_PLAN_LAYOUT_H
#define MICA_PLAN_LAYOUT_H

#include "mica/circuit.h"
#include "pcs/pcs.h"

typedef struct layout_slot {
    uint32_t tensor;
    unsigned bits;   /* log2 of the padded size, batch included */
    uint64_t offset; /* in cells */
} layout_slot;

typedef struct layout {
    uint32_t n_slots;
    layout_slot *slot; /* by ascending offset */
    uint64_t cells;    /* end of the last slot */
    uint32_t *present; /* the rows of shape.present */
    pcs_shape shape;
} layout;

/* Places all tensors of `kind` (WEIGHT or WITNESS) for a batch; shape is set by layout_shape. n_slots may be
 * 0. */
bool layout_place(layout *l, const mica_circuit *c, mica_tensor_kind kind, uint32_t batch, mica_status *st);

/* A group of one item of tensor t; its rows follow from its shape alone (docs/formats.md, "Digests"). */
bool layout_item(layout *l, const mica_circuit *c, uint32_t t, mica_status *st);

/* Cuts the group into rows of at most 2^col_vars cells at the given rate and finds the rows that are present.
 */
bool layout_shape(layout *l, const mica_circuit *c, uint32_t batch, unsigned col_vars, unsigned rate_bits,
                  unsigned digest_bytes, mica_status *st);

void layout_free(layout *l);

/* The slot of a tensor; NULL if it is not in the group. */
const layout_slot *layout_find(const layout *l, uint32_t tensor);

#endif
