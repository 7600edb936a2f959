/* MaxPool, AveragePool, GlobalAveragePool. */
#include <stdlib.h>
#include <string.h>

#include "lowering.h"
#include "lowering_window.h"
#include "maximum.h"
#include "ops/ops.h"

#define MAX_TAPS 1024

/* The axes of the result are those of the patches without the taps. */
static void result_axes(const patches *p, const op_window *w, uint8_t *map, unsigned *rank, uint32_t *dim) {
    bool tap[MICA_MAX_RANK] = {false};
    for (unsigned d = 0; d < w->n; d++)
        if (p->tap[d] >= 0)
            tap[p->tap[d]] = true;
    *rank = 0;
    for (unsigned i = 0; i < p->rank; i++) {
        map[i] = NO_AXIS;
        if (!tap[i]) {
            dim[*rank] = p->dim[i];
            map[i] = (uint8_t)(*rank)++;
        }
    }
}

static axis_list mapped_channel(const patches *p, const uint8_t *map) {
    axis_list list = {0};
    for (unsigned i = 0; i < p->channel[1].n; i++)
        axis_list_push(&list, map[p->channel[1].axis[i]]);
    return list;
}

/* --- MaxPool --- */

typedef struct max_pool {
    op_window w;
    patches p;
    uint8_t map[MICA_MAX_RANK];
    unsigned rank;
    uint32_t dim[MICA_MAX_RANK];
    bool batched;
    int32_t lo, hi; /* of the input */
} max_pool;

/* Outputs whose tap lies inside the input, as a box over the result's axes; false if there are none. */
static bool valid_box(const max_pool *m, const int64_t *k, uint32_t *lo, uint32_t *hi, bool *whole) {
    for (unsigned i = 0; i < m->rank; i++) {
        lo[i] = 0;
        hi[i] = m->dim[i];
    }
    *whole = true;
    for (unsigned d = 0; d < m->w.n; d++) {
        int64_t a, b;
        op_window_valid(&m->w, d, k[d], &a, &b);
        if (a >= b)
            return false;
        *whole &= a == 0 && b == m->w.out[d];
        if (m->p.position[d] >= 0) {
            lo[m->map[m->p.position[d]]] = (uint32_t)a;
            hi[m->map[m->p.position[d]]] = (uint32_t)b;
        }
    }
    return true;
}

/* The tap k of every window, padding replaced by the smallest value the input can have. False in *present if
 * the tap is in the padding everywhere. */
static bool tap_form(lowering *l, const max_pool *m, const int64_t *k, form *f, bool *present) {
    uint32_t lo[MICA_MAX_RANK], hi[MICA_MAX_RANK];
    bool whole;
    form_create(f, m->batched, m->rank, m->dim);
    *present = valid_box(m, k, lo, hi, &whole);
    if (!*present)
        return true;
    mica_view v = {{0}};
    for (unsigned i = 0; i < m->p.rank; i++)
        v.axis[i] = m->map[i];
    for (unsigned d = 0; d < m->w.n; d++)
        if (m->p.tap[d] >= 0)
            v.axis[m->p.tap[d]] = MICA_VIEW_AT(k[d]);
    if (!form_add_term(f, lowering_tensors(l), m->p.tensor, 1, &v))
        return false;
    return whole || m->lo == 0 || (form_add_constant(f, m->lo) && form_add_box(f, -(int64_t)m->lo, lo, hi));
}

/* The taps that are not in the padding everywhere. */
static bool collect_taps(lowering *l, const max_pool *m, form *tap, uint32_t *n_taps) {
    int64_t k[GRAPH_MAX_RANK] = {0};
    *n_taps = 0;
    for (;;) {
        bool present;
        if (!tap_form(l, m, k, &tap[*n_taps], &present))
            return false;
        *n_taps += present;
        unsigned d = m->w.n;
        while (d-- > 0) {
            if (++k[d] < m->w.kernel[d])
                break;
            k[d] = 0;
        }
        if (d == UINT32_MAX)
            return true;
    }
}

/* A single WITNESS seen cell by cell is itself; anything else becomes a LINEAR. */
static uint32_t form_tensor(lowering *l, const form *f) {
    if (f->n_terms == 1 && f->n_boxes == 0 &&
        lowering_tensors(l)[f->term[0].tensor].kind == MICA_TENSOR_WITNESS)
        return f->term[0].tensor;
    return builder_sum(&l->b, f);
}

