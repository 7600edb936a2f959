/* Softmax. Before opset 13 it flattens the axes before and after `axis` to a matrix and normalises its rows;
 * since then it normalises along one axis. */
#include <string.h>

#include "ops/op_rules.h"
#include "reference/float_math.h"

/* The input as [outer, length, inner], normalised along the middle axis. */
typedef struct softmax_shape {
    size_t outer, length, inner;
    uint32_t axis;
} softmax_shape;

static bool softmax_resolve(softmax_shape *s, const graph *g, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    bool flattens = g->opset < 13;
    /* A scalar is one row of one element. */
    uint32_t rank = x->rank ? x->rank : 1;
    if (!op_axis(g, n, "axis", flattens ? 1 : -1, rank, flattens ? 1 : 0, &s->axis, st))
        return false;
    s->outer = s->length = s->inner = 1;
    for (uint32_t i = 0; i < x->rank; i++) {
        size_t *part = i < s->axis ? &s->outer : i == s->axis || flattens ? &s->length : &s->inner;
        *part *= (size_t)x->dim[i];
    }
    return true;
}

bool infer_softmax(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    softmax_shape s;
    if (!op_all_float(c->g, n, st) || !softmax_resolve(&s, c->g, n, st))
        return false;
    if (x->batched && s.axis == 0)
        return op_mixes_batch(c);
    return op_set_output_like(c, n, x, st);
}

static void softmax_column(const double *x, double *y, size_t length, size_t step) {
    double max = x[0], sum = 0;
    for (size_t i = 1; i < length; i++)
        max = x[i * step] > max ? x[i * step] : max;
    for (size_t i = 0; i < length; i++) {
        y[i * step] = fm_exp(x[i * step] - max);
        sum += y[i * step];
    }
    for (size_t i = 0; i < length; i++)
        y[i * step] /= sum;
}

bool eval_softmax(const op_args *a, mica_status *st) {
    softmax_shape s;
    if (!softmax_resolve(&s, a->g, a->n, st))
        return false;
    for (size_t o = 0; s.length && o < s.outer; o++)
        for (size_t i = 0; i < s.inner; i++) {
            size_t at = o * s.length * s.inner + i;
            softmax_column(a->in[0] + at, a->out[0] + at, s.length, s.inner);
        }
    return true;
}
