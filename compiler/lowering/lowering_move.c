#include "lowering/lowering_move.h"

#include <stdlib.h>
#include <string.h>

#include "lowering/move_map.h"
#include "lowering/range.h"
#include "lowering/requantise.h"
#include "ops/op_rules.h"

#define MAX_MOVED (UINT64_C(1) << 27) /* elements that are followed one by one */

bool lowering_at_scale(lowering *l, qvalue *x, uint32_t v, double scale, mica_status *st) {
    if (x->scale == scale)
        return true;
    const mica_tensor *t = &lowering_tensors(l)[x->tensor];
    form f;
    form_create(&f, t->batched, t->rank, t->dim);
    const double wish = l->want_scale[v];
    l->want_scale[v] = scale;
    const bool ok = form_add_tensor(&f, lowering_tensors(l), x->tensor, 1) &&
                    requantise(l, &f, x->scale, &activation_identity, v, &x->tensor, &x->scale, st);
    l->want_scale[v] = wish;
    return ok;
}

/* --- asking the reference --- */

/* Inputs as the reference takes them. */
typedef struct probe {
    uint32_t n;
    double **in;
    double *out, *base; /* base: the result where every moved element is 0 */
    size_t elements;
} probe;

static void probe_free(probe *p) {
    for (uint32_t i = 0; p->in && i < p->n; i++)
        free(p->in[i]);
    free(p->in);
    free(p->out);
    free(p->base);
}

static bool probe_create(probe *p, const graph *g, const graph_node *n) {
    memset(p, 0, sizeof *p);
    p->n = n->n_in;
    p->elements = (size_t)graph_elements(&g->value[n->out[0]]);
    p->in = calloc(p->n + 1u, sizeof *p->in);
    p->out = malloc((p->elements + 1) * sizeof *p->out);
    p->base = malloc((p->elements + 1) * sizeof *p->base);
    if (!p->in || !p->out || !p->base)
        return false;
    for (uint32_t i = 0; i < p->n; i++) {
        const graph_value *v = op_in(g, n, i);
        const size_t cells = v ? (size_t)graph_elements(v) : 0;
        if (!v)
            continue;
        p->in[i] = calloc(cells + 1, sizeof **p->in);
        if (!p->in[i])
            return false;
        for (size_t j = 0; j < cells && graph_is_const(v); j++)
            p->in[i][j] = v->real ? v->real[j] : (double)v->integer[j];
    }
    return true;
}

static bool evaluate(const probe *p, const graph *g, const graph_node *n, double *out, mica_status *st) {
    return op_rules[n->kind].eval(&(op_args){g, n, (const double *const *)p->in, &out}, st);
}

/* from[e]: element of input i that element e of the result is. Elements are told apart by values 1, 2, ...,
 * all others being 0. */
static bool follow(probe *p, const graph *g, const graph_node *n, uint32_t i, uint32_t *from,
                   mica_status *st) {
    const size_t cells = (size_t)graph_elements(&g->value[n->in[i]]);
    for (size_t j = 0; j < cells; j++)
        p->in[i][j] = (double)(j + 1);
    const bool ok = evaluate(p, g, n, p->out, st);
    memset(p->in[i], 0, cells * sizeof **p->in);
    for (size_t e = 0; ok && e < p->elements; e++)
        from[e] = p->out[e] == p->base[e] ? MICA_NO_CELL : (uint32_t)p->out[e] - 1;
    return ok;
}

/* --- one input --- */

static bool is_pass(const move_group *g, const uint32_t *out_dim, const uint32_t *src_dim) {
    return g->n_out == 1 && g->n_src == 1 && g->affine && g->offset == 0 && g->stride[0] == 1 &&
           out_dim[g->out[0]] == src_dim[g->src[0]];
}

/* Repeats whatever is elsewhere along its axes. */
static bool is_broadcast(const move_group *g) {
    for (uint32_t r = 0; r < g->rows; r++)
        if (g->cell[r] == MICA_NO_CELL)
            return false;
    return g->n_src == 0;
}

static bool is_plain(const move_map *m, const uint32_t *out_dim, const uint32_t *src_dim) {
    for (unsigned i = 0; i < m->n_groups; i++) {
        const move_group *g = &m->group[i];
        if (g->n_out && !is_broadcast(g) && !is_pass(g, out_dim, src_dim))
            return false;
    }
    return true;
}

/* The source itself seen through a view. */
static void source_view(const move_map *m, const axis_list *order, const uint32_t *src_dim, unsigned src_rank,
                        mica_view *view) {
    memset(view, 0, sizeof *view);
    for (unsigned i = 0; i < src_rank; i++)
        view->axis[i] = MICA_VIEW_AT(0); /* axes of size 1 */
    for (unsigned i = 0; i < m->n_groups; i++) {
        const move_group *g = &m->group[i];
        uint32_t rest = g->n_out ? 0 : g->cell[0];
        for (unsigned j = g->n_src; j-- > 0; rest /= src_dim[g->src[j]])
            view->axis[order->axis[g->src[j]]] =
                g->n_out ? (int32_t)g->out[0] : MICA_VIEW_AT(rest % src_dim[g->src[j]]);
    }
}

