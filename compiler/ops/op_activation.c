/* Relu, Clip, Sigmoid, Tanh: elementwise functions of one tensor. */
#include <float.h>
#include <math.h>

#include "ops/op_rules.h"
#include "reference/float_math.h"

static bool infer_elementwise(op_context *c, const graph_node *n, bool floats_only, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    if (floats_only && x->dtype != DTYPE_FLOAT)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the input holds integers");
    return op_set_output_like(c, n, x, st);
}

bool infer_relu(op_context *c, const graph_node *n, mica_status *st) {
    return infer_elementwise(c, n, false, st);
}

bool infer_sigmoid(op_context *c, const graph_node *n, mica_status *st) {
    return infer_elementwise(c, n, true, st);
}

bool infer_tanh(op_context *c, const graph_node *n, mica_status *st) {
    return infer_elementwise(c, n, true, st);
}

bool infer_clip(op_context *c, const graph_node *n, mica_status *st) {
    const graph *g = c->g;
    if (g->opset < 11 && n->n_in > 1)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "bounds are attributes before opset 11");
    if (!op_same_types(g, n, st))
        return false;
    for (uint32_t i = 1; i < 3; i++) {
        const graph_value *bound = op_in(g, n, i);
        if (bound && bound->batched)
            return op_mixes_batch(c);
        /* The standard asks for a scalar; one-element vectors are common and mean the same. */
        if (bound && graph_elements(bound) != 1)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "bound %u is not a scalar", i);
    }
    return infer_elementwise(c, n, g->opset < 11, st);
}

static size_t output_elements(const op_args *a) {
    return (size_t)graph_elements(op_out(a->g, a->n, 0));
}

bool eval_relu(const op_args *a, mica_status *st) {
    (void)st;
    for (size_t i = 0, n = output_elements(a); i < n; i++)
        a->out[0][i] = a->in[0][i] > 0 ? a->in[0][i] : 0;
    return true;
}

bool eval_sigmoid(const op_args *a, mica_status *st) {
    (void)st;
    for (size_t i = 0, n = output_elements(a); i < n; i++)
        a->out[0][i] = fm_sigmoid(a->in[0][i]);
    return true;
}

bool eval_tanh(const op_args *a, mica_status *st) {
    (void)st;
    for (size_t i = 0, n = output_elements(a); i < n; i++)
        a->out[0][i] = fm_tanh(a->in[0][i]);
    return true;
}

bool eval_clip(const op_args *a, mica_status *st) {
    bool attributes = a->g->opset < 11;
    double lo = attributes ? graph_attr_float(a->n, "min", -(double)FLT_MAX) : -(double)INFINITY;
    double hi = attributes ? graph_attr_float(a->n, "max", (double)FLT_MAX) : (double)INFINITY;
    (void)st;
    if (op_in(a->g, a->n, 1))
        lo = a->in[1][0];
    if (op_in(a->g, a->n, 2))
        hi = a->in[2][0];
    for (size_t i = 0, n = output_elements(a); i < n; i++) {
        double x = a->in[0][i] < lo ? lo : a->in[0][i];
        a->out[0][i] = x > hi ? hi : x; /* the upper bound wins where lo > hi */
    }
    return true;
}
