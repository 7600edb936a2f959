/* TopK, exact, ties included. For a row x_0 .. x_(n-1) and ranks 0 .. K - 1:
 *
 *   o[r, i]            committed, 0 or 1; sum_i o[r, i] = 1
 *   v_r = sum_i o[r, i] x_i,   p_r = sum_i o[r, i] i
 *   k_r = n v_r - p_r          the key of the element that r has; c_i = n x_i - i that of element i
 *   k_r - k_(r+1) - 1 >= 0     for r < K - 1
 *   k_(K-1) - c_i + M sum_r o[r, i] >= 0     for every i, M >= c_i - k_(K-1) whatever they are; not if K = n
 *
 * Uniqueness: o[r] is the row of one element, by its bits and their sum. Since 0 <= i < n, keys are in the
 * order of the elements, a smaller index counting as larger among equal ones, and no two elements have the
 * same key. The keys k_r fall, so that the ranks have different elements and sum_r o[r, i] is 0 or 1. Whoever
 * has no rank has a key of at most k_(K-1), so the ranks have the K largest, in order: one choice of o.
 *
 * Cost of a row: K n cells and lookups of one bit; 3 to 4 lookups for every element if K < n; a few for every
 * rank. For the smallest elements x is negated.
 */
#include <string.h>

#include "lowering/limbs.h"
#include "lowering/lowering_domain.h"
#include "lowering/lowering_rows.h"
#include "lowering/lowering_select.h"
#include "lowering/range.h"
#include "ops/op_rules.h"

/* |k_r - c_i| + M, and so every side of a check, stays below: the sides then differ by less than p. */
#define KEY_LIMIT (INT64_C(1) << 29)

typedef struct ranking {
    rows x; /* the row along the last axis */
    uint32_t k;
    uint32_t hot, key; /* o[lead..., K, n], k[lead..., K]; without the axis of K if K = 1 */
    uint32_t place;    /* 0 .. n - 1 */
    int64_t spread;    /* n x_i - i of all elements lie that close together, x in its range */
} ranking;

static bool too_many_terms(const lowering *l, const graph_node *n, mica_status *st) {
    return lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
}

/* --- the rows o --- */

static bool commit_rows(lowering *l, ranking *t) {
    uint32_t dim[MICA_MAX_RANK];
    unsigned rank = t->x.lead;
    memcpy(dim, t->x.dim, sizeof dim);
    if (t->k > 1)
        dim[rank++] = t->k;
    dim[rank++] = t->x.length;
    t->hot = builder_witness(&l->b, t->x.batched, rank, dim, (bound){0, 1});
    step s = {.kind = STEP_TOP, .layer = l->b.layer, .table = NO_INDEX};
    memset(s.tensor, 0xff, sizeof s.tensor);
    s.tensor[0] = t->hot;
    s.tensor[1] = t->x.tensor;
    return t->hot != NO_INDEX && builder_lookup(&l->b, builder_range_table(&l->b, 1), t->hot, NO_INDEX) &&
           builder_step(&l->b, &s);
}

/* A form over the axes of o before its last one. */
static form rank_form(const lowering *l, const ranking *t) {
    const mica_tensor *o = &lowering_tensors(l)[t->hot];
    form f;
    form_create(&f, o->batched, o->rank - 1u, o->dim);
    return f;
}

/* 0 <= sign (sum_i o[r, i] - 1) <= 1 */
static bool check_row_sum(lowering *l, const graph_node *n, const ranking *t, int sign, mica_status *st) {
    form f = rank_form(l, t);
    mica_view v = {{0}};
    for (unsigned i = 0; i < f.rank; i++)
        v.axis[i] = (int32_t)i;
    v.axis[f.rank] = MICA_VIEW_SUM;
    if (!form_add_term(&f, lowering_tensors(l), t->hot, sign, &v) || !form_add_constant(&f, -sign))
        return too_many_terms(l, n, st);
    return range_check(l, &f, 1, st);
}

/* --- keys --- */

/* sum_i o[r, i] a_i, a being the row itself or a vector, its last axis in both cases. */
static uint32_t picked(lowering *l, const ranking *t, uint32_t a, bound range) {
    const mica_tensor *o = &lowering_tensors(l)[t->hot], *x = &lowering_tensors(l)[a];
    mica_contract c = {.a = a, .b = t->hot, .n_labels = o->rank};
    for (unsigned i = 0; i < o->rank && i < MICA_MAX_RANK; i++) {
        c.label_dim[i] = o->dim[i];
        c.out_label[i] = i + 1 < o->rank ? (uint8_t)i : 0; /* the last is summed */
        c.b_view.axis[i] = (int32_t)i;
    }
    for (unsigned i = 0; i < x->rank; i++)
        c.a_view.axis[i] = i + 1 < x->rank ? (int32_t)i : o->rank - 1;
    return builder_contract(&l->b, &c, o->rank - 1u, range);
}

