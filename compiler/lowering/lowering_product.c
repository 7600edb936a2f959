/* Products of forms, and how many bits their factors get. */
#include "lowering/lowering_domain.h"
#include "lowering/range.h"
#include "ops/ops.h"

static const uint8_t same_axes[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};

/* Whether the form is a tensor seen cell by cell or repeated, so that a product can read it as it is. */
static bool is_plain_tensor(const lowering *l, const form *f) {
    if (f->n_terms != 1 || f->n_boxes || f->term[0].coef != 1)
        return false;
    const mica_tensor *x = &lowering_tensors(l)[f->term[0].tensor];
    for (unsigned i = 0; i < x->rank; i++)
        if (f->term[0].view.axis[i] < 0 && x->dim[i] != 1)
            return false;
    return x->kind != MICA_TENSOR_CONTRACT;
}

uint32_t lowering_form_tensor(lowering *l, const form *f) {
    if (is_plain_tensor(l, f)) {
        const mica_tensor *x = &lowering_tensors(l)[f->term[0].tensor];
        bool same = x->rank == f->rank && x->batched == f->batched;
        for (unsigned i = 0; i < x->rank && same; i++)
            same = f->term[0].view.axis[i] == (int32_t)i;
        if (same)
            return f->term[0].tensor;
    }
    return builder_sum(&l->b, f);
}

/* Reads f as an operand of a product over labels = axes of f's domain. */
static uint32_t factor_tensor(lowering *l, const form *f, mica_view *view) {
    if (is_plain_tensor(l, f)) {
        *view = f->term[0].view;
        return f->term[0].tensor;
    }
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        view->axis[i] = i < f->rank ? (int32_t)i : 0;
    return builder_sum(&l->b, f);
}

static unsigned covered(const mica_tensor *x, const mica_view *v) {
    unsigned labels = 0;
    for (unsigned i = 0; i < x->rank; i++)
        if (v->axis[i] >= 0)
            labels |= 1u << v->axis[i];
    return labels;
}

bool lowering_product(lowering *l, const graph_node *n, const form *a, const form *b, uint32_t *t,
                      mica_status *st) {
    const unsigned rank = a->rank ? a->rank : 1;
    const uint32_t one = 1;
    form x = *a, y = *b;
    if (a->rank == 0) { /* a single number: an axis of size 1 */
        form_create(&x, a->batched, 1, &one);
        form_create(&y, b->batched, 1, &one);
        if (!form_add_form(&x, lowering_tensors(l), a, 1, same_axes) ||
            !form_add_form(&y, lowering_tensors(l), b, 1, same_axes))
            return lowering_too_many_terms(l, n, st);
    }
    mica_contract c = {.n_labels = (uint8_t)rank};
    c.a = factor_tensor(l, &x, &c.a_view);
    c.b = c.a == NO_INDEX ? NO_INDEX : factor_tensor(l, &y, &c.b_view);
    if (c.b == NO_INDEX)
        return false;
    const unsigned all = (1u << rank) - 1;
    if ((covered(&lowering_tensors(l)[c.a], &c.a_view) | covered(&lowering_tensors(l)[c.b], &c.b_view)) !=
        all) { /* an axis that neither has: one of them is spread out */
        for (unsigned i = 0; i < MICA_MAX_RANK; i++)
            c.a_view.axis[i] = i < rank ? (int32_t)i : 0;
        c.a = builder_sum(&l->b, &x);
        if (c.a == NO_INDEX)
            return false;
    }
    for (unsigned i = 0; i < rank; i++) {
        c.label_dim[i] = x.dim[i];
        c.out_label[i] = (uint8_t)i;
    }
    const mica_tensor *base = lowering_tensors(l);
    const bound r = range_of_products(bound_of(&base[c.a]), bound_of(&base[c.b]), 1);
    if (r.hi > RANGE_ACC_LIMIT || r.lo < -RANGE_ACC_LIMIT)
        return lowering_fail(l, n, st, MICA_ERR_RANGE, "its products can leave the field");
    *t = builder_contract(&l->b, &c, rank, r);
    return *t != NO_INDEX;
}

/* --- bits of factors --- */

#define FACTOR_BITS   13 /* (2^14 - 1)^2 < 2^28: two saturated factors keep the bound */
#define COMPARED_BITS 15 /* differences of values saturated at twice that have 17 bits and a sign */
#define FACTOR_CELLS  512
#define DIVISOR_BITS  15
#define WIDEN_DEPTH   16
#define POWERS_DEPTH  6 /* squares of squares: the 64th power */

/* The input that node n passes on, with a constant factor, summand or bound at most; GRAPH_NO_VALUE if there
 * is none. */
static uint32_t passed_input(const lowering *l, const graph_node *n) {
    switch ((op_kind)n->kind) {
    case OP_SUB:
        return lowering_is_constant(l, n->in[0]) ? n->in[1] : n->in[0];
    case OP_AVGPOOL:
    case OP_ABS:
    case OP_MOD:
        return n->in[0];
    case OP_MUL:
    case OP_ADD:
    case OP_MAX:
    case OP_MIN:
        for (uint32_t i = 0; n->n_in == 2 && i < 2; i++)
            if (lowering_is_constant(l, n->in[i]))
                return n->in[1 - i];
        return GRAPH_NO_VALUE;
    default:
        return op_moves((op_kind)n->kind) ? n->in[0] : GRAPH_NO_VALUE;
    }
}

