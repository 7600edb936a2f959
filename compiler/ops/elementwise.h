/* Operators that act element by element on operands broadcast to one shape. */
#ifndef MICA_COMPILER_ELEMENTWISE_H
#define MICA_COMPILER_ELEMENTWISE_H

#include "ops/op_rules.h"

/* The output has the broadcast shape of all inputs and the type of `like`, which must not be a graph value.
 */
bool elementwise_infer(op_context *c, const graph_node *n, const graph_value *like, mica_status *st);

/* out[e] = f(node, x), x[i] being the element of input i at e. */
typedef double elementwise_fn(const op_args *a, const double *x);
bool elementwise_eval(const op_args *a, elementwise_fn *f, mica_status *st);

/* A value of the standard's type bool, for elementwise_infer. */
graph_value elementwise_bool(void);

#endif
