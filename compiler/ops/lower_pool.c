/* MaxPool, AveragePool, GlobalAveragePool. */
#include <stdlib.h>
#include <string.h>

#include "lowering/lowering.h"
#include "lowering/lowering_window.h"
#include "lowering/maximum.h"
#include "lowering/range.h"
#include "lowering/requantise.h"
#include "ops/op_rules.h"

#define MAX_TAPS           1024
#define FEWEST_FACTOR_BITS 9 /* of powers that are summed */

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

/* Patches, range and axes of the pool; *taps: of one window. */
static bool begin_max_pool(lowering *l, const graph_node *n, const qvalue *x, max_pool *m, uint32_t *taps,
                           mica_status *st) {
    uint64_t count = 1;
    for (unsigned d = 0; d < m->w.n && count <= MAX_TAPS; d++)
        count *= (uint64_t)m->w.kernel[d];
    if (count > MAX_TAPS)
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "windows of more than %d taps are not supported",
                             MAX_TAPS);
    *taps = (uint32_t)count;
    if (!lowering_patches(l, n, &m->w, x, 1, NULL, &m->p, st))
        return false;
    m->batched = lowering_tensors(l)[m->p.tensor].batched;
    m->lo = lowering_tensors(l)[x->tensor].lo;
    m->hi = lowering_tensors(l)[x->tensor].hi;
    result_axes(&m->p, &m->w, m->map, &m->rank, m->dim);
    return true;
}

bool lower_maxpool(struct lowering *l, const graph_node *n, mica_status *st) {
    max_pool m = {0};
    qvalue x;
    uint32_t taps, result = NO_INDEX;
    if (!op_window_resolve(&m.w, l->g, n, st) || !lowering_operand(l, n->in[0], &x, st) ||
        !lowering_layer(l, n, st) || !begin_max_pool(l, n, &x, &m, &taps, st))
        return false;
    form *tap = malloc(taps * sizeof *tap);
    const bool ok = tap ? run_max_pool(l, n, &m, tap, &result, st)
                        : mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    free(tap);
    const axis_list channel = mapped_channel(&m.p, m.map);
    const layout axes = lowering_window_axes(l, n, &m.p, &channel, m.map);
    return ok && lowering_set_tensor(l, n, result, &axes, x.scale, x.origin);
}

/* --- the place of the maximum ---
 *
 *   e_k = [x_k - m + 1 >= 1]      1 where tap k of the window is its maximum, 0 in the padding
 *   t_k = (taps - k) e_k
 *   T   = max_k t_k               belongs to the first such tap and to no other
 *   index = place of tap 0 + sum_k (place of tap k - place of tap 0) [t_k - T + 1 >= 1]
 *
 * Every e_k, T and the last steps are determined by x and m, as in lower_argmax.c.
 */

typedef struct max_index {
    max_pool m;
    uint32_t top, taps; /* m's tensor */
    bool by_columns;
} max_index;

/* *e := [f + 1 >= 1] */
static bool at_least_zero(lowering *l, form *f, uint32_t *e, mica_status *st) {
    return (form_add_constant(f, 1) || mica_fail(st, MICA_ERR_INTERNAL, "a tap has too many terms")) &&
           step_function(l, f, e, st);
}

/* t_k for the taps that are not in the padding everywhere, tap[i] of them number[i]. */
static bool rank_taps(lowering *l, const max_index *p, form *tap, uint32_t *number, uint32_t *count,
                      mica_status *st) {
    int64_t k[GRAPH_MAX_RANK] = {0};
    *count = 0;
    for (uint32_t i = 0; i < p->taps; i++, (void)op_next_index(k, p->m.w.kernel, p->m.w.n)) {
        form f;
        bool present;
        uint32_t e;
        if (!tap_form(l, &p->m, k, &f, &present) ||
            (present && !form_add_tensor(&f, lowering_tensors(l), p->top, -1)))
            return mica_fail(st, MICA_ERR_INTERNAL, "a tap has too many terms");
        if (!present)
            continue;
        if (!at_least_zero(l, &f, &e, st))
            return false;
        form_create(&tap[*count], p->m.batched, p->m.rank, p->m.dim);
        (void)form_add_tensor(&tap[*count], lowering_tensors(l), e, p->taps - i); /* an empty form has room */
        number[(*count)++] = i;
    }
    return true;
}

