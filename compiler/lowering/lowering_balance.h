/* Widths where a no-wrap bound is short: how it is shared between the two factors of a product with weights.
 */
#ifndef MICA_COMPILER_LOWERING_BALANCE_H
#define MICA_COMPILER_LOWERING_BALANCE_H

#include "lowering/lowering.h"

/* The bound on accumulators limits the product of the resolutions of weights and of what they multiply. With
 * the resolutions asked for, a layer of long rows exceeds it; then both get the resolution at which either
 * adds the same error to the result, relative to it. Lowers l->bits of the layer's input, and of what it is
 * moved from, and marks them tight. Before the first attempt. */
void balance_widths(lowering *l);

#endif
