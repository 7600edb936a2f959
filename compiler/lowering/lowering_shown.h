/* Values that nothing computes with: they reach graph outputs, and every reader only moves them. */
#ifndef MICA_COMPILER_LOWERING_SHOWN_H
#define MICA_COMPILER_LOWERING_SHOWN_H

#include "graph/graph.h"

/* shown[v] for every value of g. Such a value may be as wide as the field allows: no table reads it. */
void lowering_find_shown(const graph *g, bool *shown);

#endif
