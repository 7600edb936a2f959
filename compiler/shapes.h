/* Shape inference that reports instead of failing, for inspection. */
#ifndef MICA_COMPILER_SHAPES_H
#define MICA_COMPILER_SHAPES_H

#include "graph.h"

/* As graph_infer_shapes, but goes on past nodes that it cannot handle: their `trouble` says why, and their
 * outputs have no shape. */
bool graph_infer_report(graph *g, mica_status *st);

#endif
