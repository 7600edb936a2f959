/* Relu, Clip, Sigmoid, Tanh: the table of the requantisation that follows the linear operator. */
#include "lowering/lowering.h"
#include "lowering/requantise.h"
#include "ops/ops.h"

bool lower_activation(lowering *l, const graph_node *n, const activation *act, mica_status *st) {
    form f;
    qvalue x;
    if (!lowering_form(l, n->in[0], &f, &x, st))
        return false;
    if (x.tensor == NO_INDEX) {
        l->b.layer = x.layer;
        builder_fuse_op(&l->b, x.layer, n->op);
    } else if (!lowering_layer(l, n, st)) {
        return false;
    }
    uint32_t y;
    double scale;
    if (!requantise(l, &f, x.scale, act, n->out[0], &y, &scale, st)) {
        if (st->code == MICA_ERR_RANGE)
            l->narrow = x.origin;
        return false;
    }
    return lowering_set_tensor(l, n, y, &x.axes, scale, n->out[0]);
}

bool lower_relu(struct lowering *l, const graph_node *n, mica_status *st) {
    const activation act = {.kind = MICA_TABLE_IDENTITY, .lo = 0, .hi = __builtin_inf()};
    return lower_activation(l, n, &act, st);
}

/* A bound of Clip: attribute up to opset 6, input since 11; both are constants here. */
static bool clip_bound(lowering *l, const graph_node *n, unsigned input, const char *attr, double *limit,
                       mica_status *st) {
    if (input < n->n_in && n->in[input] != GRAPH_NO_VALUE) {
        const graph_value *v = &l->g->value[n->in[input]];
        if (!v->real || graph_elements(v) != 1)
            return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "the bounds of Clip must be constants");
        *limit = v->real[0];
    } else {
        *limit = graph_attr_float(n, attr, *limit);
    }
    return true;
}

bool lower_clip(struct lowering *l, const graph_node *n, mica_status *st) {
    activation act = activation_identity;
    return clip_bound(l, n, 1, "min", &act.lo, st) && clip_bound(l, n, 2, "max", &act.hi, st) &&
           lower_activation(l, n, &act, st);
}

bool lower_sigmoid(struct lowering *l, const graph_node *n, mica_status *st) {
    const activation act = {.kind = MICA_TABLE_SIGMOID, .lo = 0, .hi = 1};
    return lower_activation(l, n, &act, st);
}

bool lower_tanh(struct lowering *l, const graph_node *n, mica_status *st) {
    const activation act = {.kind = MICA_TABLE_TANH, .lo = -1, .hi = 1};
    return lower_activation(l, n, &act, st);
}
