/* Add, Sub, Sum, Mean, Mul, Max, Min with numpy broadcasting, between activations or with constants. */
#include <stdlib.h>
#include <string.h>

#include "lowering/lowering_domain.h"
#include "lowering/maximum.h"
#include "lowering/range.h"
#include "ops/lower_times.h"
#include "ops/ops.h"

/* --- sums --- */

static bool lower_two(lowering *l, const graph_node *n, int sign, mica_status *st) {
    const addend a[2] = {{n->in[0], 1, false}, {n->in[1], sign, false}};
    form f;
    layout axes;
    double scale;
    return lowering_linear(l, n, 2, a, &f, &axes, &scale, st) && lowering_set_sum(l, n, &f, &axes, scale, st);
}

bool lower_add(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_two(l, n, 1, st);
}

bool lower_sub(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_two(l, n, -1, st);
}

static bool lower_many(lowering *l, const graph_node *n, double divisor, mica_status *st) {
    form f;
    layout axes;
    double scale;
    addend *a = malloc(n->n_in * sizeof *a);
    if (!a)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    for (uint32_t i = 0; i < n->n_in; i++)
        a[i] = (addend){n->in[i], 1, false};
    const bool ok = lowering_linear(l, n, n->n_in, a, &f, &axes, &scale, st) &&
                    lowering_set_sum(l, n, &f, &axes, scale / divisor, st);
    free(a);
    return ok;
}

bool lower_sum(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_many(l, n, 1, st);
}

bool lower_mean(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_many(l, n, n->n_in, st);
}

/* --- maxima and minima: min(a, b) = -max(-a, -b) --- */

static void negate(form *f) {
    for (uint32_t i = 0; i < f->n_terms; i++)
        f->term[i].coef = -f->term[i].coef;
    for (uint32_t i = 0; i < f->n_boxes; i++)
        f->box[i].coef = -f->box[i].coef;
}

static bool lower_extremum(lowering *l, const graph_node *n, bool minimum, mica_status *st) {
    aligned a;
    form *f = malloc(n->n_in * sizeof *f);
    bool ok = f || mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    ok = ok && lowering_align(l, n, 0, &a, f, st);
    const bound range = minimum ? (bound){-a.range.hi, -a.range.lo} : a.range;
    for (uint32_t i = 0; ok && minimum && i < n->n_in; i++)
        negate(&f[i]);
    ok = ok && lowering_max_tree(l, f, n->n_in, range, st);
    if (ok && minimum)
        negate(&f[0]);
    ok = ok && lowering_set_tensor(l, n, lowering_form_tensor(l, &f[0]), &a.d.axes, a.scale, n->out[0]);
    free(f);
    return ok;
}

bool lower_max(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_extremum(l, n, false, st);
}

bool lower_min(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_extremum(l, n, true, st);
}

/* --- products --- */

