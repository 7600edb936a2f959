/* What the shape rules and lowerings of reductions share. */
#ifndef MICA_COMPILER_REDUCE_H
#define MICA_COMPILER_REDUCE_H

#include "ops/op_rules.h"

/* Axes that node n reduces (bit i: axis i of input 0) and whether they stay with size 1. Axes come from the
 * attribute or, since opset 18 (13 for ReduceSum), from a constant second input. */
bool reduce_resolve(const graph *g, const graph_node *n, uint32_t *axes, bool *keep, mica_status *st);

/* Axes that the attribute `axes` of an operator of our own lists, none of them negative. */
static inline uint32_t reduce_listed_axes(const graph_node *n) {
    const graph_attr *a = graph_attr_find(n, "axes");
    uint32_t axes = 0;
    for (size_t i = 0; a && i < a->n; i++)
        axes |= 1u << a->ints[i];
    return axes;
}

/* Axes of Softmax, LogSoftmax and Hardmax: one since opset 13, before that `axis` and all that follow. */
bool reduce_normalised_axes(const graph *g, const graph_node *n, uint32_t *axes, mica_status *st);

/* Bit i of the result: axis i without the batch axis. */
static inline uint32_t reduce_without_batch(const graph_value *x, uint32_t axes) {
    return x->batched ? axes >> 1 : axes;
}

/* Axes of MeanVarianceNormalization. */
bool mvn_axes(const graph *g, const graph_node *n, uint32_t *axes, mica_status *st);

/* The rows of x along `axes`: cell i of row j is element row[j] + cell[i]. */
typedef struct reduce_walk {
    size_t n_rows, length;
    size_t *row, *cell; /* n_rows starts, and `length` offsets within a row, both row-major */
} reduce_walk;
bool reduce_walk_create(reduce_walk *w, const graph_value *x, uint32_t axes, mica_status *st);
void reduce_walk_free(reduce_walk *w);

#endif
