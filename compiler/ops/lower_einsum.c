/* Einsum: of one operand a sum, of two a contraction whose labels are the equation's. */
#include <stdlib.h>
#include <string.h>

#include "lowering/lowering_domain.h"
#include "lowering/range.h"
#include "ops/einsum.h"
#include "ops/ops.h"

/* Labels of sizes above 1, the batch's left out: those that tensors have axes for. */
typedef struct labels {
    einsum e;
    bool batched;
    uint8_t number[EINSUM_LABELS]; /* of the contraction; NO_AXIS */
    mica_contract contract;
    uint8_t out_rank;
    layout axes; /* of the result */
} labels;

static bool number_labels(lowering *l, const graph_node *n, labels *k, mica_status *st) {
    mica_contract *c = &k->contract;
    memset(k, 0, sizeof *k);
    memset(k->number, NO_AXIS, sizeof k->number);
    if (!einsum_read(&k->e, l->g, n, st))
        return false;
    if (!einsum_is_plain(&k->e, l->g, n)) /* expanded */
        return lowering_fail(l, n, st, MICA_ERR_INTERNAL, "an equation of several products");
    k->batched = l->g->value[n->out[0]].batched;
    for (unsigned i = 0; i < k->e.n_labels; i++) {
        if (k->e.dim[i] == 1 || (k->batched && i == k->e.out[0]))
            continue;
        if (c->n_labels == MICA_MAX_LABELS)
            return lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d labels", MICA_MAX_LABELS);
        c->label_dim[c->n_labels] = (uint32_t)k->e.dim[i];
        k->number[i] = c->n_labels++;
    }
    const unsigned skip = k->batched ? 1 : 0;
    k->axes.rank = (uint8_t)(k->e.out_rank - skip);
    for (unsigned a = skip; a < k->e.out_rank; a++) {
        const uint8_t label = k->number[k->e.out[a]];
        if (label == NO_AXIS)
            continue;
        axis_list_push(&k->axes.of[a - skip], k->out_rank);
        c->out_label[k->out_rank++] = label;
    }
    return true;
}

/* Labels of the axes of operand i, a tensor with plain axes. Axes of size 1 are taken at 0. */
static void label_axes(const lowering *l, const labels *k, unsigned i, const qvalue *x, bool is_batched,
                       mica_view *view) {
    const unsigned skip = is_batched ? 1 : 0;
    for (unsigned a = 0; a < lowering_tensors(l)[x->tensor].rank; a++)
        view->axis[a] = MICA_VIEW_AT(0);
    for (unsigned a = 0; a < x->axes.rank; a++)
        for (unsigned j = 0; j < x->axes.of[a].n; j++)
            view->axis[x->axes.of[a].axis[j]] = k->number[k->e.in[i][a + skip]];
}

/* The sum over the labels that the output lacks. */
static bool lower_one(lowering *l, const graph_node *n, const labels *k, mica_status *st) {
    qvalue x;
    form f;
    mica_view view = {{0}};
    uint32_t dim[MICA_MAX_RANK];
    uint8_t axis_of[MICA_MAX_LABELS];
    if (!lowering_plain_operand(l, n->in[0], &x, st) || !lowering_layer(l, n, st))
        return false;
    memset(axis_of, NO_AXIS, sizeof axis_of);
    for (uint8_t i = 0; i < k->out_rank; i++) {
        axis_of[k->contract.out_label[i]] = i;
        dim[i] = k->contract.label_dim[k->contract.out_label[i]];
    }
    label_axes(l, k, 0, &x, l->g->value[n->in[0]].batched, &view);
    const mica_tensor t = lowering_tensors(l)[x.tensor];
    for (unsigned a = 0; a < t.rank; a++)
        if (view.axis[a] >= 0)
            view.axis[a] = axis_of[view.axis[a]] == NO_AXIS ? MICA_VIEW_SUM : axis_of[view.axis[a]];
    form_create(&f, t.batched, k->out_rank, dim);
    if (!form_add_term(&f, lowering_tensors(l), x.tensor, 1, &view))
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
    const bound r = form_range(&f, lowering_tensors(l));
    if (r.lo <= -RANGE_ACC_LIMIT || r.hi >= RANGE_ACC_LIMIT) {
        l->narrow = x.origin;
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "the sum can leave the field");
    }
    return lowering_set_sum(l, n, &f, &k->axes, x.scale, st);
}

/* Operand `i` is a constant: the weights. */
static bool lower_constant_operand(lowering *l, const graph_node *n, labels *k, unsigned i, mica_status *st) {
    const graph_value *v = &l->g->value[n->in[i]];
    weighted w = {.exact = v->dtype == DTYPE_INT};
    qvalue x;
    form f;
    double scale;
    if (!lowering_plain_operand(l, n->in[!i], &x, st) || !lowering_layer(l, n, st))
        return false;
    label_axes(l, k, !i, &x, l->g->value[n->in[!i]].batched, &k->contract.b_view);
    for (unsigned a = 0; a < v->rank; a++) {
        const uint8_t label = k->e.in[i][a];
        if (k->number[label] == NO_AXIS)
            continue;
        k->contract.a_view.axis[w.w_rank] = k->number[label];
        w.contracted |= k->e.kept[label] ? 0 : 1u << w.w_rank;
        w.w_dim[w.w_rank++] = (uint32_t)v->dim[a];
    }
    w.contract = k->contract;
    w.out_rank = k->out_rank;
    w.w = lowering_constant(l, n->in[i], st);
    const bool ok = w.w && lowering_weighted(l, n, &w, &x, &f, &scale, st) &&
                    lowering_set_sum(l, n, &f, &k->axes, scale, st);
    free(w.w);
    return ok;
}

static bool lower_two(lowering *l, const graph_node *n, labels *k, mica_status *st) {
    qvalue x, y;
    uint64_t count = 1;
    if (!lowering_plain_operand(l, n->in[0], &x, st) || !lowering_plain_operand(l, n->in[1], &y, st) ||
        !lowering_layer(l, n, st))
        return false;
    label_axes(l, k, 0, &x, l->g->value[n->in[0]].batched, &k->contract.a_view);
    label_axes(l, k, 1, &y, l->g->value[n->in[1]].batched, &k->contract.b_view);
    for (unsigned i = 0; i < k->e.n_labels; i++)
        count *= k->e.kept[i] ? 1 : (uint64_t)k->e.dim[i];
    k->contract.a = x.tensor;
    k->contract.b = y.tensor;
    const bound r = range_of_products(bound_of(&lowering_tensors(l)[x.tensor]),
                                      bound_of(&lowering_tensors(l)[y.tensor]), count);
    if (r.lo <= -RANGE_ACC_LIMIT || r.hi >= RANGE_ACC_LIMIT) {
        l->narrow = l->bits[x.origin] >= l->bits[y.origin] ? x.origin : y.origin;
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its accumulators can leave the field");
    }
    const uint32_t t = builder_contract(&l->b, &k->contract, k->out_rank, r);
    if (t == NO_INDEX)
        return false;
    const form f = lowering_tensor_form(l, t);
    return lowering_set_sum(l, n, &f, &k->axes, x.scale * y.scale, st);
}

bool lower_einsum(struct lowering *l, const graph_node *n, mica_status *st) {
    labels k;
    if (!number_labels(l, n, &k, st))
        return false;
    if (k.e.n_in == 1)
        return lower_one(l, n, &k, st);
    for (unsigned i = 0; i < 2; i++)
        if (lowering_is_constant(l, n->in[i]))
            return lower_constant_operand(l, n, &k, i, st);
    return lower_two(l, n, &k, st);
}