/* x times one number: only the scale changes, and the sign. */
static bool lower_mul_number(lowering *l, const graph_node *n, uint32_t v, double k, mica_status *st) {
    static const uint8_t map[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    form x, f;
    qvalue q;
    if (!lowering_form(l, v, &x, &q, st))
        return false;
    form_create(&f, x.batched, x.rank, x.dim);
    const bool exact = l->g->value[v].dtype == DTYPE_INT;
    const int64_t times = exact ? (int64_t)k : k < 0 ? -1 : k > 0 ? 1 : 0;
    if (q.tensor != NO_INDEX && !lowering_layer(l, n, st))
        return false;
    if (times && !form_add_form(&f, lowering_tensors(l), &x, times, map))
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its products can leave the field");
    if (q.tensor == NO_INDEX)
        l->b.layer = q.layer;
    return lowering_set_sum(l, n, &f, &q.axes, exact || !times ? q.scale : q.scale * (k < 0 ? -k : k), st);
}

static axis_list broadcast_list(const layout *axes, unsigned rank, unsigned i) {
    const int at = (int)axes->rank - (int)(rank - i);
    return at >= 0 ? axes->of[at] : (axis_list){0};
}

bool lower_elements_product(lowering *l, const graph_node *n, const qvalue *x, const graph_value *c,
                            weighted *w, mica_status *st) {
    const mica_tensor *t = &lowering_tensors(l)[x->tensor];
    const unsigned rank = lowering_result_rank(l, n);
    memset(w, 0, sizeof *w);
    w->axes = (layout){.rank = (uint8_t)rank};
    for (unsigned i = 0; i < t->rank && i < MICA_MAX_RANK; i++) {
        w->contract.b_view.axis[i] = (int32_t)i;
        w->contract.label_dim[i] = t->dim[i];
        w->contract.out_label[i] = (uint8_t)i;
    }
    w->contract.n_labels = t->rank;
    w->out_rank = t->rank;
    for (unsigned i = 0; i < rank; i++)
        w->axes.of[i] = broadcast_list(&x->axes, rank, i);
    for (unsigned i = 0; i < c->rank; i++) {
        const int at = (int)rank - (int)(c->rank - i);
        if (c->dim[i] == 1 || at < 0)
            continue;
        if (w->axes.of[at].n == 0) { /* x broadcasts along this axis */
            if (w->out_rank == MICA_MAX_RANK)
                return lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d axes", MICA_MAX_RANK);
            const unsigned label = w->contract.n_labels++;
            w->contract.label_dim[label] = (uint32_t)c->dim[i];
            axis_list_push(&w->axes.of[at], w->out_rank);
            w->contract.out_label[w->out_rank++] = (uint8_t)label;
        }
        for (unsigned j = 0; j < w->axes.of[at].n; j++) {
            const unsigned label = w->contract.out_label[w->axes.of[at].axis[j]];
            w->w_dim[w->w_rank] = w->contract.label_dim[label];
            w->contract.a_view.axis[w->w_rank++] = (int32_t)label;
        }
    }
    return true;
}

/* x times the elements `factor` of a constant. */
static bool multiply_by(lowering *l, const graph_node *n, uint32_t v, const graph_value *c, double *factor,
                        mica_status *st) {
    const uint64_t count = graph_elements(c);
    bool uniform = count > 0 && c->rank <= l->g->value[v].rank;
    for (uint64_t i = 1; i < count; i++)
        uniform &= factor[i] == factor[0];
    for (unsigned i = 0; i < c->rank && uniform; i++) { /* and it must not enlarge x */
        const int64_t own = l->g->value[v].dim[l->g->value[v].rank - (c->rank - i)];
        uniform = c->dim[i] <= own;
    }
    if (uniform)
        return lower_mul_number(l, n, v, factor[0], st);
    qvalue x;
    weighted w;
    form f;
    double scale;
    if (!lowering_operand(l, v, &x, st) || !lowering_layer(l, n, st) ||
        !lower_elements_product(l, n, &x, c, &w, st))
        return false;
    w.w = factor;
    w.exact = l->g->value[v].dtype == DTYPE_INT;
    return lowering_weighted(l, n, &w, &x, &f, &scale, st) && lowering_set_sum(l, n, &f, &w.axes, scale, st);
}

bool lower_times_constant(lowering *l, const graph_node *n, uint32_t v, uint32_t constant, bool inverse,
                          mica_status *st) {
    const graph_value *c = &l->g->value[constant];
    double *factor = lowering_constant(l, constant, st);
    bool ok = factor != NULL;
    for (uint64_t i = 0; ok && inverse && i < graph_elements(c); i++) {
        if (factor[i] == 0)
            ok = lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "a division by zero");
        factor[i] = 1 / factor[i];
    }
    ok = ok && multiply_by(l, n, v, c, factor, st);
    free(factor);
    return ok;
}

static bool lower_mul_activations(lowering *l, const graph_node *n, mica_status *st) {
    domain d;
    form x, y, f;
    double scale;
    uint32_t t, widest;
    if (!lowering_layer(l, n, st) || !lowering_pair(l, n, &d, &x, &y, &scale, &widest, st))
        return false;
    if (!lowering_product(l, n, &x, &y, &t, st)) {
        l->narrow = widest;
        return false;
    }
    f = lowering_tensor_form(l, t);
    return lowering_set_sum(l, n, &f, &d.axes, scale, st);
}

bool lower_mul(struct lowering *l, const graph_node *n, mica_status *st) {
    if (lowering_is_constant(l, n->in[1]))
        return lower_times_constant(l, n, n->in[0], n->in[1], false, st);
    if (lowering_is_constant(l, n->in[0]))
        return lower_times_constant(l, n, n->in[1], n->in[0], false, st);
    return lower_mul_activations(l, n, st);
}
