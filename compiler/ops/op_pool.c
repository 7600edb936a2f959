/* MaxPool, AveragePool, GlobalAveragePool, over any number of spatial axes. */
#include <math.h>
#include <string.h>

#include "ops/op_rules.h"
#include "ops/window.h"

static bool infer_pool(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    int64_t dim[GRAPH_MAX_RANK];
    op_window w;
    if (!op_window_resolve(&w, c->g, n, st) || !op_window_covers_input(&w, c->g, n, st))
        return false;
    memcpy(dim, x->dim, sizeof dim);
    memcpy(dim + 2, w.out, w.n * sizeof *dim);
    return op_set_output(c, n, x, x->rank, dim, x->batched, st);
}

bool infer_maxpool(op_context *c, const graph_node *n, mica_status *st) {
    return infer_pool(c, n, st);
}

bool infer_avgpool(op_context *c, const graph_node *n, mica_status *st) {
    return op_all_float(c->g, n, st) && infer_pool(c, n, st);
}

/* Walks the taps of output position o that lie inside the input: *offset is the tap's place in the input
 * plane. */
static bool next_inside(const op_window *w, const int64_t *o, int64_t *tap, bool first, size_t *offset) {
    while (first || op_next_index(tap, w->kernel, w->n)) {
        int64_t at = 0;
        uint32_t d = 0;
        for (; d < w->n; d++) {
            int64_t p = o[d] * w->stride[d] - w->pad_begin[d] + tap[d] * w->dilation[d];
            if (p < 0 || p >= w->in[d])
                break;
            at = at * w->in[d] + p;
        }
        first = false;
        *offset = (size_t)at;
        if (d == w->n)
            return true;
    }
    return false;
}

static double window_max(const op_window *w, const int64_t *o, const double *x) {
    int64_t tap[GRAPH_MAX_RANK] = {0};
    double best = -(double)INFINITY;
    size_t at;
    for (bool first = true; next_inside(w, o, tap, first, &at); first = false)
        if (x[at] > best)
            best = x[at];
    return best;
}

/* Taps that an average with count_include_pad divides by: those inside the input or its declared padding. */
static double padded_taps(const op_window *w, const int64_t *o) {
    double count = 1;
    for (uint32_t d = 0; d < w->n; d++) {
        int64_t room = w->in[d] + w->pad_end[d] - 1 - (o[d] * w->stride[d] - w->pad_begin[d]);
        int64_t taps = room / w->dilation[d] + 1;
        count *= (double)(taps < w->kernel[d] ? taps : w->kernel[d]);
    }
    return count;
}

static double window_mean(const op_window *w, const int64_t *o, const double *x, bool count_padding) {
    int64_t tap[GRAPH_MAX_RANK] = {0};
    double sum = 0, inside = 0;
    size_t at;
    for (bool first = true; next_inside(w, o, tap, first, &at); first = false) {
        sum += x[at];
        inside += 1;
    }
    return sum / (count_padding ? padded_taps(w, o) : inside);
}

static bool eval_pool(const op_args *a, bool mean, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    bool count_padding = graph_attr_int(a->n, "count_include_pad", 0) != 0;
    size_t plane = 1, planes = (size_t)(x->dim[0] * x->dim[1]);
    double *y = a->out[0];
    op_window w;
    if (!op_window_resolve(&w, a->g, a->n, st))
        return false;
    for (uint32_t d = 0; d < w.n; d++)
        plane *= (size_t)w.in[d];
    if (graph_elements(op_out(a->g, a->n, 0)) == 0)
        return true;
    for (size_t p = 0; p < planes; p++) {
        const double *from = a->in[0] + p * plane;
        int64_t o[GRAPH_MAX_RANK] = {0};
        do
            *y++ = mean ? window_mean(&w, o, from, count_padding) : window_max(&w, o, from);
        while (op_next_index(o, w.out, w.n));
    }
    return true;
}

bool eval_maxpool(const op_args *a, mica_status *st) {
    return eval_pool(a, false, st);
}

bool eval_avgpool(const op_args *a, mica_status *st) {
    return eval_pool(a, true, st);
}

bool infer_global_avgpool(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    int64_t dim[GRAPH_MAX_RANK];
    if (!op_all_float(c->g, n, st))
        return false;
    if (x->rank < 3)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT,
                       "the input needs batch, channels and at least one spatial axis");
    for (uint32_t i = 0; i < x->rank; i++) {
        if (i >= 2 && x->dim[i] == 0)
            return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the mean over an empty axis has no value");
        dim[i] = i < 2 ? x->dim[i] : 1;
    }
    return op_set_output(c, n, x, x->rank, dim, x->batched, st);
}

bool eval_global_avgpool(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    size_t planes = (size_t)(x->dim[0] * x->dim[1]), plane = 1;
    (void)st;
    for (uint32_t i = 2; i < x->rank; i++)
        plane *= (size_t)x->dim[i];
    for (size_t p = 0; p < planes; p++) {
        double sum = 0;
        for (size_t i = 0; i < plane; i++)
            sum += a->in[0][p * plane + i];
        a->out[0][p] = sum / (double)plane;
    }
    return true;
}
