/* What the rules of operators with indices share. */
#ifndef MICA_COMPILER_OP_INDEX_H
#define MICA_COMPILER_OP_INDEX_H

#include "ops/op_move.h"

/* Input `input` holds integers. */
bool op_integer_indices(op_context *c, const graph_node *n, uint32_t input, mica_status *st);

/* Element of `x` that element e of the indices (input 1), at `index`, names along `axis`. */
bool op_named_element(const op_args *a, const graph_value *x, uint32_t axis, const int64_t *index, size_t e,
                      int64_t *at, mica_status *st);

/* Element of `x` at which slice number `row` begins. The last axis of the indices k (input 1) holds the
 * slice's first coordinates, behind the batch_dims axes that x and k share. */
bool op_slice_begin(const op_args *a, const graph_value *x, const graph_value *k, uint32_t batch_dims,
                    size_t row, int64_t *at, mica_status *st);

#endif
