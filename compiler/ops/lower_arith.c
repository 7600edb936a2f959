/* Add, Sub, Mul with numpy broadcasting, between activations or with a constant. */
#include <stdlib.h>
#include <string.h>

#include "lowering.h"
#include "ops/ops.h"
#include "range.h"

#define MAX_MULTIPLIER 1024

/* --- a common domain for two operands --- */

typedef struct domain {
    layout axes;
    unsigned rank;
    uint32_t dim[MICA_MAX_RANK];
    uint8_t map[2][MICA_MAX_RANK]; /* axis of the domain of each axis of either operand's own domain */
} domain;

/* ONNX axis i of the result, seen in an operand of fewer axes; its list is empty where it broadcasts. */
static axis_list broadcast_list(const layout *axes, unsigned rank, unsigned i) {
    const int at = (int)axes->rank - (int)(rank - i);
    return at >= 0 ? axes->of[at] : (axis_list){0};
}

/* Tensor axes in the first operand's own order as far as it goes, so that the view of an operand that does
 * not broadcast is the identity; then those that only the second has. False if both have an axis but split it
 * differently. */
static bool join_domains(domain *d, unsigned rank, const layout *a, const uint32_t *a_dim, unsigned a_rank,
                         const layout *b, const uint32_t *b_dim) {
    memset(d, 0, sizeof *d);
    memset(d->map, NO_AXIS, sizeof d->map);
    d->axes.rank = (uint8_t)rank;
    const axis_list named = layout_order(a);
    for (unsigned i = 0; i < a_rank; i++)
        for (unsigned j = 0; j < named.n; j++)
            if (named.axis[j] == i) {
                d->map[0][i] = (uint8_t)d->rank;
                d->dim[d->rank++] = a_dim[i];
            }
    for (unsigned i = 0; i < rank; i++) {
        const axis_list x = broadcast_list(a, rank, i), y = broadcast_list(b, rank, i);
        if (x.n && y.n && !axis_list_same_split(&x, a_dim, &y, b_dim))
            return false;
        for (unsigned j = 0; j < x.n; j++) {
            axis_list_push(&d->axes.of[i], d->map[0][x.axis[j]]);
            if (y.n)
                d->map[1][y.axis[j]] = d->map[0][x.axis[j]];
        }
        for (unsigned j = 0; !x.n && j < y.n; j++) {
            if (d->rank == MICA_MAX_RANK)
                return false;
            axis_list_push(&d->axes.of[i], d->rank);
            d->map[1][y.axis[j]] = (uint8_t)d->rank;
            d->dim[d->rank++] = b_dim[y.axis[j]];
        }
    }
    return true;
}

static unsigned result_rank(const lowering *l, const graph_node *n) {
    int64_t dim[GRAPH_MAX_RANK];
    return layout_dims(&l->g->value[n->out[0]], dim);
}

/* --- sums --- */

typedef struct operand {
    form f;
    qvalue q;
} operand;

/* As a form; narrow means requantised if pending, plain means one tensor axis per ONNX axis. */
static bool get_operand(lowering *l, uint32_t v, bool narrow, bool plain, operand *o, mica_status *st) {
    qvalue small;
    if ((narrow && !lowering_operand(l, v, &small, st)) ||
        (plain && !lowering_plain_operand(l, v, &small, st)))
        return false;
    if (!narrow && !plain)
        return lowering_form(l, v, &o->f, &o->q, st);
    o->q = small;
    const mica_tensor *x = &lowering_tensors(l)[small.tensor];
    form_create(&o->f, x->batched, x->rank, x->dim);
    return form_add_tensor(&o->f, lowering_tensors(l), small.tensor, 1);
}

/* Small integers m[0] : m[1] close to scale[0] : scale[1]: the coarser scale counts the finer one. The error
 * is below 1 / MAX_MULTIPLIER of the finer operand's largest value or the multipliers grow. Returns the scale
 * of the sum. */
