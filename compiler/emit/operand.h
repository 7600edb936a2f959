/* Index spaces: how the cells of a tensor are addressed from the loops of a generated function. */
#ifndef MICA_COMPILER_EMIT_OPERAND_H
#define MICA_COMPILER_EMIT_OPERAND_H

#include "mica/circuit.h"

#define NEST_MAX MICA_MAX_LABELS

/* A sliding window: position = shift + sum_i stride[i] * index_i must lie in [0, size), else the cell is
 * zero. */
typedef struct window {
    int64_t shift;
    int64_t stride[NEST_MAX];
    uint32_t size;
} window;

/* cell = base + sum_i stride[i] * index_i over the loops of a nest, summed over the sum loops, zero outside
 * the windows. */
typedef struct operand {
    uint32_t tensor; /* whose cells are read */
    int64_t base;
    int64_t stride[NEST_MAX];
    unsigned n_sums;
    uint32_t sum_dim[MICA_MAX_RANK];
    int64_t sum_stride[MICA_MAX_RANK];
    unsigned n_windows;
    window window[MICA_MAX_RANK];
} operand;

/* Loops, outermost first. axis[i] is the axis or label of the domain that loop i runs along. */
typedef struct nest {
    unsigned n;
    uint32_t dim[NEST_MAX];
    uint32_t axis[NEST_MAX];
} nest;

/* Distances between neighbours along each axis of one item, in cells of the padded layout. */
void tensor_strides(const mica_tensor *t, int64_t stride[MICA_MAX_RANK]);

/* The cells of tensor t through a view of a domain. */
void operand_view(operand *op, const mica_circuit *c, uint32_t t, const mica_view *view);
/* The cells of a tensor whose axes are the domain's. */
void operand_identity(operand *op, const mica_circuit *c, uint32_t t);
/* As operand_view of PLACEMENT p, but reading p's source through windows. False if that is not possible:
 * entries that are not 0 or 1, or a position that spreads over several axes of the source. */
bool operand_patches(operand *op, const mica_circuit *c, uint32_t p, const mica_view *view);

/* Starts a nest over the given sizes; at most n = NEST_MAX. */
void nest_create(nest *loops, unsigned n, const uint32_t *dim);
/* Removes loops of one iteration and windows that every index satisfies, and merges pairs of loops that all
 * operands walk as one. An axis in `keep` (bit mask) is not merged. With padded set, loops are also merged
 * across padding cells, which the operands hold as zeros; `zeros` tells which operands have them. */
void nest_simplify(nest *loops, operand *const *op, unsigned n_ops, uint32_t keep, bool padded,
                   const bool *zeros);
void nest_remove(nest *loops, operand *const *op, unsigned n_ops, unsigned at);

#endif