/* v and what it is a part or an average of. */
static void widen(lowering *l, uint32_t v, unsigned bits) {
    for (int depth = 0; depth < WIDEN_DEPTH && v != GRAPH_NO_VALUE; depth++) {
        const uint32_t producer = l->g->value[v].producer;
        if (!lowering_is_constant(l, v) && l->g->value[v].dtype == DTYPE_FLOAT && l->bits[v] < bits)
            l->bits[v] = (uint8_t)bits;
        v = producer == UINT32_MAX ? GRAPH_NO_VALUE : passed_input(l, &l->g->node[producer]);
    }
}

/* The smallest divisor has as many bits as other values' largest. */
static unsigned divisor_bits(const lowering *l, uint32_t v) {
    const double least = l->cal->least[v], most = calibration_magnitude(l->cal, v);
    const unsigned limit = l->cal->lo[v] < 0 && l->cal->hi[v] > 0 ? FACTOR_BITS : DIVISOR_BITS;
    const unsigned asked = l->width[v].activation_bits;
    unsigned bits = asked;
    while (bits < limit && least * (double)(INT64_C(1) << (bits - asked)) < most)
        bits++;
    return bits;
}

/* What a selection or a maximum takes from may be much larger than what it yields, and only the latter's
 * range counts: operands get the steps that it asks for. */
static void widen_selected(lowering *l, const graph_node *n) {
    const double seen = calibration_magnitude(l->cal, n->out[0]);
    for (uint32_t i = n->kind == OP_WHERE ? 1 : 0; i < n->n_in && seen > 0; i++) {
        double m = lowering_is_constant(l, n->in[i]) ? 0 : calibration_magnitude(l->cal, n->in[i]);
        const unsigned asked = l->width[n->in[i]].activation_bits;
        unsigned bits = asked;
        for (; m > seen && bits < FACTOR_BITS; bits++)
            m /= 2;
        if (bits > asked)
            widen(l, n->in[i], bits);
    }
}

/* Powers, as products of products: their roots have the steps of small values that the powers leave. */
static void widen_powers(lowering *l, uint32_t v, int depth) {
    const uint32_t p = l->g->value[v].producer;
    const graph_node *n = p == UINT32_MAX ? NULL : &l->g->node[p];
    for (uint32_t i = 0; n && n->kind == OP_MUL && depth < POWERS_DEPTH && i < 2; i++) {
        widen(l, n->in[i], FACTOR_BITS);
        widen_powers(l, n->in[i], depth + 1);
    }
}

/* A classifier: the place of a maximum jumps where two values are close. Few products with weights that are
 * compared, and what they are products of, get as many steps as the maximum's table and the product's bound
 * allow. */
static void widen_compared(lowering *l, uint32_t v) {
    const uint32_t p = l->g->value[v].producer;
    const graph_node *n = p == UINT32_MAX ? NULL : &l->g->node[p];
    if (!n || (n->kind != OP_GEMM && n->kind != OP_MATMUL) || !lowering_is_constant(l, n->in[1]) ||
        graph_elements(&l->g->value[n->in[0]]) > FACTOR_CELLS)
        return;
    widen(l, v, COMPARED_BITS);
    widen(l, n->in[0], FACTOR_BITS);
}

void lowering_widen_factors(lowering *l) {
    for (uint32_t i = 0; i < l->g->n_nodes; i++) {
        const graph_node *n = &l->g->node[i];
        if (!n->removed && (n->kind == OP_ROOT || n->kind == OP_POW))
            widen(l, n->in[0], DIVISOR_BITS);
        if (!n->removed && n->kind == OP_AVGPOOL && graph_attr_int(n, "mica_sum", 0))
            widen_powers(l, n->in[0], 0);
        if (!n->removed && n->kind == OP_POW)
            widen(l, n->in[1], FACTOR_BITS);
        if (!n->removed &&
            (n->kind == OP_WHERE || n->kind == OP_MAX || n->kind == OP_MIN || n->kind == OP_RELU) &&
            graph_elements(&l->g->value[n->out[0]]) <= FACTOR_CELLS)
            widen_selected(l, n);
        if (!n->removed && (n->kind == OP_ARGMAX || n->kind == OP_ARGMIN || n->kind == OP_TOP) &&
            graph_elements(&l->g->value[n->in[0]]) <= FACTOR_CELLS)
            widen_compared(l, n->in[0]);
        if (!n->removed && n->kind == OP_REDUCE_SUM_SQUARE &&
            graph_elements(&l->g->value[n->in[0]]) <= FACTOR_CELLS)
            widen(l, n->in[0], FACTOR_BITS);
        if (!n->removed && n->kind == OP_QUANTIZELINEAR && graph_elements(&l->g->value[n->in[1]]) > 1)
            widen(l, n->in[0], FACTOR_BITS);
        if (n->removed || (n->kind != OP_MUL && n->kind != OP_DIV && n->kind != OP_EINSUM))
            continue;
        const bool constant =
            n->n_in < 2 || lowering_is_constant(l, n->in[0]) || lowering_is_constant(l, n->in[1]);
        if (n->kind == OP_DIV && !lowering_is_constant(l, n->in[1]))
            widen(l, n->in[1], divisor_bits(l, n->in[1]));
        for (unsigned k = 0; k < 2 && !constant && graph_elements(&l->g->value[n->out[0]]) <= FACTOR_CELLS;
             k++)
            widen(l, n->in[k], FACTOR_BITS);
    }
}
