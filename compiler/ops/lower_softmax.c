#include "lowering.h"
#include "ops/ops.h"

bool lower_softmax(struct lowering *l, const graph_node *n, mica_status *st) {
    return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "Softmax is not lowered yet");
}
