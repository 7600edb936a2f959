/* Operators that move elements: every element of the result is an element of one of the inputs, or a
 * constant. */
#ifndef MICA_COMPILER_LOWERING_MOVE_H
#define MICA_COMPILER_LOWERING_MOVE_H

#include "lowering/lowering.h"

/* Lowers node n by asking its float reference where each element goes. `inputs` is the set of inputs that
 * hold elements; all others must be constants. */
bool lowering_move(lowering *l, const graph_node *n, unsigned inputs, mica_status *st);

/* x, the tensor of value v, at another scale. */
bool lowering_at_scale(lowering *l, qvalue *x, uint32_t v, double scale, mica_status *st);

#endif
