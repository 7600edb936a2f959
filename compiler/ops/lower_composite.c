/* Composite operators have been replaced before the lowering: each of these reports that one has not. */
#include "lowering.h"
#include "ops/ops.h"

#define X(kind, symbol, type, fewest, most)                                                                  \
    bool lower_##symbol(struct lowering *l, const graph_node *n, mica_status *st) {                          \
        return lowering_fail(l, n, st, MICA_ERR_INTERNAL, "a composite operator has not been expanded");     \
    }
MICA_COMPOSITE_OPS(X)
#undef X
