/* MaxPool, AveragePool, GlobalAveragePool, over any number of spatial axes. */
#include <math.h>
#include <string.h>

#include "graph/onnx_types.h"
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

/* Indices count the elements of all items: with them axis 0 is an ordinary axis. */
static bool infer_indices(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value like = {.dtype = DTYPE_INT, .onnx_dtype = ONNX_INT64};
    if (op_in(c->g, n, 0)->batched)
        return op_mixes_batch(c);
    if (!infer_pool(c, n, st))
        return false;
    const graph_value shape = *op_out(c->g, n, 0);
    return op_set_output(c, n, &like, shape.rank, shape.dim, false, st);
}

bool infer_maxpool(op_context *c, const graph_node *n, mica_status *st) {
    return op_part(n) == 0 ? infer_pool(c, n, st) : infer_indices(c, n, st);
}

bool infer_maxpool_index(op_context *c, const graph_node *n, mica_status *st) {
    return infer_indices(c, n, st);
}

bool infer_avgpool(op_context *c, const graph_node *n, mica_status *st) {
    return op_all_float(c->g, n, st) && infer_pool(c, n, st);
}

/* The taps of output position o that lie inside the input, and the walk over them: a kernel may be far larger
 * than what it covers. */
typedef struct tap_walk {
    int64_t lo[GRAPH_MAX_RANK], hi[GRAPH_MAX_RANK], tap[GRAPH_MAX_RANK];
    bool none;
} tap_walk;

static int64_t divide_up(int64_t a, int64_t b) { /* a, b > 0 */
    return (a + b - 1) / b;
}

static tap_walk taps_inside(const op_window *w, const int64_t *o) {
    tap_walk t = {.none = false};
    for (uint32_t d = 0; d < w->n; d++) {
        const int64_t start = o[d] * w->stride[d] - w->pad_begin[d];
        t.lo[d] = start < 0 ? divide_up(-start, w->dilation[d]) : 0;
        t.hi[d] = start < w->in[d] ? divide_up(w->in[d] - start, w->dilation[d]) : 0;
        t.hi[d] = t.hi[d] < w->kernel[d] ? t.hi[d] : w->kernel[d];
        t.tap[d] = t.lo[d];
        t.none |= t.lo[d] >= t.hi[d];
    }
    return t;
}

/* The tap's place in the input plane. */
static size_t tap_offset(const op_window *w, const int64_t *o, const tap_walk *t) {
    int64_t at = 0;
    for (uint32_t d = 0; d < w->n; d++)
        at = at * w->in[d] + o[d] * w->stride[d] - w->pad_begin[d] + t->tap[d] * w->dilation[d];
    return (size_t)at;
}

static bool next_tap(const op_window *w, tap_walk *t) {
    for (uint32_t d = w->n; d-- > 0;) {
        if (++t->tap[d] < t->hi[d])
            return true;
        t->tap[d] = t->lo[d];
    }
    return false;
}

static double window_max(const op_window *w, const int64_t *o, const double *x) {
    tap_walk t = taps_inside(w, o);
    double best = -(double)INFINITY;
    for (bool more = !t.none; more; more = next_tap(w, &t)) {
        const double value = x[tap_offset(w, o, &t)];
        best = value > best ? value : best;
    }
    return best;
}

/* The index of the window's first maximum in the plane, which is counted by columns if `by_columns`. */
static int64_t max_place(const op_window *w, const int64_t *o, const double *x, bool by_columns) {
    tap_walk t = taps_inside(w, o);
    double best = -(double)INFINITY;
    int64_t place = 0;
    for (bool more = !t.none; more; more = next_tap(w, &t)) {
        const size_t at = tap_offset(w, o, &t);
        if (x[at] > best) {
            best = x[at];
            place = op_window_place(w, o, t.tap, by_columns);
        }
    }
    return place;
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

/* What a window is reduced to. */
typedef enum pool_mode { POOL_MAX, POOL_MEAN, POOL_PADDED_MEAN, POOL_SUM } pool_mode;

static double window_mean(const op_window *w, const int64_t *o, const double *x, pool_mode mode) {
    tap_walk t = taps_inside(w, o);
    double sum = 0, inside = 0;
    for (bool more = !t.none; more; more = next_tap(w, &t)) {
        sum += x[tap_offset(w, o, &t)];
        inside += 1;
    }
    return mode == POOL_SUM ? sum : sum / (mode == POOL_PADDED_MEAN ? padded_taps(w, o) : inside);
}

static bool eval_indices(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    const bool by_columns = graph_attr_int(a->n, "storage_order", 0) != 0;
    size_t plane = 1, planes = (size_t)(x->dim[0] * x->dim[1]);
    double *y = a->out[0];
    op_window w;
    if (!op_window_resolve(&w, a->g, a->n, st))
        return false;
    for (uint32_t d = 0; d < w.n; d++)
        plane *= (size_t)w.in[d];
    for (size_t p = 0; p < planes; p++) {
        int64_t o[GRAPH_MAX_RANK] = {0};
        do
            *y++ = (double)((int64_t)(p * plane) + max_place(&w, o, a->in[0] + p * plane, by_columns));
        while (op_next_index(o, w.out, w.n));
    }
    return true;
}

bool eval_maxpool_index(const op_args *a, mica_status *st) {
    return eval_indices(a, st);
}

static bool eval_pool(const op_args *a, pool_mode mode, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
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
            *y++ = mode == POOL_MAX ? window_max(&w, o, from) : window_mean(&w, o, from, mode);
        while (op_next_index(o, w.out, w.n));
    }
    return true;
}

bool eval_maxpool(const op_args *a, mica_status *st) {
    if (op_part(a->n) == 1)
        return eval_indices(a, st);
    return eval_pool(a, POOL_MAX, st);
}

bool eval_avgpool(const op_args *a, mica_status *st) {
    const bool padded = graph_attr_int(a->n, "count_include_pad", 0) != 0;
    return eval_pool(a,
                     graph_attr_int(a->n, "mica_sum", 0) ? POOL_SUM
                     : padded                            ? POOL_PADDED_MEAN
                                                         : POOL_MEAN,
                     st);
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
