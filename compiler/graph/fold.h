/* Constant folding of one node, used by fold.c's pass and, for shapes computed from constants, by shapes.c.
 */
#ifndef MICA_COMPILER_FOLD_H
#define MICA_COMPILER_FOLD_H

#include "graph/graph.h"

/* Whether every present input is constant. */
bool fold_applies(const graph *g, const graph_node *n);

/* Makes the node's output a constant by its float reference and removes the node. Shapes have been inferred.
 */
bool fold_node(graph *g, graph_node *n, mica_status *st);

#endif
