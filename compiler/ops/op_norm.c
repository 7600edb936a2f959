/* BatchNormalization in inference mode. */
#include <math.h>

#include "ops/op_rules.h"

bool infer_batchnorm(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    if (x->dtype != DTYPE_FLOAT)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the input holds integers");
    if (graph_attr_int(n, "training_mode", 0) != 0)
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "training_mode 1; inference mode is supported");
    if (c->g->opset < 9 && graph_attr_int(n, "spatial", 1) != 1)
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "spatial 0; one scale per channel is supported");
    if (x->rank < 2)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the input needs batch and channel axes");
    for (uint32_t i = 1; i < 5; i++) {
        const graph_value *v = op_in(c->g, n, i);
        if (v->batched)
            return op_mixes_batch(c);
        if (v->dtype != DTYPE_FLOAT || v->rank != 1 || v->dim[0] != x->dim[1])
            return op_fail(c->g, n, st, MICA_ERR_FORMAT, "input %u needs one float per channel", i);
    }
    return op_set_output_like(c, n, x, st);
}

bool eval_batchnorm(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    double epsilon = graph_attr_float(a->n, "epsilon", (double)1e-5f);
    size_t plane = 1, channels = (size_t)x->dim[1], planes = (size_t)x->dim[0] * channels;
    (void)st;
    for (uint32_t i = 2; i < x->rank; i++)
        plane *= (size_t)x->dim[i];
    for (size_t p = 0; p < planes; p++) {
        size_t ch = p % channels;
        /* sqrt is correctly rounded everywhere */
        double scale = a->in[1][ch] / sqrt(a->in[4][ch] + epsilon);
        double shift = a->in[2][ch] - a->in[3][ch] * scale;
        for (size_t i = 0; i < plane; i++)
            a->out[0][p * plane + i] = a->in[0][p * plane + i] * scale + shift;
    }
    return true;
}
