/* Gather and OneHot: with constant indices elements move; otherwise every index becomes a row of zeros and a
 * one, and Gather a product with it. */
#include "lowering/lowering_index.h"

#include <stdlib.h>
#include <string.h>

#include "lowering/lowering_domain.h"
#include "lowering/lowering_move.h"
#include "lowering/range.h"
#include "ops/ops.h"

/* The one-hot rows of indices that are a tensor. */
static bool hot_rows(lowering *l, const graph_node *n, const qvalue *index, int64_t size, bool inside,
                     uint32_t *hot, mica_status *st) {
    if (index->scale != 1)
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "indices that are not integers");
    const form f = lowering_tensor_form(l, index->tensor);
    return lowering_one_hot(l, n, &f, size, inside, hot, st);
}

/* --- OneHot --- */

bool lower_onehot(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *y = &l->g->value[n->out[0]];
    qvalue k;
    uint32_t hot;
    if (lowering_is_constant(l, n->in[0]))
        return lowering_move(l, n, 1u << 2, st);
    if (!lowering_is_constant(l, n->in[2]))
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED,
                             "indices and values that depend on the network's inputs");
    double *value = lowering_constant(l, n->in[2], st);
    if (!value)
        return false;
    const double off = value[0], on = value[1], magnitude = on * on > off * off ? on : off;
    free(value);
    const bool whole = (double)round_away(on) == on && (double)round_away(off) == off;
    const double scale = whole ? 1 : (magnitude < 0 ? -magnitude : magnitude) / (double)(1 << 14);
    int64_t axis = graph_attr_int(n, "axis", -1);
    axis += axis < 0 ? (int64_t)y->rank : 0;
    const unsigned at = (unsigned)axis - (y->batched ? 1 : 0);
    const int64_t size = y->dim[axis];
    if (!lowering_operand(l, n->in[0], &k, st) || !lowering_layer(l, n, st) ||
        !hot_rows(l, n, &k, size, false, &hot, st))
        return false;
    const mica_tensor x = lowering_tensors(l)[hot];
    layout axes = {.rank = (uint8_t)(k.axes.rank + 1)};
    for (unsigned i = 0; i < axes.rank; i++)
        if (i != at)
            axes.of[i] = k.axes.of[i - (i > at)];
    if (size > 1)
        axis_list_push(&axes.of[at], x.rank - 1u);
    form f;
    form_create(&f, x.batched, x.rank, x.dim);
    const double limit = (double)RANGE_ACC_LIMIT * scale;
    if (!(on < limit && on > -limit && off < limit && off > -limit))
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "values of 2^28 and more");
    const int64_t one = round_away(on / scale), zero = round_away(off / scale);
    return (form_add_tensor(&f, lowering_tensors(l), hot, one - zero) && form_add_constant(&f, zero)
                ? true
                : lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum")) &&
           lowering_set_sum(l, n, &f, &axes, scale, st);
}

/* --- Gather --- */

typedef struct gathering {
    unsigned axis;      /* of the data, batch axis not counted */
    unsigned data_rank; /* ONNX axes, likewise */
    unsigned index_rank;
    uint32_t hot;
    qvalue index;
} gathering;

/* The data's axes before `axis`, the indices' axes, the data's axes behind. */
static layout gathered_axes(const gathering *g, const axis_list *data, const axis_list *index) {
    layout r = {.rank = (uint8_t)(g->data_rank - 1 + g->index_rank)};
    for (unsigned i = 0; i < r.rank; i++)
        r.of[i] = i < g->axis                   ? data[i]
                  : i < g->axis + g->index_rank ? index[i - g->axis]
                                                : data[i - g->index_rank + 1];
    return r;
}

/* Labels: the axes of the one-hot rows first (its last one is contracted), then the data's others. The result
 * has them in this order. */
static bool label_rows(lowering *l, const graph_node *n, const gathering *g, mica_contract *c,
                       unsigned data_axes, mica_view *hot_view, uint8_t *out_rank, mica_status *st) {
    const mica_tensor *h = &lowering_tensors(l)[g->hot];
    if (h->rank - 1u + data_axes - 1u > MICA_MAX_RANK)
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d axes", MICA_MAX_RANK);
    for (uint8_t i = 0; i < h->rank; i++) {
        hot_view->axis[i] = i;
        c->label_dim[i] = h->dim[i];
        if (i + 1 < h->rank)
            c->out_label[(*out_rank)++] = i;
    }
    c->n_labels = h->rank;
    return true;
}