static double align_scales(const double *scale, int64_t *m) {
    const unsigned coarse = scale[0] >= scale[1] ? 0 : 1;
    double best = -1;
    int64_t best_fine = 1, best_coarse = 1;
    for (int64_t fine = 1; fine <= 16; fine++) { /* sum's scale = scale[fine] / fine */
        const double ratio = scale[coarse] / scale[!coarse] * (double)fine;
        if (ratio > (double)(INT64_C(1) << 24))
            break;
        const double error = (ratio - (double)round_away(ratio)) / ratio;
        const double magnitude = error < 0 ? -error : error;
        if (best < 0 || magnitude < best) {
            best = magnitude;
            best_fine = fine;
            best_coarse = round_away(ratio);
        }
        if (best * MAX_MULTIPLIER <= 1)
            break;
    }
    m[coarse] = best_coarse;
    m[!coarse] = best_fine;
    return scale[!coarse] / (double)best_fine;
}

/* One attempt; false without an error if the sum would be too wide or the domains do not fit. */
static bool try_sum(lowering *l, const graph_node *n, const operand *x, const operand *y, int sign, form *f,
                    layout *axes, double *scale, bool *fits) {
    domain d;
    *fits = join_domains(&d, result_rank(l, n), &x->q.axes, x->f.dim, x->f.rank, &y->q.axes, y->f.dim);
    if (!*fits)
        return false;
    const double scales[2] = {x->q.scale, y->q.scale};
    int64_t m[2];
    *scale = align_scales(scales, m);
    *axes = d.axes;
    form_create(f, x->f.batched || y->f.batched, d.rank, d.dim);
    if (!form_add_form(f, lowering_tensors(l), &x->f, m[0], d.map[0]) ||
        !form_add_form(f, lowering_tensors(l), &y->f, sign * m[1], d.map[1]))
        return false;
    const bound r = form_range(f, lowering_tensors(l));
    return r.lo > -RANGE_ACC_LIMIT && r.hi < RANGE_ACC_LIMIT;
}

static bool lower_sum(lowering *l, const graph_node *n, int sign, mica_status *st) {
    operand x, y;
    form f;
    layout axes;
    double scale;
    bool narrow = false, plain = false;
    if (!lowering_layer(l, n, st))
        return false;
    for (int round = 0; round < 3; round++) {
        bool fits;
        if (!get_operand(l, n->in[0], narrow, plain, &x, st) ||
            !get_operand(l, n->in[1], narrow, plain, &y, st))
            return false;
        if (try_sum(l, n, &x, &y, sign, &f, &axes, &scale, &fits))
            return lowering_set_sum(l, n, &f, &axes, scale, st);
        narrow = narrow || fits;
        plain = plain || !fits;
    }
    l->narrow = l->bits[x.q.origin] >= l->bits[y.q.origin] ? x.q.origin : y.q.origin;
    return lowering_fail(l, n, st, MICA_ERR_RANGE, "the sum of its operands can leave the field");
}

/* x + sign_c * c or -x + c. */
static bool lower_sum_constant(lowering *l, const graph_node *n, uint32_t v, uint32_t constant, int sign_x,
                               int sign_c, mica_status *st) {
    const graph_value *c = &l->g->value[constant];
    operand x;
    if (!get_operand(l, v, false, false, &x, st))
        return false;
    /* The constant may have axes that x lacks: the domain is joined with its plain layout. */
    layout plain, own;
    uint32_t plain_dim[GRAPH_MAX_RANK];
    int64_t dim[GRAPH_MAX_RANK];
    domain d;
    const unsigned rank = result_rank(l, n);
    (void)layout_plain(&plain, c->rank, c->dim, plain_dim);
    for (unsigned i = 0; i < c->rank && i < GRAPH_MAX_RANK; i++) { /* axes that x has keep x's split */
        const int at = (int)x.q.axes.rank - (int)(c->rank - i);
        if (at >= 0 && x.q.axes.of[at].n)
            plain.of[i].n = 0;
    }
    while (plain.rank > rank) { /* a leading batch axis of size 1 */
        memmove(&plain.of[0], &plain.of[1], (GRAPH_MAX_RANK - 1) * sizeof plain.of[0]);
        plain.rank--;
    }
    if (!join_domains(&d, rank, &x.q.axes, x.f.dim, x.f.rank, &plain, plain_dim))
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d axes", MICA_MAX_RANK);
    own = d.axes;
    form f;
    form_create(&f, x.f.batched, d.rank, d.dim);
    memcpy(dim, c->dim, sizeof dim);
    if (x.q.tensor != NO_INDEX) {
        if (!lowering_layer(l, n, st))
            return false;
    } else {
        l->b.layer = x.q.layer;
        builder_fuse_op(&l->b, x.q.layer, n->op);
    }
    if (!form_add_form(&f, lowering_tensors(l), &x.f, sign_x, d.map[0]))
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
    return lowering_add_constant(l, &f, &own, c->rank, dim, c->real, sign_c / x.q.scale, st) &&
           lowering_set_sum(l, n, &f, &own, x.q.scale, st);
}