/* k_r = n v_r - p_r, with v_r through limbs: it is one of the x_i, but its range as a sum is n times theirs.
 */
static bool make_keys(lowering *l, const graph_node *n, ranking *t, mica_status *st) {
    const int64_t length = t->x.length, width = t->x.range.hi - t->x.range.lo;
    const unsigned bits = mica_log2_ceil((uint64_t)width + 1);
    const uint32_t v = picked(l, t, t->x.tensor, range_of_products((bound){0, 1}, t->x.range, t->x.length));
    const uint32_t p = picked(l, t, t->place, (bound){0, length * (length - 1) / 2});
    if (v == NO_INDEX || p == NO_INDEX)
        return false;
    form above = lowering_tensor_form(l, v), value, key = rank_form(l, t);
    static const uint8_t same[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    if (t->x.range.lo != 0 && !form_add_constant(&above, -t->x.range.lo))
        return too_many_terms(l, n, st);
    if (!range_check_value(l, &above, bits ? bits : 1, &value, st))
        return false;
    if (!form_add_form(&key, lowering_tensors(l), &value, length, same) ||
        (t->x.range.lo != 0 && !form_add_constant(&key, length * t->x.range.lo)) ||
        !form_add_tensor(&key, lowering_tensors(l), p, -1))
        return too_many_terms(l, n, st);
    t->key = builder_sum(&l->b, &key);
    return t->key != NO_INDEX;
}

static bool check_order(lowering *l, const graph_node *n, const ranking *t, mica_status *st) {
    const uint32_t upper = builder_cut(&l->b, t->key, t->k - 1, 0),
                   lower = upper == NO_INDEX ? NO_INDEX : builder_cut(&l->b, t->key, t->k - 1, 1);
    if (lower == NO_INDEX)
        return false;
    form f = lowering_tensor_form(l, upper);
    if (!form_add_tensor(&f, lowering_tensors(l), lower, -1) || !form_add_constant(&f, -1))
        return too_many_terms(l, n, st);
    return range_check(l, &f, mica_log2_ceil((uint64_t)t->spread + 1), st);
}

/* *f += M sum_r o[r, i], the sum through a bit: as a sum its range is K. */
static bool add_chosen(lowering *l, const graph_node *n, const ranking *t, form *f, mica_status *st) {
    static const uint8_t same[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    form sum, bit;
    mica_view v = {{0}};
    form_create(&sum, t->x.batched, t->x.rank, t->x.dim);
    for (unsigned i = 0; i < t->x.lead; i++)
        v.axis[i] = (int32_t)i;
    v.axis[t->x.lead] = MICA_VIEW_SUM;
    v.axis[t->x.lead + 1] = (int32_t)t->x.lead;
    if (t->k == 1)
        return form_add_tensor(f, lowering_tensors(l), t->hot, t->spread) || too_many_terms(l, n, st);
    if (!form_add_term(&sum, lowering_tensors(l), t->hot, 1, &v))
        return too_many_terms(l, n, st);
    return range_check_value(l, &sum, 1, &bit, st) &&
           (form_add_form(f, lowering_tensors(l), &bit, t->spread, same) || too_many_terms(l, n, st));
}

/* Whoever has no rank comes after the last rank. */
static bool check_others(lowering *l, const graph_node *n, const ranking *t, mica_status *st) {
    form f;
    mica_view last = {{0}}, along = {{(int32_t)t->x.lead}};
    form_create(&f, t->x.batched, t->x.rank, t->x.dim);
    for (unsigned i = 0; i < t->x.lead; i++)
        last.axis[i] = (int32_t)i;
    last.axis[t->x.lead] = MICA_VIEW_AT(t->k - 1); /* no axis for K = 1 */
    if (!form_add_term(&f, lowering_tensors(l), t->key, 1, &last) ||
        !form_add_tensor(&f, lowering_tensors(l), t->x.tensor, -(int64_t)t->x.length) ||
        !form_add_term(&f, lowering_tensors(l), t->place, 1, &along))
        return too_many_terms(l, n, st);
    return add_chosen(l, n, t, &f, st) && range_check(l, &f, mica_log2_ceil(2 * (uint64_t)t->spread + 1), st);
}

/* --- mica.Top --- */

/* The rows of x, as a LINEAR: the step reads whole cells. */
static bool arrange(lowering *l, const graph_node *n, const qvalue *x, uint32_t axis, ranking *t,
                    mica_status *st) {
    if (!rows_arrange(l, x, 1u << axis, &t->x))
        return false;
    if (graph_attr_int(n, "largest", 1) == 0)
        return rows_negate(l, &t->x);
    const form f = lowering_tensor_form(l, t->x.tensor);
    if (lowering_tensors(l)[t->x.tensor].kind == MICA_TENSOR_PLACEMENT)
        t->x.tensor = lowering_form_tensor(l, &f);
    (void)st;
    return t->x.tensor != NO_INDEX;
}

static bool check_limits(lowering *l, const graph_node *n, ranking *t, uint32_t origin, mica_status *st) {
    const int64_t length = t->x.length, width = t->x.range.hi - t->x.range.lo;
    /* As the checks' ranges have it: v_r in 2^bits values, p_r up to length^2 / 2. */
    const int64_t values = INT64_C(1) << mica_log2_ceil((uint64_t)width + 1);
    if (t->x.rank + (t->k > 1) > MICA_MAX_RANK)
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d axes", MICA_MAX_RANK);
    t->spread = length * width + length - 1;
    if (values < KEY_LIMIT / (2 * length) && length < 1 << 14)
        return true;
    l->narrow = l->g->value[n->in[0]].dtype == DTYPE_INT ? NO_INDEX : origin;
    return lowering_fail(l, n, st, MICA_ERR_RANGE,
                         "%lld elements of %lld values: ranked are at most 2^14, of 2^28 values together",
                         (long long)length, (long long)values);
}

bool lower_top(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *in = &l->g->value[n->in[0]];
    ranking t = {.k = (uint32_t)graph_attr_int(n, "k", 1)};
    uint32_t axis;
    qvalue x;
    if (!op_axis(l->g, n, "axis", -1, in->rank, 0, &axis, st) ||
        !lowering_plain_operand(l, n->in[0], &x, st) || !lowering_layer(l, n, st))
        return false;
    axis -= in->batched ? 1 : 0;
    if (!arrange(l, n, &x, axis, &t, st) || !check_limits(l, n, &t, x.origin, st))
        return false;
    t.place = builder_counter(&l->b, t.x.length);
    if (t.place == NO_INDEX || !commit_rows(l, &t) || !check_row_sum(l, n, &t, 1, st) ||
        !check_row_sum(l, n, &t, -1, st))
        return false;
    const bool ordered = t.k > 1, others = t.k < t.x.length;
    if (!make_keys(l, n, &t, st) || (ordered && !check_order(l, n, &t, st)) ||
        (others && !check_others(l, n, &t, st)))
        return false;
    layout axes = t.x.axes;
    axes.of[axis].n = 0;
    if (ordered)
        axis_list_push(&axes.of[axis], t.x.lead);
    axes.of[axes.rank].n = 0;
    axis_list_push(&axes.of[axes.rank++], lowering_tensors(l)[t.hot].rank - 1u);
    return lowering_set_tensor(l, n, t.hot, &axes, 1, n->out[0]);
}

/* --- mica.Pick --- */

/* x, which is one of `range`, through the limbs of a check that it is. */
static bool narrow_to(lowering *l, const graph_node *n, labelled *x, bound range, mica_status *st) {
    const unsigned bits = mica_log2_ceil((uint64_t)(range.hi - range.lo) + 1);
    form f = select_form(l, x), value;
    labelled y;
    unsigned rank = 0;
    memset(y.label, NO_LABEL, sizeof y.label);
    for (unsigned i = 0; i < lowering_tensors(l)[x->tensor].rank; i++)
        if (x->label[i] != NO_LABEL)
            y.label[rank++] = x->label[i];
    if (range.lo != 0 && !form_add_constant(&f, -range.lo))
        return too_many_terms(l, n, st);
    if (!range_check_value(l, &f, bits ? bits : 1, &value, st))
        return false;
    if (range.lo != 0 && !form_add_constant(&value, range.lo))
        return too_many_terms(l, n, st);
    y.tensor = builder_sum(&l->b, &value);
    *x = y;
    return y.tensor != NO_INDEX;
}

bool lower_pick(struct lowering *l, const graph_node *n, mica_status *st) {
    const graph_value *data = &l->g->value[n->in[0]], *y = &l->g->value[n->out[0]];
    const int8_t along = (int8_t)y->rank;
    const int64_t axis = graph_attr_int(n, "axis", 0);
    int8_t label[GRAPH_MAX_RANK], data_label[GRAPH_MAX_RANK];
    labelled x, hot, v;
    qvalue q = {.scale = 1, .origin = n->out[0]};
    selection s;
    for (int8_t i = 0; i < GRAPH_MAX_RANK; i++)
        label[i] = data_label[i] = i;
    data_label[axis] = along;
    if ((!graph_is_const(data) && !lowering_operand(l, n->in[0], &q, st)) || !lowering_layer(l, n, st) ||
        !select_operand(l, n, n->in[0], data_label, q.scale, &x, st) ||
        !select_operand(l, n, n->in[1], label, 1, &hot, st) ||
        !select_contract(l, n, &x, &hot, 1u << along, &v, st) ||
        !narrow_to(l, n, &v, bound_of(&lowering_tensors(l)[x.tensor]), st))
        return false;
    select_result(l, n, label, &s);
    if (!select_add(l, n, &s, &v, 1, st))
        return false;
    return lowering_set_tensor(l, n, lowering_form_tensor(l, &s.f), &s.axes, q.scale, q.origin);
}
