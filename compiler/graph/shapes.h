/* Shape inference for inspection, which reports instead of failing, and what freezing shares with it. */
#ifndef MICA_COMPILER_SHAPES_H
#define MICA_COMPILER_SHAPES_H

#include "graph/graph.h"

/* As graph_infer_shapes, but goes on past nodes that it cannot handle: their `trouble` says why, and their
 * outputs have no shape. */
bool graph_infer_report(graph *g, mica_status *st);

/* Gives free dimension d, and those of equal name, the size that data have. */
bool graph_bind_free(graph *g, const graph_free_dim *d, int64_t size, mica_status *st);

#endif
