/* The float reference of one node. */
#ifndef MICA_COMPILER_REFERENCE_H
#define MICA_COMPILER_REFERENCE_H

#include "graph/graph.h"

/* out := the node's output. value[v] holds the elements of non-constant inputs; NULL if there are none. */
bool reference_eval_node(const graph *g, const graph_node *n, double *const *value, double *out,
                         mica_status *st);

#endif