static bool is_constant(const lowering *l, uint32_t v) {
    return graph_is_const(&l->g->value[v]);
}

bool lower_add(struct lowering *l, const graph_node *n, mica_status *st) {
    if (is_constant(l, n->in[1]))
        return lower_sum_constant(l, n, n->in[0], n->in[1], 1, 1, st);
    if (is_constant(l, n->in[0]))
        return lower_sum_constant(l, n, n->in[1], n->in[0], 1, 1, st);
    return lower_sum(l, n, 1, st);
}

bool lower_sub(struct lowering *l, const graph_node *n, mica_status *st) {
    if (is_constant(l, n->in[1]))
        return lower_sum_constant(l, n, n->in[0], n->in[1], 1, -1, st);
    if (is_constant(l, n->in[0]))
        return lower_sum_constant(l, n, n->in[1], n->in[0], -1, 1, st);
    return lower_sum(l, n, -1, st);
}

/* --- products --- */

/* x times one number: only the scale changes, and the sign. */
static bool lower_mul_number(lowering *l, const graph_node *n, uint32_t v, double k, mica_status *st) {
    operand x;
    if (!get_operand(l, v, false, false, &x, st))
        return false;
    form f;
    form_create(&f, x.f.batched, x.f.rank, x.f.dim);
    uint8_t map[MICA_MAX_RANK];
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        map[i] = (uint8_t)i;
    const int64_t sign = k < 0 ? -1 : k > 0 ? 1 : 0;
    if (x.q.tensor != NO_INDEX && !lowering_layer(l, n, st))
        return false;
    if (sign && !form_add_form(&f, lowering_tensors(l), &x.f, sign, map))
        return false;
    if (x.q.tensor == NO_INDEX)
        l->b.layer = x.q.layer;
    return lowering_set_sum(l, n, &f, &x.q.axes, sign ? x.q.scale * (k < 0 ? -k : k) : x.q.scale, st);
}

static bool lower_mul_constant(lowering *l, const graph_node *n, uint32_t v, uint32_t constant,
                               mica_status *st) {
    const graph_value *c = &l->g->value[constant];
    const uint64_t count = graph_elements(c);
    bool uniform = count > 0 && c->rank <= l->g->value[v].rank;
    for (uint64_t i = 1; i < count; i++)
        uniform &= c->real[i] == c->real[0];
    const unsigned rank = result_rank(l, n);
    for (unsigned i = 0; i < c->rank && uniform; i++) { /* and it must not enlarge x */
        const int64_t own = l->g->value[v].dim[l->g->value[v].rank - (c->rank - i)];
        uniform = c->dim[i] <= own;
    }
    if (uniform)
        return lower_mul_number(l, n, v, c->real[0], st);
    qvalue x;
    if (!lowering_operand(l, v, &x, st) || !lowering_layer(l, n, st))
        return false;
    const mica_tensor *t = &lowering_tensors(l)[x.tensor];
    weighted w;
    memset(&w, 0, sizeof w);
    w.w = (double *)c->real; /* read only; the axes below are in its row-major order */
    w.axes = (layout){.rank = (uint8_t)rank};
    for (unsigned i = 0; i < t->rank && i < MICA_MAX_RANK; i++) {
        w.contract.b_view.axis[i] = (int32_t)i;
        w.contract.label_dim[i] = t->dim[i];
        w.contract.out_label[i] = (uint8_t)i;
    }
    w.contract.n_labels = t->rank;
    w.out_rank = t->rank;
    for (unsigned i = 0; i < rank; i++)
        w.axes.of[i] = broadcast_list(&x.axes, rank, i);
    for (unsigned i = 0; i < c->rank; i++) {
        const int at = (int)rank - (int)(c->rank - i);
        if (c->dim[i] == 1 || at < 0)
            continue;
        if (w.axes.of[at].n == 0) { /* x broadcasts along this axis */
            if (w.out_rank == MICA_MAX_RANK)
                return lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d axes", MICA_MAX_RANK);
            const unsigned label = w.contract.n_labels++;
            w.contract.label_dim[label] = (uint32_t)c->dim[i];
            axis_list_push(&w.axes.of[at], w.out_rank);
            w.contract.out_label[w.out_rank++] = (uint8_t)label;
        }
        for (unsigned j = 0; j < w.axes.of[at].n; j++) {
            const unsigned label = w.contract.out_label[w.axes.of[at].axis[j]];
            w.w_dim[w.w_rank] = w.contract.label_dim[label];
            w.contract.a_view.axis[w.w_rank++] = (int32_t)label;
        }
    }
    form f;
    double scale;
    return lowering_weighted(l, n, &w, &x, &f, &scale, st) && lowering_set_sum(l, n, &f, &w.axes, scale, st);
}

