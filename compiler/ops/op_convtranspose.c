/* ConvTranspose, over any number of spatial axes. */
#include <string.h>

#include "ops/op_rules.h"
#include "ops/window.h"

bool infer_convtranspose(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *w = op_in(c->g, n, 1), *b = op_in(c->g, n, 2);
    const int64_t group = graph_attr_int(n, "group", 1);
    int64_t dim[GRAPH_MAX_RANK];
    op_window win;
    if (!op_all_float(c->g, n, st))
        return false;
    if (w->batched || (b && b->batched))
        return op_mixes_batch(c);
    if (x->rank < 3 || w->rank != x->rank)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "input and weights need equal ranks of at least 3");
    if (group < 1 || w->dim[0] < 1 || w->dim[1] < 1 || x->dim[1] != w->dim[0] || x->dim[1] % group)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "channels do not fit the weights in %lld groups",
                       (long long)group);
    if (b && (b->rank != 1 || b->dim[0] / group != w->dim[1] || b->dim[0] % group))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the bias needs one element per output channel");
    for (uint32_t d = 2; d < x->rank; d++)
        if (x->dim[d] < 1)
            return op_fail(c->g, n, st, MICA_ERR_FORMAT, "axis %u of the input is empty", d);
    if (!op_window_resolve(&win, c->g, n, st))
        return false;
    dim[0] = x->dim[0];
    dim[1] = w->dim[1] * group; /* group <= channels < 2^31, and weights have fewer than 2^31 elements */
    memcpy(dim + 2, win.out, win.n * sizeof *dim);
    return op_set_output(c, n, x, x->rank, dim, x->batched, st);
}

/* y += weight * x at one tap, over every output position. */
static void add_tap(const op_window *w, const int64_t *tap, double weight, const double *x, double *y) {
    int64_t o[GRAPH_MAX_RANK] = {0};
    do {
        int64_t from = 0;
        bool reads = true;
        for (uint32_t d = 0; reads && d < w->n; d++) {
            int64_t at;
            reads = op_window_source(w, d, o[d], tap[d], &at) && at >= 0 && at < w->in[d];
            from = from * w->in[d] + at;
        }
        *y += reads ? weight * x[from] : 0;
        y++;
    } while (op_next_index(o, w->out, w->n));
}

static size_t product(const int64_t *dim, uint32_t n) {
    size_t p = 1;
    for (uint32_t i = 0; i < n; i++)
        p *= (size_t)dim[i];
    return p;
}

bool eval_convtranspose(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *weight = op_in(a->g, a->n, 1);
    const bool bias = op_in(a->g, a->n, 2) != NULL;
    op_window w;
    if (!op_window_resolve(&w, a->g, a->n, st))
        return false;
    const size_t plane_in = product(w.in, w.n), plane_out = product(w.out, w.n),
                 taps = product(w.kernel, w.n);
    const size_t groups = (size_t)graph_attr_int(a->n, "group", 1), c_in = (size_t)x->dim[1] / groups;
    const size_t c_out = (size_t)weight->dim[1];
    for (size_t row = 0; row < (size_t)x->dim[0] * groups * c_out; row++) {
        const size_t m = row % c_out, block = row / c_out, group = block % groups;
        double *y = a->out[0] + row * plane_out;
        for (size_t i = 0; i < plane_out; i++)
            y[i] = bias ? a->in[2][group * c_out + m] : 0;
        for (size_t c = 0; c < c_in; c++) {
            const double *from = a->in[0] + (block * c_in + c) * plane_in;
            const double *k = a->in[1] + ((group * c_in + c) * c_out + m) * taps;
            int64_t tap[GRAPH_MAX_RANK] = {0};
            do
                add_tap(&w, tap, *k++, from, y);
            while (op_next_index(tap, w.kernel, w.n));
        }
    }
    return true;
}