static uint8_t free_label(mica_contract *c, uint32_t dim, uint8_t *out_rank) {
    c->label_dim[c->n_labels] = dim;
    c->out_label[(*out_rank)++] = c->n_labels;
    return c->n_labels++;
}

/* Rows of a constant: an embedding. */
static bool gather_constant(lowering *l, const graph_node *n, const gathering *g, mica_status *st) {
    const graph_value *v = &l->g->value[n->in[0]];
    axis_list data[GRAPH_MAX_RANK] = {{0}};
    weighted w = {.exact = v->dtype == DTYPE_INT};
    mica_contract *c = &w.contract;
    unsigned longer = 1;
    for (unsigned i = 0; i < v->rank; i++)
        longer += i != g->axis && v->dim[i] > 1;
    if (!label_rows(l, n, g, c, longer, &c->b_view, &w.out_rank, st))
        return false;
    for (unsigned i = 0; i < v->rank; i++) {
        if (i == g->axis) {
            w.contracted = 1u << w.w_rank;
            c->a_view.axis[w.w_rank] = lowering_tensors(l)[g->hot].rank - 1;
            w.w_dim[w.w_rank++] = (uint32_t)v->dim[i];
        } else if (v->dim[i] > 1) {
            axis_list_push(&data[i], w.out_rank);
            c->a_view.axis[w.w_rank] = free_label(c, (uint32_t)v->dim[i], &w.out_rank);
            w.w_dim[w.w_rank++] = (uint32_t)v->dim[i];
        }
    }
    const layout axes = gathered_axes(g, data, g->index.axes.of);
    const qvalue hot = {.scale = 1, .tensor = g->hot, .origin = n->in[1], .ready = true};
    form f;
    double scale;
    w.w = lowering_constant(l, n->in[0], st);
    const bool ok = w.w && lowering_weighted(l, n, &w, &hot, &f, &scale, st) &&
                    lowering_set_sum(l, n, &f, &axes, scale, st);
    free(w.w);
    return ok;
}

static bool gather_activation(lowering *l, const graph_node *n, const gathering *g, mica_status *st) {
    axis_list data[GRAPH_MAX_RANK] = {{0}};
    mica_contract c = {0};
    uint8_t rank = 0;
    qvalue x;
    if (!lowering_plain_operand(l, n->in[0], &x, st))
        return false;
    const mica_tensor t = lowering_tensors(l)[x.tensor];
    const axis_list *along = &x.axes.of[g->axis];
    if (along->n == 0)
        return lowering_fail(l, n, st, MICA_ERR_UNSUPPORTED, "indices into an axis of one entry");
    if (!label_rows(l, n, g, &c, t.rank, &c.b_view, &rank, st))
        return false;
    unsigned place[MICA_MAX_RANK] = {0};
    for (unsigned i = 0; i < t.rank; i++) {
        place[i] = rank;
        c.a_view.axis[i] =
            i == along->axis[0] ? lowering_tensors(l)[g->hot].rank - 1 : free_label(&c, t.dim[i], &rank);
    }
    for (unsigned i = 0; i < x.axes.rank; i++)
        for (unsigned j = 0; i != g->axis && j < x.axes.of[i].n; j++)
            axis_list_push(&data[i], place[x.axes.of[i].axis[j]]);
    c.a = x.tensor;
    c.b = g->hot;
    const bound r =
        range_of_products(bound_of(&t), bound_of(&lowering_tensors(l)[g->hot]), t.dim[along->axis[0]]);
    const uint32_t v = builder_contract(&l->b, &c, rank, r);
    if (v == NO_INDEX) {
        l->narrow = x.origin;
        return false;
    }
    const form f = lowering_tensor_form(l, v);
    const layout axes = gathered_axes(g, data, g->index.axes.of);
    return lowering_set_sum(l, n, &f, &axes, x.scale, st);
}

bool lower_gather(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *v = &l->g->value[n->in[0]];
    gathering g;
    if (lowering_is_constant(l, n->in[1]))
        return lowering_move(l, n, 1, st);
    int64_t axis = graph_attr_int(n, "axis", 0);
    axis += axis < 0 ? (int64_t)v->rank : 0;
    if (!lowering_operand(l, n->in[1], &g.index, st) || !lowering_layer(l, n, st) ||
        !hot_rows(l, n, &g.index, v->dim[axis], true, &g.hot, st))
        return false;
    g.axis = (unsigned)axis - (v->batched ? 1 : 0);
    g.data_rank = v->rank - (v->batched ? 1 : 0);
    g.index_rank = g.index.axes.rank;
    return (graph_is_const(v) ? gather_constant : gather_activation)(l, n, &g, st);
}