/* *f := sum over the taps of (place - place of the first) [t_k - T + 1 >= 1] */
static bool add_places(lowering *l, const max_index *p, const form *tap, const uint32_t *number,
                       uint32_t count, const form *best, form *f, mica_status *st) {
    static const uint8_t same_axes[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    const int64_t origin[GRAPH_MAX_RANK] = {0};
    const int64_t first = op_window_place(&p->m.w, origin, origin, p->by_columns);
    int64_t k[GRAPH_MAX_RANK] = {0};
    uint32_t sum = NO_INDEX;
    for (uint32_t i = 0, tap_number = 0; i < count; i++) {
        for (; tap_number < number[i]; tap_number++)
            (void)op_next_index(k, p->m.w.kernel, p->m.w.n);
        const int64_t place = op_window_place(&p->m.w, origin, k, p->by_columns) - first;
        form d = tap[i];
        uint32_t e;
        if (place == 0)
            continue;
        if (!form_add_form(&d, lowering_tensors(l), best, -1, same_axes))
            return mica_fail(st, MICA_ERR_INTERNAL, "a tap has too many terms");
        if (!at_least_zero(l, &d, &e, st))
            return false;
        if (f->n_terms == FORM_MAX_TERMS - 1) { /* a sum of many taps in parts */
            sum = builder_sum(&l->b, f);
            if (sum == NO_INDEX)
                return false;
            form_create(f, p->m.batched, p->m.rank, p->m.dim);
            (void)form_add_tensor(f, lowering_tensors(l), sum, 1);
        }
        (void)form_add_tensor(f, lowering_tensors(l), e, place);
    }
    return true;
}

/* Adds the place of tap 0 of every window, over all planes. */
static bool add_first_places(lowering *l, const graph_node *n, const max_index *p, const layout *axes,
                             form *f, mica_status *st) {
    const graph_value *y = &l->g->value[n->out[0]];
    const size_t cells = (size_t)graph_elements(y);
    const int64_t none[GRAPH_MAX_RANK] = {0};
    int64_t index[GRAPH_MAX_RANK] = {0}, plane = 1;
    double *place = malloc(cells * sizeof *place);
    if (!place)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    for (uint32_t d = 0; d < p->m.w.n; d++)
        plane *= p->m.w.in[d];
    for (size_t i = 0; i < cells; i++) {
        place[i] = (double)((index[0] * y->dim[1] + index[1]) * plane +
                            op_window_place(&p->m.w, index + 2, none, p->by_columns));
        (void)op_next_index(index, y->dim, y->rank);
    }
    const bool ok = lowering_add_constant(l, f, axes, y->rank, y->dim, place, 1, st);
    free(place);
    return ok;
}

static bool run_max_index(lowering *l, const graph_node *n, const max_index *p, form *tap, uint32_t *number,
                          const layout *axes, mica_status *st) {
    form f, *tree = tap + p->taps;
    uint32_t count;
    if (!rank_taps(l, p, tap, number, &count, st))
        return false;
    memcpy(tree, tap, count * sizeof *tap);
    form_create(&f, p->m.batched, p->m.rank, p->m.dim);
    return lowering_max_tree(l, tree, count, (bound){0, p->taps}, st) &&
           add_places(l, p, tap, number, count, &tree[0], &f, st) &&
           add_first_places(l, n, p, axes, &f, st) &&
           lowering_set_tensor(l, n, builder_sum(&l->b, &f), axes, 1, n->out[0]);
}

bool lower_maxpool_index(struct lowering *l, const graph_node *n, mica_status *st) {
    max_index p = {.by_columns = graph_attr_int(n, "storage_order", 0) != 0};
    qvalue x, top;
    if (!op_window_resolve(&p.m.w, l->g, n, st) || !lowering_operand(l, n->in[0], &x, st) ||
        !lowering_operand(l, n->in[1], &top, st) || !lowering_layer(l, n, st) ||
        !begin_max_pool(l, n, &x, &p.m, &p.taps, st))
        return false;
    p.top = top.tensor;
    p.m.lo--; /* padding is below every maximum */
    form *tap = malloc(2 * (size_t)p.taps * sizeof *tap);
    uint32_t *number = malloc(p.taps * sizeof *number);
    bool ok = tap && number;
    if (!ok)
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    const axis_list channel = mapped_channel(&p.m.p, p.m.map);
    const layout axes = lowering_window_axes(l, n, &p.m.p, &channel, p.m.map);
    ok = ok && run_max_index(l, n, &p, tap, number, &axes, st);
    free(tap);
    free(number);
    return ok;
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

/* What the weights of one window's cells sum to. */
static double window_weight(const op_window *w, bool sum) {
    double all = 1;
    for (unsigned d = 0; d < w->n; d++) {
        const uint32_t norm = sum ? 0 : lowering_window_norm(w, d);
        all *= norm ? (double)norm : (double)w->kernel[d];
    }
    return all;
}

/* Sums of powers lose more by a table between product and sum than by narrower factors. */
static bool narrows_factors(lowering *l, const graph_node *n) {
    const uint32_t producer = l->g->value[n->in[0]].producer;
    const graph_node *p = producer == UINT32_MAX ? NULL : &l->g->node[producer];
    if (!p || p->kind != OP_MUL || !graph_attr_int(n, "mica_sum", 0))
        return false;
    const uint32_t v = l->bits[p->in[0]] >= l->bits[p->in[1]] ? p->in[0] : p->in[1];
    l->narrow = l->bits[v] > FEWEST_FACTOR_BITS ? v : NO_INDEX;
    return l->narrow != NO_INDEX;
}

/* The input of a sum over windows: an accumulator as it is, where the sums keep its bound. */
static bool summed_operand(lowering *l, const graph_node *n, double weight, qvalue *x, mica_status *st) {
    form f;
    if (!lowering_form(l, n->in[0], &f, x, st))
        return false;
    const bound r = form_range(&f, lowering_tensors(l));
    const bool fits = (double)(r.hi > -r.lo ? r.hi : -r.lo) * weight < (double)RANGE_ACC_LIMIT;
    if (x->tensor == NO_INDEX && !fits && narrows_factors(l, n))
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its sums can leave the field");
    if (x->tensor != NO_INDEX || !fits)
        return lowering_operand(l, n->in[0], x, st) && lowering_layer(l, n, st);
    if (!lowering_layer(l, n, st))
        return false;
    x->tensor = builder_sum(&l->b, &f);
    return x->tensor != NO_INDEX;
}

bool lower_avgpool(struct lowering *l, const graph_node *n, mica_status *st) {
    op_window w;
    patches p;
    qvalue x;
    uint32_t norms[GRAPH_MAX_RANK] = {0};
    const bool sum = graph_attr_int(n, "mica_sum", 0) != 0;
    bool count_padding = !sum && graph_attr_int(n, "count_include_pad", 0) != 0;
    if (!op_window_resolve(&w, l->g, n, st) || !summed_operand(l, n, window_weight(&w, sum), &x, st))
        return false;
    if (count_padding && leaves_padding(&w)) {
        count_padding = false; /* all taps that count are cells now */
        if (!make_padding(l, n, &w, &x, st))
            return false;
    }
    if (!lowering_patches(l, n, &w, &x, 1, count_padding || sum ? NULL : norms, &p, st))
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
    for (unsigned d = 0; d < w.n && !sum; d++)
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