static bool group_factor(lowering *l, const move_group *g, const axis_list *order, const uint8_t *place,
                         mica_factor *f) {
    f->n_out = g->n_out;
    f->n_src = g->n_src;
    for (unsigned i = 0; i < g->n_out; i++)
        f->out_axis[i] = place[g->out[i]];
    for (unsigned i = 0; i < g->n_src; i++)
        f->src_axis[i] = order->axis[g->src[i]];
    if (!g->affine)
        return builder_list(&l->b, f, g->rows, g->cell);
    f->offset = g->offset;
    memcpy(f->out_stride, g->stride, sizeof f->out_stride);
    return true;
}

/* A placement of the source over the axes that do not repeat; *view is how the result sees it. */
static uint32_t place_source(lowering *l, const graph_node *n, const move_map *m, const qvalue *x,
                             const axis_list *order, unsigned rank, const uint32_t *dim, mica_view *view,
                             mica_status *st) {
    mica_placement p = {.src = x->tensor};
    uint32_t placed_dim[MICA_MAX_RANK];
    uint8_t place[MICA_MAX_RANK];
    unsigned repeated = 0, listed = 0, placed = 0, fixed = MICA_MAX_RANK;
    for (unsigned i = 0; i < m->n_groups; i++)
        if (is_broadcast(&m->group[i]))
            for (unsigned j = 0; j < m->group[i].n_out; j++)
                repeated |= 1u << m->group[i].out[j];
    memset(view, 0, sizeof *view);
    for (unsigned a = 0; a < rank && placed < MICA_MAX_RANK; a++) {
        if (repeated >> a & 1)
            continue;
        view->axis[placed] = (int32_t)a;
        place[a] = (uint8_t)placed;
        placed_dim[placed++] = dim[a];
    }
    for (unsigned i = 0; i < m->n_groups; i++) {
        if (m->group[i].n_out && is_broadcast(&m->group[i]))
            continue;
        if (p.n_factors == MICA_MAX_RANK) {
            (void)lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d independent axes", MICA_MAX_RANK);
            return NO_INDEX;
        }
        if (m->group[i].n_out == 0)
            fixed = p.n_factors;
        if (!group_factor(l, &m->group[i], order, place, &p.factor[p.n_factors++]))
            return NO_INDEX;
    }
    for (unsigned i = 0; i < order->n; i++)
        listed |= 1u << order->axis[i];
    for (unsigned i = 0; i < lowering_tensors(l)[x->tensor].rank; i++) {
        if (listed >> i & 1)
            continue;
        if (fixed == MICA_MAX_RANK)
            fixed = p.n_factors < MICA_MAX_RANK ? p.n_factors++ : 0;
        mica_factor *last = &p.factor[fixed];
        if (last->n_src < MICA_MAX_RANK)                /* the source has no more axes than that */
            last->src_axis[last->n_src++] = (uint8_t)i; /* of size 1 */
    }
    return builder_placement(&l->b, &p, placed, placed_dim);
}

/* Adds what the result takes from x to the form. */
static bool add_source(lowering *l, const graph_node *n, form *f, const qvalue *x, const uint32_t *from,
                       mica_status *st) {
    const axis_list order = layout_order(&x->axes);
    uint32_t src_dim[MICA_MAX_RANK], tensor = x->tensor;
    mica_view view;
    move_map m;
    for (unsigned i = 0; i < order.n; i++)
        src_dim[i] = lowering_tensors(l)[x->tensor].dim[order.axis[i]];
    if (!move_map_create(&m, f->rank, f->dim, order.n, src_dim, from, st))
        return false;
    if (!m.empty && is_plain(&m, f->dim, src_dim))
        source_view(&m, &order, src_dim, lowering_tensors(l)[x->tensor].rank, &view);
    else if (!m.empty)
        tensor = place_source(l, n, &m, x, &order, f->rank, f->dim, &view, st);
    const bool empty = m.empty;
    move_map_free(&m);
    if (tensor == NO_INDEX)
        return false;
    return empty || form_add_term(f, lowering_tensors(l), tensor, 1, &view) ||
           lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d operands", FORM_MAX_TERMS);
}

/* --- the constant part --- */

/* Whether the cells where x != value are exactly a box; an empty one does not count. */
static bool find_box(const form *f, const double *x, double value, uint32_t *lo, uint32_t *hi) {
    uint32_t index[MICA_MAX_RANK] = {0};
    size_t cells = 1, inside = 0, volume = 1;
    for (unsigned i = 0; i < f->rank; i++) {
        cells *= f->dim[i];
        lo[i] = f->dim[i];
        hi[i] = 0;
    }
    for (size_t e = 0; e < cells; e++) {
        for (unsigned i = 0; i < f->rank && x[e] != value; i++) {
            lo[i] = index[i] < lo[i] ? index[i] : lo[i];
            hi[i] = index[i] >= hi[i] ? index[i] + 1 : hi[i];
        }
        inside += x[e] != value;
        for (unsigned i = f->rank; i-- > 0; index[i] = 0)
            if (++index[i] < f->dim[i])
                break;
    }
    for (unsigned i = 0; i < f->rank && inside; i++)
        volume *= hi[i] - lo[i];
    return inside && volume == inside;
}