static bool lower_mul_activations(lowering *l, const graph_node *n, mica_status *st) {
    qvalue x, y;
    domain d;
    if (!lowering_layer(l, n, st) || !lowering_operand(l, n->in[0], &x, st) ||
        !lowering_operand(l, n->in[1], &y, st))
        return false;
    const mica_tensor *base = lowering_tensors(l);
    const unsigned rank = result_rank(l, n);
    if (!join_domains(&d, rank, &x.axes, base[x.tensor].dim, base[x.tensor].rank, &y.axes,
                      base[y.tensor].dim)) {
        if (!lowering_plain_operand(l, n->in[0], &x, st) || !lowering_plain_operand(l, n->in[1], &y, st))
            return false;
        base = lowering_tensors(l);
        if (!join_domains(&d, rank, &x.axes, base[x.tensor].dim, base[x.tensor].rank, &y.axes,
                          base[y.tensor].dim))
            return lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d axes", MICA_MAX_RANK);
    }
    mica_contract c = {.a = x.tensor, .b = y.tensor, .n_labels = (uint8_t)d.rank};
    if (d.rank == 0)
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "a product of two single numbers");
    for (unsigned i = 0; i < d.rank; i++) {
        c.label_dim[i] = d.dim[i];
        c.out_label[i] = (uint8_t)i;
    }
    for (unsigned i = 0; i < base[x.tensor].rank; i++)
        c.a_view.axis[i] = d.map[0][i] == NO_AXIS ? MICA_VIEW_AT(0) : d.map[0][i];
    for (unsigned i = 0; i < base[y.tensor].rank; i++)
        c.b_view.axis[i] = d.map[1][i] == NO_AXIS ? MICA_VIEW_AT(0) : d.map[1][i];
    const bound r = range_of_products(bound_of(&base[x.tensor]), bound_of(&base[y.tensor]), 1);
    if (r.hi > RANGE_ACC_LIMIT || r.lo < -RANGE_ACC_LIMIT) {
        l->narrow = l->bits[x.origin] >= l->bits[y.origin] ? x.origin : y.origin;
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its products can leave the field");
    }
    const uint32_t t = builder_contract(&l->b, &c, d.rank, r);
    if (t == NO_INDEX)
        return false;
    form f;
    const mica_tensor *out = &lowering_tensors(l)[t];
    form_create(&f, out->batched, out->rank, out->dim);
    return form_add_tensor(&f, lowering_tensors(l), t, 1) &&
           lowering_set_sum(l, n, &f, &d.axes, x.scale * y.scale, st);
}

bool lower_mul(struct lowering *l, const graph_node *n, mica_status *st) {
    if (is_constant(l, n->in[1]))
        return lower_mul_constant(l, n, n->in[0], n->in[1], st);
    if (is_constant(l, n->in[0]))
        return lower_mul_constant(l, n, n->in[1], n->in[0], st);
    return lower_mul_activations(l, n, st);
}
