/* Shape inference that reports instead of failing, for inspection. */
#ifndef MICA_COMPILER_SHAPES_H
#define MICA_COMPILER_SHAPES_H

#include "graph.h"

/* As graph_infer_shapes, but goes on past nodes that it cannot handle: reason[j] says why for node j (NULL:
 * supported), and the outputs of such nodes have no shape. Strings belong to the graph. */
bool graph_infer_report(graph *g, const char **reason, mica_status *st);

#endif
