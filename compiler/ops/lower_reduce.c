/* ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceSumSquare, ReduceL1. */
#include <math.h>
#include <string.h>

#include "lowering/lowering_domain.h"
#include "lowering/lowering_rows.h"
#include "lowering/maximum.h"
#include "lowering/range.h"
#include "lowering/requantise.h"
#include "ops/ops.h"
#include "ops/reduce.h"

typedef struct reduction {
    uint32_t axes; /* of the layout */
    bool keep;
    qvalue x;
} reduction;

static bool resolve(lowering *l, const graph_node *n, reduction *r, mica_status *st) {
    if (!reduce_resolve(l->g, n, &r->axes, &r->keep, st))
        return false;
    r->axes = reduce_without_batch(&l->g->value[n->in[0]], r->axes);
    return lowering_operand(l, n->in[0], &r->x, st) && lowering_layer(l, n, st);
}

/* The axes that stay, in the tensor's own order: new axis of each (NO_AXIS if it is summed), their layout and
 * sizes. An axis in no list has size 1 and is summed. */
static unsigned remaining(const lowering *l, const reduction *r, uint8_t *map, layout *axes, uint32_t *dim) {
    const mica_tensor *t = &lowering_tensors(l)[r->x.tensor];
    unsigned rank = 0;
    *axes = (layout){0};
    memset(map, NO_AXIS, MICA_MAX_RANK);
    for (unsigned i = 0; i < r->x.axes.rank; i++) {
        const bool reduced = r->axes & 1u << i;
        for (unsigned j = 0; !reduced && j < r->x.axes.of[i].n; j++) {
            const unsigned from = r->x.axes.of[i].axis[j];
            map[from] = (uint8_t)rank;
            axis_list_push(&axes->of[axes->rank], rank);
            dim[rank++] = t->dim[from];
        }
        axes->rank = (uint8_t)(axes->rank + (!reduced || r->keep));
    }
    return rank;
}

static uint64_t summed_cells(const lowering *l, const reduction *r, const uint8_t *map) {
    const mica_tensor *t = &lowering_tensors(l)[r->x.tensor];
    uint64_t n = 1;
    for (unsigned i = 0; i < t->rank; i++)
        n *= map[i] == NO_AXIS ? t->dim[i] : 1;
    return n;
}

static bool sum_tensor(lowering *l, const graph_node *n, const reduction *r, bool mean, mica_status *st) {
    layout axes;
    uint8_t map[MICA_MAX_RANK];
    uint32_t dim[MICA_MAX_RANK];
    form f;
    mica_view v = {{0}};
    const unsigned rank = remaining(l, r, map, &axes, dim);
    const mica_tensor *t = &lowering_tensors(l)[r->x.tensor];
    for (unsigned i = 0; i < t->rank; i++)
        v.axis[i] = map[i] == NO_AXIS ? MICA_VIEW_SUM : map[i];
    form_create(&f, t->batched, rank, dim);
    if (!form_add_term(&f, lowering_tensors(l), r->x.tensor, 1, &v))
        return mica_fail(st, MICA_ERR_INTERNAL, "a sum has too many terms");
    const bound b = form_range(&f, lowering_tensors(l));
    if (b.lo <= -RANGE_ACC_LIMIT || b.hi >= RANGE_ACC_LIMIT) {
        l->narrow = r->x.origin;
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its sums can leave the field");
    }
    const double cells = mean ? (double)summed_cells(l, r, map) : 1;
    return lowering_set_sum(l, n, &f, &axes, r->x.scale / cells, st);
}

bool lower_reduce_sum(struct lowering *l, const graph_node *n, mica_status *st) {
    reduction r;
    return resolve(l, n, &r, st) && sum_tensor(l, n, &r, false, st);
}

bool lower_reduce_mean(struct lowering *l, const graph_node *n, mica_status *st) {
    reduction r;
    return resolve(l, n, &r, st) && sum_tensor(l, n, &r, true, st);
}

/* |x| = max(x, -x) */
bool lower_reduce_l1(struct lowering *l, const graph_node *n, mica_status *st) {
    reduction r;
    if (!resolve(l, n, &r, st))
        return false;
    const form x = lowering_tensor_form(l, r.x.tensor);
    form minus, top;
    form_create(&minus, x.batched, x.rank, x.dim);
    const bound b = form_range(&x, lowering_tensors(l));
    if (!form_add_tensor(&minus, lowering_tensors(l), r.x.tensor, -1) ||
        !lowering_max(l, &x, &minus, bound_hull(b, bound_scale(b, -1)), &top, st))
        return false;
    r.x.tensor = top.term[0].tensor;
    return sum_tensor(l, n, &r, false, st);
}

