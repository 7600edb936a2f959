/* ArgMax, ArgMin, Hardmax: exact, ties included.
 *
 *   m   = max_i x_i                       (a tree of exact maxima)
 *   e_i = [x_i - m + 1 >= 1]              (1 exactly where x_i = m, since x_i <= m)
 *   t_i = (n - i) e_i                     or (i + 1) e_i for the last index
 *   T   = max_i t_i                       (a second tree)
 *   index = n - T, or T - 1
 *
 * Uniqueness: m and T are determined by the maxima, every e_i by its table. Some e_i is 1, so T >= 1, and the
 * t_i with e_i = 1 are different from each other: T belongs to the first (last) of the largest elements and
 * to no other. Hardmax is [t_i - T + 1 >= 1], which holds for that element alone. The prover chooses nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "lowering/lowering_domain.h"
#include "lowering/lowering_rows.h"
#include "lowering/requantise.h"
#include "ops/ops.h"
#include "ops/reduce.h"

typedef struct places {
    rows x, t;     /* t: the ranks t_i, over the same axes */
    uint32_t best; /* T */
} places;

/* *e := [a - (one cell per row) + 1 >= 1] */
static bool equals_top(lowering *l, const rows *r, uint32_t top, uint32_t *e, mica_status *st) {
    form f;
    form_create(&f, r->batched, r->rank, r->dim);
    if (!form_add_tensor(&f, lowering_tensors(l), r->tensor, 1) || !rows_add_lead(l, &f, r, top, -1) ||
        !form_add_constant(&f, 1))
        return mica_fail(st, MICA_ERR_INTERNAL, "a difference has too many terms");
    return step_function(l, &f, e, st);
}

/* t_i = rank_i e_i, the ranks being fixed by the place. */
static bool rank_places(lowering *l, const rows *x, uint32_t e, bool last, rows *t, mica_status *st) {
    int32_t *rank = malloc(x->length * sizeof *rank);
    if (!rank)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    for (uint32_t i = 0; i < x->length; i++)
        rank[i] = (int32_t)(last ? i + 1 : x->length - i);
    mica_contract c = {.b = e, .n_labels = (uint8_t)x->rank};
    c.a = builder_weight(&l->b, x->rank - x->lead, x->dim + x->lead, rank);
    free(rank);
    if (c.a == NO_INDEX)
        return false;
    for (unsigned i = 0; i < x->rank; i++) {
        c.label_dim[i] = x->dim[i];
        c.out_label[i] = (uint8_t)i;
        c.b_view.axis[i] = (int32_t)i;
        c.a_view.axis[i] = i + x->lead < x->rank ? (int32_t)(i + x->lead) : 0;
    }
    *t = *x;
    t->range = (bound){0, x->length};
    const uint32_t product = builder_contract(&l->b, &c, x->rank, t->range);
    if (product == NO_INDEX)
        return false;
    const form f = lowering_tensor_form(l, product);
    t->tensor = builder_sum(&l->b, &f);
    return t->tensor != NO_INDEX;
}

static bool find_places(lowering *l, const graph_node *n, uint32_t along, bool minimum, bool last, places *p,
                        mica_status *st) {
    qvalue x;
    uint32_t top, e;
    if (!lowering_operand(l, n->in[0], &x, st) || !lowering_layer(l, n, st) ||
        !rows_arrange(l, &x, along, &p->x))
        return false;
    if (p->x.length == 1)
        return true;
    return (!minimum || rows_negate(l, &p->x)) && rows_maximum(l, &p->x, &top, st) &&
           equals_top(l, &p->x, top, &e, st) && rank_places(l, &p->x, e, last, &p->t, st) &&
           rows_maximum(l, &p->t, &p->best, st);
}

/* The same number everywhere. */
static bool set_constant(lowering *l, const graph_node *n, const rows *r, unsigned rank, const layout *axes,
                         int64_t value, mica_status *st) {
    form f;
    form_create(&f, r->batched, rank, r->dim);
    return form_add_constant(&f, value) && lowering_set_sum(l, n, &f, axes, 1, st);
}

static bool lower_place(lowering *l, const graph_node *n, bool minimum, mica_status *st) {
    const graph_value *in = &l->g->value[n->in[0]];
    const bool last = graph_attr_int(n, "select_last_index", 0) != 0;
    const bool keep = graph_attr_int(n, "keepdims", 1) != 0;
    uint32_t axis;
    places p;
    if (!op_axis(l->g, n, "axis", 0, in->rank, 0, &axis, st))
        return false;
    const uint32_t along = reduce_without_batch(in, 1u << axis);
    if (!find_places(l, n, along, minimum, last, &p, st))
        return false;
    const layout axes = rows_reduced_axes(&p.x, along, keep);
    if (p.x.length == 1)
        return set_constant(l, n, &p.x, p.x.lead, &axes, 0, st);
    const mica_tensor *t = &lowering_tensors(l)[p.best];
    form f;
    form_create(&f, t->batched, t->rank, t->dim);
    if (!form_add_tensor(&f, lowering_tensors(l), p.best, last ? 1 : -1) ||
        !form_add_constant(&f, last ? -1 : (int64_t)p.x.length))
        return mica_fail(st, MICA_ERR_INTERNAL, "an index has too many terms");
    return lowering_set_tensor(l, n, builder_sum(&l->b, &f), &axes, 1, n->out[0]);
}

bool lower_argmax(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_place(l, n, false, st);
}

bool lower_argmin(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_place(l, n, true, st);
}

bool lower_hardmax(struct lowering *l, const graph_node *n, mica_status *st) {
    uint32_t axes, y;
    places p;
    if (!reduce_normalised_axes(l->g, n, &axes, st) ||
        !find_places(l, n, reduce_without_batch(&l->g->value[n->in[0]], axes), false, false, &p, st))
        return false;
    if (p.x.length == 1)
        return set_constant(l, n, &p.x, p.x.rank, &p.x.axes, 1, st);
    return equals_top(l, &p.t, p.best, &y, st) && lowering_set_tensor(l, n, y, &p.x.axes, 1, n->out[0]);
}
