/* Conv, over any number of spatial axes. */
#include <string.h>

#include "ops/op_rules.h"
#include "ops/window.h"

bool infer_conv(op_context *c, const graph_node *n, mica_status *st) {
    return op_all_float(c->g, n, st) && infer_conv_shape(c, n, st);
}

bool infer_conv_shape(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *w = op_in(c->g, n, 1), *b = op_in(c->g, n, 2);
    int64_t group = graph_attr_int(n, "group", 1);
    int64_t dim[GRAPH_MAX_RANK];
    op_window win;
    if (w->batched || (b && b->batched))
        return op_mixes_batch(c);
    if (x->rank < 3 || w->rank != x->rank)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "input and weights need equal ranks of at least 3");
    if (group < 1 || w->dim[0] < 1 || w->dim[1] < 1 || x->dim[1] % group || x->dim[1] / group != w->dim[1] ||
        w->dim[0] % group)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "channels do not fit the weights in %lld groups",
                       (long long)group);
    if (b && (b->rank != 1 || b->dim[0] != w->dim[0]))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the bias needs one element per output channel");
    if (!op_window_resolve(&win, c->g, n, st))
        return false;
    dim[0] = x->dim[0];
    dim[1] = w->dim[0];
    memcpy(dim + 2, win.out, win.n * sizeof *dim);
    return op_set_output(c, n, x, x->rank, dim, x->batched, st);
}

/* A wider instruction set where the CPU has it; the same source, and, product and sum being rounded one by
 * one, the same numbers. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

CLONES static void add_row(double *restrict to, const double *restrict from, double weight, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        to[i] += weight * from[i];
}

static void add_spread_row(double *to, const double *from, int64_t stride, double weight, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        to[i] += weight * from[i * stride];
}

/* y[rows, last] += weight * x at one tap: rows over all spatial axes but the last, whose valid range is
 * contiguous. */
static void add_tap(const op_window *w, const int64_t *tap, double weight, const double *x, double *y) {
    int64_t lo[GRAPH_MAX_RANK] = {0}, hi[GRAPH_MAX_RANK] = {0}, o[GRAPH_MAX_RANK] = {0};
    uint32_t last = w->n - 1;
    for (uint32_t d = 0; d < w->n; d++) {
        op_window_valid(w, d, tap[d], &lo[d], &hi[d]);
        if (lo[d] == hi[d])
            return;
        o[d] = lo[d];
    }
    for (;;) {
        int64_t row_x = 0, row_y = 0;
        for (uint32_t d = 0; d < last; d++) {
            row_x = (row_x + o[d] * w->stride[d] - w->pad_begin[d] + tap[d] * w->dilation[d]) * w->in[d + 1];
            row_y = (row_y + o[d]) * w->out[d + 1];
        }
        const double *from =
            x + row_x + tap[last] * w->dilation[last] - w->pad_begin[last] + lo[last] * w->stride[last];
        double *to = y + row_y + lo[last];
        if (w->stride[last] == 1)
            add_row(to, from, weight, hi[last] - lo[last]);
        else
            add_spread_row(to, from, w->stride[last], weight, hi[last] - lo[last]);
        uint32_t d = last;
        while (d > 0 && ++o[d - 1] == hi[d - 1]) {
            o[d - 1] = lo[d - 1];
            d--;
        }
        if (d == 0)
            return;
    }
}

/* Drops last axes of one position, as of Conv1d written as Conv2d: rows are long then. */
static void drop_last_axes(op_window *w) {
    for (uint32_t last = w->n - 1;
         last > 0 && w->in[last] == 1 && w->out[last] == 1 && w->kernel[last] == 1 && w->pad_begin[last] == 0;
         last--)
        w->n--;
}

static size_t product(const int64_t *dim, uint32_t n) {
    size_t p = 1;
    for (uint32_t i = 0; i < n; i++)
        p *= (size_t)dim[i];
    return p;
}

bool eval_conv(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *weight = op_in(a->g, a->n, 1), *b = op_in(a->g, a->n, 2);
    op_window w;
    if (!op_window_resolve(&w, a->g, a->n, st))
        return false;
    drop_last_axes(&w);
    size_t plane_in = product(w.in, w.n), plane_out = product(w.out, w.n), taps = product(w.kernel, w.n);
    size_t c_out = (size_t)weight->dim[0], c_group = (size_t)weight->dim[1], c_in = (size_t)x->dim[1];
    size_t out_per_group = c_out * c_group / c_in;
    for (size_t item = 0; item < (size_t)x->dim[0]; item++)
        for (size_t o = 0; o < c_out; o++) {
            double *y = a->out[0] + (item * c_out + o) * plane_out;
            for (size_t i = 0; i < plane_out; i++)
                y[i] = 0;
            for (size_t c = 0; c < c_group; c++) {
                size_t channel = o / out_per_group * c_group + c;
                const double *from = a->in[0] + (item * c_in + channel) * plane_in;
                const double *k = a->in[1] + (o * c_group + c) * taps;
                int64_t tap[GRAPH_MAX_RANK] = {0};
                do
                    add_tap(&w, tap, *k++, from, y);
                while (op_next_index(tap, w.kernel, w.n));
            }
            for (size_t i = 0; b && i < plane_out; i++)
                y[i] += a->in[2][o];
        }
    return true;
}
