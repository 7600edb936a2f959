#include "ops/ops.h"

#include <string.h>

#include "ops/op_rules.h"

const op_rule op_rules[OP_KINDS] = {
#define X(kind, symbol, type, fewest, most) [OP_##kind] = {type, fewest, most, infer_##symbol, eval_##symbol},
    MICA_OPS(X)
#undef X
};

bool op_reads_elements(const graph_node *n, uint32_t i) {
    return n->kind != OP_CASTLIKE || i == 0;
}

op_kind op_find(const char *type) {
    for (op_kind k = OP_UNSUPPORTED + 1; k < OP_KINDS; k++)
        if (!strcmp(op_rules[k].name, type))
            return k;
    return OP_UNSUPPORTED;
}