/* A frame or a block of one value is a box or two; anything else is a weight. */
static bool add_base(lowering *l, const graph_node *n, form *f, const layout *axes, const probe *p,
                     double scale, mica_status *st) {
    uint32_t lo[MICA_MAX_RANK], hi[MICA_MAX_RANK];
    double value = 0;
    bool uniform = true;
    int64_t dim[GRAPH_MAX_RANK];
    const unsigned rank = layout_dims(&l->g->value[n->out[0]], dim);
    for (size_t e = 0; e < p->elements; e++) {
        uniform &= p->base[e] == 0 || value == 0 || p->base[e] == value;
        value = p->base[e] != 0 ? p->base[e] : value;
    }
    if (value == 0)
        return true;
    if (!uniform || !(value / scale < (double)RANGE_ACC_LIMIT && value / scale > -(double)RANGE_ACC_LIMIT))
        return lowering_add_constant(l, f, axes, rank, dim, p->base, 1 / scale, st);
    const int64_t q = round_away(value / scale);
    if (find_box(f, p->base, 0, lo, hi))
        return form_add_box(f, q, lo, hi);
    if (find_box(f, p->base, value, lo, hi))
        return form_add_constant(f, q) && form_add_box(f, -q, lo, hi);
    return lowering_add_constant(l, f, axes, rank, dim, p->base, 1 / scale, st);
}

/* --- the node --- */

/* The scale of the result: that of its only source, or the coarsest. */
static bool common_scale(lowering *l, const graph_node *n, unsigned inputs, double *scale, uint32_t *origin,
                         mica_status *st) {
    unsigned sources = 0;
    *scale = 0;
    for (uint32_t i = 0; i < n->n_in; i++) {
        qvalue x;
        if (n->in[i] == GRAPH_NO_VALUE || graph_is_const(&l->g->value[n->in[i]]))
            continue;
        if (i >= 32 || !(inputs >> i & 1))
            return op_fail_varying(l->g, n, i, OP_NEEDS_CONSTANT, st);
        if (!lowering_operand(l, n->in[i], &x, st))
            return false;
        *scale = x.scale > *scale ? x.scale : *scale;
        *origin = sources++ ? n->out[0] : x.origin;
    }
    return sources > 0 || lowering_fail(l, n, st, MICA_ERR_INTERNAL, "nothing to move");
}

static bool is_identity(const lowering *l, const form *f) {
    if (f->n_terms != 1 || f->n_boxes || f->term[0].coef != 1)
        return false;
    const mica_tensor *t = &lowering_tensors(l)[f->term[0].tensor];
    for (unsigned i = 0; i < t->rank; i++)
        if (f->term[0].view.axis[i] != (int32_t)i)
            return false;
    return t->rank == f->rank && t->batched == f->batched;
}

static bool move(lowering *l, const graph_node *n, unsigned inputs, probe *p, uint32_t *from,
                 mica_status *st) {
    int64_t dim[GRAPH_MAX_RANK];
    uint32_t tensor_dim[GRAPH_MAX_RANK], origin = 0;
    layout axes;
    form f;
    double scale;
    const unsigned rank = layout_dims(&l->g->value[n->out[0]], dim);
    const unsigned tensor_rank = layout_plain(&axes, rank, dim, tensor_dim);
    if (!common_scale(l, n, inputs, &scale, &origin, st) || !lowering_layer(l, n, st) ||
        !evaluate(p, l->g, n, p->base, st))
        return false;
    form_create(&f, true, tensor_rank, tensor_dim);
    for (uint32_t i = 0; i < n->n_in; i++) {
        qvalue x;
        if (n->in[i] == GRAPH_NO_VALUE || graph_is_const(&l->g->value[n->in[i]]))
            continue;
        if (!lowering_operand(l, n->in[i], &x, st) || !lowering_at_scale(l, &x, n->in[i], scale, st) ||
            !follow(p, l->g, n, i, from, st) || !add_source(l, n, &f, &x, from, st))
            return false;
    }
    if (!add_base(l, n, &f, &axes, p, scale, st))
        return false;
    const uint32_t t = is_identity(l, &f) ? f.term[0].tensor : builder_sum(&l->b, &f);
    return lowering_set_tensor(l, n, t, &axes, scale, origin);
}

bool lowering_move(lowering *l, const graph_node *n, unsigned inputs, mica_status *st) {
    if (graph_elements(&l->g->value[n->out[0]]) > MAX_MOVED)
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "it moves more than 2^27 elements");
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i] != GRAPH_NO_VALUE && graph_elements(&l->g->value[n->in[i]]) > MAX_MOVED)
            return lowering_fail(l, n, st, MICA_ERR_LIMIT, "it moves more than 2^27 elements");
    probe p;
    bool ok = probe_create(&p, l->g, n);
    uint32_t *from = malloc((p.elements + 1) * sizeof *from);
    ok = (ok && from) || mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    ok = ok && move(l, n, inputs, &p, from, st);
    free(from);
    probe_free(&p);
    return ok;
}
