/* Flatten, Reshape, Transpose and the operators that only pass a value on: bookkeeping of axes. */
#include "lowering/lowering.h"
#include "ops/ops.h"

static const uint32_t *tensor_dims(const lowering *l, const qvalue *q) {
    return q->tensor == NO_INDEX ? q->sum->dim : lowering_tensors(l)[q->tensor].dim;
}

/* The output's cells are the input's, row-major. */
static bool lower_regroup(lowering *l, const graph_node *n, mica_status *st) {
    int64_t dim[GRAPH_MAX_RANK];
    const unsigned rank = layout_dims(&l->g->value[n->out[0]], dim);
    const qvalue *x = &l->value[n->in[0]];
    layout axes = x->axes;
    if (layout_regroup(&axes, tensor_dims(l, x), rank, dim)) {
        lowering_set_alias(l, n, n->in[0], &axes);
        return true;
    }
    qvalue moved;
    return lowering_operand(l, n->in[0], &moved, st) && lowering_layer(l, n, st) &&
           lowering_replace_axes(l, &moved, rank, dim, st) &&
           lowering_set_tensor(l, n, moved.tensor, &moved.axes, moved.scale, moved.origin);
}

bool lower_flatten(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_regroup(l, n, st);
}

bool lower_reshape(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_regroup(l, n, st);
}

bool lower_squeeze(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_regroup(l, n, st);
}

bool lower_unsqueeze(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_regroup(l, n, st);
}

bool lower_transpose(struct lowering *l, const graph_node *n, mica_status *st) {
    (void)st;
    const graph_value *in = &l->g->value[n->in[0]];
    const graph_attr *perm = graph_attr_find(n, "perm");
    const unsigned skip = in->batched ? 1 : 0;
    layout axes = {.rank = (uint8_t)(in->rank - skip)};
    for (unsigned i = skip; i < in->rank; i++) {
        const unsigned from = perm ? (unsigned)perm->ints[i] : in->rank - 1 - i;
        axes.of[i - skip] = l->value[n->in[0]].axes.of[from - skip];
    }
    lowering_set_alias(l, n, n->in[0], &axes);
    return true;
}

bool lower_identity(struct lowering *l, const graph_node *n, mica_status *st) {
    (void)st;
    const layout axes = l->value[n->in[0]].axes;
    lowering_set_alias(l, n, n->in[0], &axes);
    return true;
}

bool lower_dropout(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_identity(l, n, st);
}

/* A constant has no tensor of its own: its readers take what they need. */
bool lower_constant(struct lowering *l, const graph_node *n, mica_status *st) {
    (void)l;
    (void)n;
    (void)st;
    return true;
}