static bool run_max_pool(lowering *l, const graph_node *n, const max_pool *m, form *tap, uint32_t *result,
                         mica_status *st) {
    uint32_t n_taps;
    if (!collect_taps(l, m, tap, &n_taps))
        return mica_fail(st, MICA_ERR_INTERNAL, "a tap has too many terms");
    if (n_taps == 0)
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "its windows lie in the padding");
    if (!lowering_max_tree(l, tap, n_taps, (bound){m->lo, m->hi}, st))
        return false;
    *result = form_tensor(l, &tap[0]);
    return *result != NO_INDEX;
}

bool lower_maxpool(struct lowering *l, const graph_node *n, mica_status *st) {
    max_pool m = {0};
    qvalue x;
    if (!op_window_resolve(&m.w, l->g, n, st) || !lowering_operand(l, n->in[0], &x, st) ||
        !lowering_layer(l, n, st) || !lowering_patches(l, n, &m.w, &x, 1, NULL, &m.p, st))
        return false;
    const mica_tensor *t = &lowering_tensors(l)[m.p.tensor];
    m.batched = t->batched;
    m.lo = lowering_tensors(l)[x.tensor].lo;
    m.hi = lowering_tensors(l)[x.tensor].hi;
    result_axes(&m.p, &m.w, m.map, &m.rank, m.dim);
    uint64_t taps = 1;
    for (unsigned d = 0; d < m.w.n; d++)
        taps *= (uint64_t)m.w.kernel[d];
    if (taps > MAX_TAPS || (uint64_t)((int64_t)m.hi - m.lo) >= UINT64_C(1) << (MICA_MAX_TABLE_BITS - 1))
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "windows of more than %d taps are not supported",
                             MAX_TAPS);
    form *tap = malloc(taps * sizeof *tap);
    uint32_t result = NO_INDEX;
    const bool ok = tap ? run_max_pool(l, n, &m, tap, &result, st)
                        : mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    free(tap);
    const axis_list channel = mapped_channel(&m.p, m.map);
    const layout axes = lowering_window_axes(l, n, &m.p, &channel, m.map);
    return ok && lowering_set_tensor(l, n, result, &axes, x.scale, x.origin);
}

/* --- averages: sums over the taps or the plane, whose count goes into the scale --- */

/* Whether some window reaches beyond the declared padding (ceil_mode), where nothing is counted. */
static bool leaves_padding(const op_window *w) {
    bool leaves = false;
    for (unsigned d = 0; d < w->n; d++)
        leaves |= (w->out[d] - 1) * w->stride[d] + (w->kernel[d] - 1) * w->dilation[d] >=
                  w->pad_begin[d] + w->in[d] + w->pad_end[d];
    return leaves;
}

static void pass_axes(mica_placement *p, unsigned *rank, uint32_t *dim, const mica_tensor *t,
                      const axis_list *from, axis_list *to) {
    for (unsigned i = 0; i < from->n; i++) {
        mica_factor *f = &p->factor[p->n_factors++];
        f->n_out = f->n_src = 1;
        f->out_axis[0] = (uint8_t)*rank;
        f->src_axis[0] = from->axis[i];
        f->out_stride[0] = 1;
        axis_list_push(to, *rank);
        dim[(*rank)++] = t->dim[from->axis[i]];
    }
}

