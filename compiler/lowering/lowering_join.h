/* Sums of products with weights, as at the end of a residual branch: the accumulators are added as they are,
 * at one scale, and requantised once as a sum, not each by itself and then again. */
#ifndef MICA_COMPILER_LOWERING_JOIN_H
#define MICA_COMPILER_LOWERING_JOIN_H

#include "lowering/lowering.h"

/* Of the range of a sum, what accumulators may fill together; the rest is for other operands. */
#define LOWERING_JOIN_FULL 0.9

/* Fills l->joined: per node, the sum that takes the node's accumulator, NO_INDEX for most. */
bool lowering_find_joined(lowering *l, mica_status *st);

/* Whether an operand of sum n is such an accumulator. */
bool lowering_is_join(const lowering *l, const graph_node *n);

/* What the accumulators of node n must stay below while nothing is known of what they will be added to: the
 * operands of a sum share its range. */
int64_t lowering_acc_limit(const lowering *l, const graph_node *n);

/* The product that the accumulator of node n will be added to if that has no accumulator yet, and what it
 * reads; NULL if there is none, or what it reads is not there yet. */
const graph_node *lowering_next_branch(const lowering *l, const graph_node *n, const qvalue **x);

/* What the accumulator of node n will be added to: its scale and largest magnitude, a real number. False if
 * there is no such operand, or none yet. */
bool lowering_partner(const lowering *l, const graph_node *n, double *scale, double *reach);

#endif
