/* Control flow has been replaced before shapes are inferred: each of these rules reports that it has not. */
#include "ops/op_rules.h"

#define X(kind, symbol, type, fewest, most)                                                                  \
    bool infer_##symbol(op_context *c, const graph_node *n, mica_status *st) {                               \
        return op_fail(c->g, n, st, MICA_ERR_INTERNAL, "control flow has not been replaced");                \
    }                                                                                                        \
    bool eval_##symbol(const op_args *a, mica_status *st) {                                                  \
        return op_fail(a->g, a->n, st, MICA_ERR_INTERNAL, "control flow has not been replaced");             \
    }
MICA_CONTROL_OPS(X)
#undef X
