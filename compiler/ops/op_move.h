/* What the rules of operators that move elements share. */
#ifndef MICA_COMPILER_OP_MOVE_H
#define MICA_COMPILER_OP_MOVE_H

#include "ops/op_rules.h"

/* Integers that a node is given by an attribute or, in later opsets, by an input. They belong to the graph.
 */
typedef struct op_ints {
    const int64_t *v; /* NULL: absent */
    size_t n;
} op_ints;

/* Input `input` of the node, a constant, or attribute `attr` if that input is absent. Either may be left out:
 * UINT32_MAX, NULL. */
bool op_int_list(const graph *g, const graph_node *n, uint32_t input, const char *attr, op_ints *out,
                 mica_status *st);

/* A list of axes of a tensor of `rank` axes, each in [-rank, rank) and at most once, as a set of bits. */
bool op_axis_set(const graph *g, const graph_node *n, const op_ints *axes, uint32_t rank, uint32_t *set,
                 mica_status *st);

/* Index of the input along `axis` that index i of the output comes from; -1 if from none. */
typedef int64_t op_source_fn(const void *how, uint32_t axis, int64_t i);
/* out[0] = in[0] moved along every axis for itself, `fill` where an axis has no source. The shapes are
 * aligned at the last axis. */
void op_move_axes(const op_args *a, op_source_fn *from, const void *how, double fill);

/* A vector of indices into an axis of size `dim`, in [-dim, dim), as an index >= 0. */
bool op_index(const op_args *a, double index, int64_t dim, int64_t *at, mica_status *st);

static inline int64_t op_product(const int64_t *dim, uint32_t n) {
    int64_t p = 1;
    for (uint32_t i = 0; i < n; i++)
        p *= dim[i];
    return p;
}

#endif
