/* Exact maxima: max(a, b) = b + relu(a - b), by a lookup of (a - b, m - b) in the exact ReLU table
 * (docs/protocol.md). */
#ifndef MICA_COMPILER_MAXIMUM_H
#define MICA_COMPILER_MAXIMUM_H

#include "lowering/lowering.h"

/* *out := the tensor max(a, b), as a form. Both are over the same domain, with values in `range` (which
 * contains 0). */
bool lowering_max(lowering *l, const form *a, const form *b, bound range, form *out, mica_status *st);

/* A balanced tree over level[0..n), in place; the maximum of all is level[0]. */
bool lowering_max_tree(lowering *l, form *level, uint32_t n, bound range, mica_status *st);

#endif
