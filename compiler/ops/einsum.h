/* The equation of an Einsum. */
#ifndef MICA_COMPILER_EINSUM_H
#define MICA_COMPILER_EINSUM_H

#include "graph/graph.h"

#define EINSUM_OPERANDS 8
#define EINSUM_LABELS   (3 * GRAPH_MAX_RANK)

typedef struct einsum {
    unsigned n_in, n_labels;
    int64_t dim[EINSUM_LABELS]; /* an operand may have 1 instead, and repeats its only entry */
    unsigned rank[EINSUM_OPERANDS], out_rank;
    uint8_t in[EINSUM_OPERANDS][GRAPH_MAX_RANK], out[GRAPH_MAX_RANK]; /* label of each axis */
    unsigned read[EINSUM_LABELS];                                     /* bit i: operand i has the label */
    bool kept[EINSUM_LABELS];                                         /* the output has it */
} einsum;

bool einsum_read(einsum *e, const graph *g, const graph_node *n, mica_status *st);

/* Whether one sum or one contraction computes it: at most two operands, no label twice in one of them or of
 * two sizes, and of two operands none that one alone has and the output lacks. */
bool einsum_is_plain(const einsum *e, const graph *g, const graph_node *n);

#endif