/* x with its padding as cells of its own, which are zero; w is then a window without padding over it. */
static bool make_padding(lowering *l, const graph_node *n, op_window *w, qvalue *x, mica_status *st) {
    const mica_tensor *t = &lowering_tensors(l)[x->tensor];
    const unsigned spatial = x->axes.rank - w->n;
    mica_placement p = {.src = x->tensor};
    layout axes = {.rank = x->axes.rank};
    uint32_t dim[MICA_MAX_RANK + 1];
    unsigned rank = 0, seen = 0;
    if (t->rank + w->n > MICA_MAX_RANK)
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "its window needs more than %d axes", MICA_MAX_RANK);
    for (unsigned i = 0; i < spatial; i++)
        pass_axes(&p, &rank, dim, t, &x->axes.of[i], &axes.of[i]);
    for (unsigned d = 0; d < w->n; d++) {
        const axis_list *src = &x->axes.of[spatial + d];
        mica_factor *f = &p.factor[p.n_factors++];
        w->in[d] += w->pad_begin[d] + w->pad_end[d];
        f->offset = (int32_t)-w->pad_begin[d];
        f->n_out = 1;
        f->out_axis[0] = (uint8_t)rank;
        f->out_stride[0] = 1;
        f->n_src = src->n;
        memcpy(f->src_axis, src->axis, src->n);
        axis_list_push(&axes.of[spatial + d], rank);
        dim[rank++] = (uint32_t)w->in[d];
        w->pad_begin[d] = w->pad_end[d] = 0;
    }
    for (unsigned i = 0; i < p.n_factors; i++)
        for (unsigned j = 0; j < p.factor[i].n_src; j++)
            seen |= 1u << p.factor[i].src_axis[j];
    for (unsigned i = 0; i < t->rank; i++)
        if (!(seen & 1u << i)) /* of size 1 */
            p.factor[0].src_axis[p.factor[0].n_src++] = (uint8_t)i;
    x->tensor = builder_placement(&l->b, &p, rank, dim);
    x->axes = axes;
    return x->tensor != NO_INDEX;
}

bool lower_avgpool(struct lowering *l, const graph_node *n, mica_status *st) {
    op_window w;
    patches p;
    qvalue x;
    uint32_t norms[GRAPH_MAX_RANK] = {0};
    bool count_padding = graph_attr_int(n, "count_include_pad", 0) != 0;
    if (!op_window_resolve(&w, l->g, n, st) || !lowering_operand(l, n->in[0], &x, st) ||
        !lowering_layer(l, n, st))
        return false;
    if (count_padding && leaves_padding(&w)) {
        count_padding = false; /* all taps that count are cells now */
        if (!make_padding(l, n, &w, &x, st))
            return false;
    }
    if (!lowering_patches(l, n, &w, &x, 1, count_padding ? NULL : norms, &p, st))
        return false;
    form f;
    uint8_t map[MICA_MAX_RANK];
    unsigned rank;
    uint32_t dim[MICA_MAX_RANK];
    mica_view v = {{0}};
    result_axes(&p, &w, map, &rank, dim);
    for (unsigned i = 0; i < p.rank; i++)
        v.axis[i] = map[i] == NO_AXIS ? MICA_VIEW_SUM : map[i];
    form_create(&f, lowering_tensors(l)[p.tensor].batched, rank, dim);
    if (!form_add_term(&f, lowering_tensors(l), p.tensor, 1, &v))
        return mica_fail(st, MICA_ERR_INTERNAL, "a window has too many terms");
    double scale = x.scale;
    for (unsigned d = 0; d < w.n; d++)
        scale /= norms[d] ? (double)norms[d] : (double)w.kernel[d];
    const axis_list channel = mapped_channel(&p, map);
    const layout axes = lowering_window_axes(l, n, &p, &channel, map);
    return lowering_set_sum(l, n, &f, &axes, scale, st);
}

bool lower_global_avgpool(struct lowering *l, const graph_node *n, mica_status *st) {
    qvalue x;
    if (!lowering_operand(l, n->in[0], &x, st) || !lowering_layer(l, n, st))
        return false;
    const mica_tensor *t = &lowering_tensors(l)[x.tensor];
    const unsigned spatial = l->g->value[n->in[0]].batched ? 1 : 2;
    layout axes = {.rank = x.axes.rank};
    mica_view v;
    uint32_t dim[MICA_MAX_RANK], cells = 1;
    unsigned rank = 0;
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        v.axis[i] = i < t->rank ? MICA_VIEW_SUM : 0;
    for (unsigned i = 0; i < spatial; i++) {
        for (unsigned j = 0; j < x.axes.of[i].n; j++) {
            const unsigned from = x.axes.of[i].axis[j];
            v.axis[from] = (int32_t)rank;
            axis_list_push(&axes.of[i], rank);
            dim[rank++] = t->dim[from];
        }
    }
    for (unsigned i = spatial; i < x.axes.rank; i++)
        cells *= (uint32_t)axis_list_size(&x.axes.of[i], t->dim);
    form f;
    form_create(&f, t->batched, rank, dim);
    return form_add_term(&f, lowering_tensors(l), x.tensor, 1, &v) &&
           lowering_set_sum(l, n, &f, &axes, x.scale / cells, st);
}