/* --- extrema --- */

static bool lower_row_extremum(lowering *l, const graph_node *n, bool minimum, mica_status *st) {
    reduction r;
    rows x;
    uint32_t top;
    if (!resolve(l, n, &r, st) || !rows_arrange(l, &r.x, r.axes, &x) || (minimum && !rows_negate(l, &x)) ||
        !rows_maximum(l, &x, &top, st))
        return false;
    if (minimum) {
        const mica_tensor *t = &lowering_tensors(l)[top];
        form f;
        form_create(&f, t->batched, t->rank, t->dim);
        if (!form_add_tensor(&f, lowering_tensors(l), top, -1))
            return mica_fail(st, MICA_ERR_INTERNAL, "a negation has too many terms");
        top = builder_sum(&l->b, &f);
    }
    const layout axes = rows_reduced_axes(&x, r.axes, r.keep);
    return lowering_set_tensor(l, n, top, &axes, r.x.scale, r.x.origin);
}

bool lower_reduce_max(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_row_extremum(l, n, false, st);
}

bool lower_reduce_min(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_row_extremum(l, n, true, st);
}

/* --- sums of squares --- */

/* Squares of x must stay below the limit: a coarser copy of x serves where they would not. It saturates at
 * twice the calibrated magnitude, which is 2^k - 1 steps, the most that cells (2^k)^2 <= RANGE_ACC_LIMIT
 * allows. */
static bool coarsen(lowering *l, const graph_node *n, qvalue *x, uint64_t cells, mica_status *st) {
    const bound b = bound_of(&lowering_tensors(l)[x->tensor]);
    const bound r = range_of_products(b, b, cells);
    if (r.hi < RANGE_ACC_LIMIT && r.lo > -RANGE_ACC_LIMIT)
        return true;
    const uint32_t v = n->in[0];
    if (l->g->value[v].dtype == DTYPE_INT)
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its sums of squares can leave the field");
    const form f = lowering_tensor_form(l, x->tensor);
    const double wish = l->want_scale[v];
    int64_t steps = 1;
    while ((uint64_t)(4 * (steps + 1) * (steps + 1)) <= (uint64_t)RANGE_ACC_LIMIT / cells)
        steps = 2 * steps + 1;
    const double magnitude = calibration_magnitude(l->cal, v);
    l->want_scale[v] = 2 * (magnitude > 0 ? magnitude : 1) / ((double)steps - 0x1p-20);
    const bool ok = requantise(l, &f, x->scale, &activation_identity, v, &x->tensor, &x->scale, st);
    l->want_scale[v] = wish;
    return ok;
}

bool lower_reduce_sum_square(struct lowering *l, const graph_node *n, mica_status *st) {
    reduction r;
    layout axes;
    uint8_t map[MICA_MAX_RANK];
    uint32_t dim[MICA_MAX_RANK];
    if (!resolve(l, n, &r, st))
        return false;
    const unsigned rank = remaining(l, &r, map, &axes, dim);
    const uint64_t cells = summed_cells(l, &r, map);
    if (!coarsen(l, n, &r.x, cells, st))
        return false;
    const mica_tensor *t = &lowering_tensors(l)[r.x.tensor];
    mica_contract c = {.a = r.x.tensor, .b = r.x.tensor, .n_labels = t->rank};
    for (unsigned i = 0; i < t->rank; i++) {
        c.label_dim[i] = t->dim[i];
        c.a_view.axis[i] = c.b_view.axis[i] = (int32_t)i;
        if (map[i] != NO_AXIS)
            c.out_label[map[i]] = (uint8_t)i;
    }
    const bound range = range_of_products(bound_of(t), bound_of(t), cells);
    if (t->rank == 0 || range.hi >= RANGE_ACC_LIMIT || range.lo <= -RANGE_ACC_LIMIT) {
        l->narrow = r.x.origin;
        return lowering_fail(l, n, st, t->rank ? MICA_ERR_RANGE : MICA_ERR_UNSUPPORTED,
                             t->rank ? "its sums of squares can leave the field" : "a single number");
    }
    const uint32_t sum = builder_contract(&l->b, &c, rank, range);
    if (sum == NO_INDEX)
        return false;
    const form f = lowering_tensor_form(l, sum);
    return lowering_set_sum(l, n, &f, &axes, r.x.scale * r.x.scale, st);
}
