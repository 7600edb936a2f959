/* If, Loop and Scan: their subgraphs are copied to where they run, as often as they run. */
#ifndef MICA_COMPILER_CONTROL_H
#define MICA_COMPILER_CONTROL_H

#include "graph/graph.h"

bool control_is_flow(const graph_node *n);
/* Whether the graph has such a node. */
bool control_any(const graph *g);

/* Replaces node j, whose inputs have shapes, by nodes that stand in its place, still without shapes: the next
 * one to infer is again node j. A Loop is replaced by its next iteration and a Loop of the others, so that
 * the iteration's condition is known when it is decided whether there is a further one. */
bool control_inline(graph *g, uint32_t j, mica_status *st);

#endif
