/* Composite operators and control flow have been replaced before the lowering: each of these reports that one
 * has not. */
#include "lowering/lowering.h"
#include "ops/ops.h"

#define X(kind, symbol, type, fewest, most)                                                                  \
    bool lower_##symbol(struct lowering *l, const graph_node *n, mica_status *st) {                          \
        return lowering_fail(l, n, st, MICA_ERR_INTERNAL, "it has not been replaced by simpler operators");  \
    }
MICA_COMPOSITE_OPS(X)
MICA_CONTROL_OPS(X)
#undef X
