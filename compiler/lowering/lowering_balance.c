#include "lowering/lowering_balance.h"

#include <math.h>

#include "lowering/lowering_join.h"
#include "lowering/range.h"
#include "ops/ops.h"

#define FEWEST_BITS 6
#define DEPTH       24   /* of what is followed from a layer's input to where it is computed */
#define HEAD_ROOM   1.25 /* as in the tables */
#define JOINED_ROOM                                                                                          \
    8 /* of values that are joined from parts: each saturates by its own magnitude and scale */

/* Weights as rows of one result each: element (outer, row, inner) at (outer * rows + row) * inner_size +
 * inner.
 */
typedef struct weight_rows {
    const double *w;
    uint64_t outer, rows, inner;
} weight_rows;

/* The rows of node n's constant operand, and its other operand; false if it is no product with weights. */
static bool rows_of(const graph *g, const graph_node *n, weight_rows *r, uint32_t *input) {
    unsigned c = 1, axis;
    switch (n->kind) {
    case OP_CONV:
        axis = 0;
        break;
    case OP_CONVTRANSPOSE:
        axis = 1;
        break;
    case OP_GEMM:
    case OP_MATMUL: {
        const bool right = graph_is_const(&g->value[n->in[1]]);
        const uint32_t rank = g->value[n->in[right]].rank;
        const char *transposed = right ? "transB" : "transA";
        const bool flip = n->kind == OP_GEMM && graph_attr_int(n, transposed, 0) != 0;
        c = right;
        axis = rank == 0 ? 0 : rank - (right != flip || rank == 1 ? 1 : 2);
        break;
    }
    default:
        return false;
    }
    const graph_value *w = &g->value[n->in[c]];
    if (!w->real || graph_is_const(&g->value[n->in[!c]]) || w->rank == 0)
        return false;
    *r = (weight_rows){w->real, 1, (uint64_t)w->dim[axis], 1};
    for (unsigned i = 0; i < w->rank; i++) {
        r->outer *= i < axis ? (uint64_t)w->dim[i] : 1;
        r->inner *= i > axis ? (uint64_t)w->dim[i] : 1;
    }
    *input = n->in[!c];
    return true;
}

/* Largest sum over a row of what its accumulator is made of, per unit of the input's magnitude; the root of
 * the mean square of all weights. */
static void measure_rows(const weight_rows *r, bool signed_input, double *sum, double *rms) {
    double squares = 0;
    *sum = 0;
    for (uint64_t row = 0; row < r->rows; row++) {
        double up = 0, down = 0;
        for (uint64_t o = 0; o < r->outer; o++) {
            const double *w = r->w + (o * r->rows + row) * r->inner;
            for (uint64_t i = 0; i < r->inner; i++) {
                up += w[i] > 0 ? w[i] : 0;
                down -= w[i] < 0 ? w[i] : 0;
                squares += w[i] * w[i];
            }
        }
        const double reach = signed_input ? up + down : up > down ? up : down;
        *sum = reach > *sum ? reach : *sum;
    }
    *rms = sqrt(squares / ((double)r->outer * (double)r->rows * (double)r->inner));
}

static bool passes_on(const graph_node *n) {
    return op_moves((op_kind)n->kind) || n->kind == OP_MAXPOOL;
}

/* Range over magnitude of value v, about: that of tables, or of what is joined on the way to v. */
static double head_room(const graph *g, uint32_t v) {
    for (unsigned depth = 0; depth < DEPTH && g->value[v].producer != UINT32_MAX; depth++) {
        const graph_node *n = &g->node[g->value[v].producer];
        if (n->kind == OP_CONCAT)
            return JOINED_ROOM;
        if (!passes_on(n))
            break;
        v = n->in[0];
    }
    return HEAD_ROOM;
}

static void limit_bits(lowering *l, uint32_t v, unsigned bits, unsigned depth) {
    if (depth == DEPTH || v == GRAPH_NO_VALUE || graph_is_const(&l->g->value[v]) ||
        l->g->value[v].dtype != DTYPE_FLOAT)
        return;
    if (l->bits[v] > bits)
        l->bits[v] = (uint8_t)bits;
    l->tight[v] = true;
    const uint32_t producer = l->g->value[v].producer;
    if (producer == UINT32_MAX || !passes_on(&l->g->node[producer]))
        return;
    const graph_node *n = &l->g->node[producer];
    for (uint32_t i = 0; i < n->n_in; i++)
        limit_bits(l, n->in[i], bits, depth + 1);
}

