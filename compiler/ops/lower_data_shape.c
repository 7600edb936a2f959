/* Compress by a constant moves elements; NonZero and Unique of constants have been folded. */
#include "lowering/lowering_move.h"
#include "ops/ops.h"

bool lower_compress(struct lowering *l, const graph_node *n, mica_status *st) {
    return lowering_move(l, n, 1, st);
}

bool lower_nonzero(struct lowering *l, const graph_node *n, mica_status *st) {
    return lowering_fail(l, n, st, MICA_ERR_INTERNAL, "it has not been folded");
}

bool lower_unique(struct lowering *l, const graph_node *n, mica_status *st) {
    return lowering_fail(l, n, st, MICA_ERR_INTERNAL, "it has not been folded");
}
