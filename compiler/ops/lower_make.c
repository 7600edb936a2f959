/* Shape, Size, Range, ConstantOfShape, EyeLike are constants once shapes are known. Cast changes what
 * integers mean, and at most drops a fraction. */
#include "lowering_move.h"
#include "onnx_types.h"
#include "ops/ops.h"

static bool lower_known(struct lowering *l, const graph_node *n, mica_status *st) {
    return lowering_fail(l, n, st, MICA_ERR_INTERNAL, "its value should have been folded");
}

bool lower_shape(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_known(l, n, st);
}

bool lower_size(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_known(l, n, st);
}

bool lower_range(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_known(l, n, st);
}

bool lower_constantofshape(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_known(l, n, st);
}

bool lower_eyelike(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_known(l, n, st);
}

static bool is_whole(double scale) {
    return scale >= 1 && scale < 0x1p31 && (double)(int64_t)scale == scale;
}

bool lower_cast(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *from = &l->g->value[n->in[0]], *to = &l->g->value[n->out[0]];
    const layout axes = l->value[n->in[0]].axes;
    if (to->onnx_dtype == ONNX_BOOL && from->onnx_dtype != ONNX_BOOL)
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "from numbers to bool");
    if (to->dtype == DTYPE_FLOAT || from->dtype == DTYPE_INT || is_whole(l->value[n->in[0]].scale)) {
        lowering_set_alias(l, n, n->in[0], &axes);
        return true;
    }
    if (!l->cal->integral[n->in[0]])
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "of numbers with a fraction to integers");
    qvalue x;
    return lowering_layer(l, n, st) && lowering_operand(l, n->in[0], &x, st) &&
           lowering_at_scale(l, &x, n->in[0], 1, st) &&
           lowering_set_tensor(l, n, x.tensor, &x.axes, x.scale, n->out[0]);
}
