/* The equation of an Einsum of one or two operands. */
#ifndef MICA_COMPILER_EINSUM_H
#define MICA_COMPILER_EINSUM_H

#include "graph.h"

#define EINSUM_LABELS (3 * GRAPH_MAX_RANK)

typedef struct einsum {
    unsigned n_in, n_labels;
    int64_t dim[EINSUM_LABELS];
    unsigned rank[2], out_rank;
    uint8_t in[2][GRAPH_MAX_RANK], out[GRAPH_MAX_RANK]; /* label of each axis */
    unsigned read[EINSUM_LABELS];                       /* bit i: operand i has the label */
    bool kept[EINSUM_LABELS];                           /* the output has it */
} einsum;

bool einsum_read(einsum *e, const graph *g, const graph_node *n, mica_status *st);

#endif
