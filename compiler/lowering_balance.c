#include "lowering_balance.h"

#include <math.h>

#include "ops/ops.h"
#include "range.h"

#define FEWEST_BITS 6
#define DEPTH       24   /* of what is followed from a layer's input to where it is computed */
#define HEAD_ROOM   1.25 /* as in the tables */

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

/* With steps d of the input and e of the weights the bound says d e >= q; the errors that d and e cause are
 * to each other as d / rms(input) and e / rms(weights), and equal for d = sqrt(q rms(input) / rms(weights)).
 */
static void balance(lowering *l, uint32_t v, const weight_rows *r) {
    const double magnitude = calibration_magnitude(l->cal, v);
    double sum, rms, top = 0;
    measure_rows(r, l->cal->lo[v] < 0, &sum, &rms);
    for (uint64_t i = 0; i < r->outer * r->rows * r->inner; i++)
        top = fabs(r->w[i]) > top ? fabs(r->w[i]) : top;
    if (!(magnitude > 0 && l->cal->rms[v] > 0 && rms > 0))
        return;
    const double q = sum * magnitude * HEAD_ROOM / (double)RANGE_WEIGHTED_LIMIT;
    const double d = magnitude / (double)(UINT32_C(1) << l->bits[v]);
    const double e = top / (double)(UINT32_C(1) << (l->opt.weight_bits - 1));
    if (d * e >= q)
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
            balance(l, input, &r);
    }
}