/* What limits the steps d of a layer's input and e of its weights, and the errors that they cause, which are
 * to each other as d / rms(input) and e / rms(weights). */
typedef struct limits {
    double magnitude;      /* of the input */
    double input, weights; /* root mean squares */
    double weight_step;    /* the finest that is asked for */
    double product;        /* the bound says d e >= product */
    double low;            /* with weights of two limbs d^2 e >= low */
    unsigned bits;         /* of the input, at most */
} limits;

static double input_step(const limits *m, unsigned bits) {
    return m->magnitude / (double)(UINT32_C(1) << bits);
}

/* The square of the error with an input of this many bits, and weights as fine as that leaves them. */
static double error_of(const limits *m, unsigned bits, bool split) {
    const double d = input_step(m, bits), least = split ? m->low / (d * d) : m->product / d;
    const double e = least > m->weight_step ? least : m->weight_step;
    return d * d / (m->input * m->input) + e * e / (m->weights * m->weights);
}

/* The bits with the least error; *error is its square. */
static unsigned best_bits(const limits *m, bool split, double *error) {
    unsigned best = m->bits;
    *error = error_of(m, best, split);
    for (unsigned bits = m->bits; bits > FEWEST_BITS; bits--)
        if (error_of(m, bits - 1, split) < *error) {
            best = bits - 1;
            *error = error_of(m, best, split);
        }
    return best;
}

/* Weights of two limbs where they halve the error at least. With low limbs in [-2^(k-1), 2^(k-1)), 2^(k-2) in
 * the mean, the bounds on both accumulators, sum M H <= d e 2^k limit and terms 2^(k-2) M H <= d limit,
 * multiply to one that does not depend on k: sum terms (M H)^2 / 4 <= d^2 e limit^2. */
static bool balance_split(lowering *l, uint32_t node, uint32_t v, const limits *m) {
    double whole, split;
    (void)best_bits(m, false, &whole);
    const unsigned bits = best_bits(m, true, &split);
    if (!l->width[l->g->node[node].out[0]].split || whole < 4 * split)
        return false;
    l->split[node] = true;
    limit_bits(l, v, bits, 0);
    return true;
}

/* With steps d of the input and e of the weights the bound says d e >= q; the errors are equal for
 * d = sqrt(q rms(input) / rms(weights)). */
static void balance(lowering *l, uint32_t node, uint32_t v, const weight_rows *r) {
    const double magnitude = lowering_magnitude(l, v);
    double sum, rms, top = 0;
    measure_rows(r, l->cal->lo[v] < 0, &sum, &rms);
    for (uint64_t i = 0; i < r->outer * r->rows * r->inner; i++)
        top = fabs(r->w[i]) > top ? fabs(r->w[i]) : top;
    if (!(magnitude > 0 && l->cal->rms[v] > 0 && rms > 0))
        return;
    const double limit = (double)lowering_acc_limit(l, &l->g->node[node]);
    const double reach = sum * magnitude / limit, q = reach * HEAD_ROOM;
    const double d = magnitude / (double)(UINT32_C(1) << l->bits[v]);
    const double e = top / (double)(UINT32_C(1) << (l->width[l->g->node[node].out[0]].weight_bits - 1));
    const double room = head_room(l->g, v), terms = (double)(r->outer * r->inner);
    const limits m = {.magnitude = magnitude,
                      .input = l->cal->rms[v],
                      .weights = rms,
                      .weight_step = e,
                      .product = q,
                      .low = reach * room * magnitude * room / limit * terms / 4,
                      .bits = l->bits[v]};
    if (d * e >= q || balance_split(l, node, v, &m))
        return;
    const double balanced = sqrt(q * l->cal->rms[v] / rms);
    /* What the weights do not use is the input's. */
    const double unit = q / e > balanced ? balanced : q / e;
    unsigned bits = FEWEST_BITS;
    while (bits < l->bits[v] && magnitude / (double)(UINT32_C(1) << bits) > unit * 1.4142135623730951)
        bits++;
    limit_bits(l, v, bits, 0);
}

void balance_widths(lowering *l) {
    for (uint32_t i = 0; i < l->g->n_nodes; i++) {
        const graph_node *n = &l->g->node[i];
        weight_rows r;
        uint32_t input;
        if (!n->removed && rows_of(l->g, n, &r, &input))
            balance(l, i, input, &r);
    }
}
