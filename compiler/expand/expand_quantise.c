/* QuantizeLinear and DequantizeLinear with scales or zero points that are no constants, DequantizeLinear with
 * several scales, and DynamicQuantizeLinear: elementwise quotients, products and sums, and one QuantizeLinear
 * by 1 that rounds. */
#include "expand/expand.h"

#include <stdlib.h>

#include "graph/onnx_types.h"
#include "ops/quantise.h"

#define NONE       GRAPH_NO_VALUE
#define EIGHT_BITS 8
#define WIDE_BITS  10 /* the sum with a zero point of 8 bits saturates where the quotient alone does */

static bool computed(const graph *g, const graph_node *n, uint32_t i) {
    const graph_value *v = op_in(g, n, i);
    return v && !graph_is_const(v);
}

bool expand_quantise_applies(const graph *g, const graph_node *n) {
    return computed(g, n, 1) || computed(g, n, 2);
}

bool expand_dequantise_applies(const graph *g, const graph_node *n) {
    return expand_quantise_applies(g, n) || graph_elements(&g->value[n->in[1]]) > 1;
}

static uint32_t exact_cast(expander *x, uint32_t v, int type) {
    if (v == NONE)
        return v;
    if (x->g->value[v].onnx_dtype == type)
        return v;
    expand_int(x, "mica_exact", 1);
    expand_int(x, "to", type);
    return expand_op1(x, "Cast", v);
}

/* v / 1, rounded and saturated. bits: of a range of its own; 0: that of the type. */
static uint32_t round_to(expander *x, uint32_t v, int type, int bits) {
    const uint32_t one = expand_number(x, 1);
    if (v == NONE)
        return v;
    expand_int(x, "output_dtype", type);
    if (bits)
        expand_int(x, "mica_bits", bits);
    return expand_op2(x, "QuantizeLinear", v, one);
}

/* --- constant scales and zero points --- */

/* Integers held as reals, less the zero points: nothing is rounded. */
static uint32_t less_zeros(expander *x, const quantise_points *p) {
    bool none = true;
    for (size_t i = 0; i < p->n; i++)
        none &= p->zero[i] == 0;
    const uint32_t v = exact_cast(x, x->node.in[0], ONNX_FLOAT);
    return none ? v : expand_op2(x, "Sub", v, expand_reals(x, p->rank, p->dim, p->zero));
}

static uint32_t dequantise_by_constants(expander *x) {
    quantise_points p;
    if (!quantise_points_create(&p, x->g, &x->node, x->st))
        return NONE;
    const uint32_t v = less_zeros(x, &p), scales = expand_reals(x, p.rank, p.dim, p.scale);
    quantise_points_free(&p);
    expand_last(x);
    return expand_op2(x, "Mul", v, scales);
}

/* --- those that are computed or given at run time --- */

/* Scales or zero points v in a shape that broadcasts to the input: a scalar, or along one axis. */
static uint32_t aligned(expander *x, uint32_t v) {
    const uint32_t rank = op_in(x->g, &x->node, 0)->rank;
    const graph_value s = x->g->value[v];
    int64_t dim[GRAPH_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    uint32_t axis;
    if (graph_elements(&s) == 1)
        return s.rank == 0 ? v : expand_reshape(x, v, 0, dim);
    if (s.rank != 1) {
        (void)op_fail(x->g, &x->node, x->st, MICA_ERR_UNSUPPORTED,
                      "blocks with scales or zero points that are no constants");
        return NONE;
    }
    if (!op_axis(x->g, &x->node, "axis", 1, rank, 0, &axis, x->st))
        return NONE;
    dim[0] = s.dim[0];
    return expand_reshape(x, v, rank - axis, dim);
}

/* Zero points as int32; NONE if there are none, or an error is recorded. */
static uint32_t zero_points(expander *x) {
    if (!op_in(x->g, &x->node, 2))
        return NONE;
    const uint32_t v = aligned(x, x->node.in[2]);
    if (v == NONE || !graph_is_const(&x->g->value[v]))
        return exact_cast(x, v, ONNX_INT32);
    graph_value copy = x->g->value[v]; /* a value of its own */
    const uint32_t made = expand_reshape(x, v, copy.rank, copy.dim);
    if (made != NONE)
        x->g->value[made].onnx_dtype = ONNX_INT32;
    return made;
}

/* saturate(round(v) + zero points) */
static uint32_t round_and_shift(expander *x, uint32_t v) {
    const int type = x->g->value[x->node.out[0]].onnx_dtype;
    const uint32_t zero = zero_points(x);
    if (x->st->code != MICA_OK)
        return NONE;
    if (zero == NONE) {
        expand_last(x);
        return round_to(x, v, type, 0);
    }
    if (onnx_type_bits(type) > EIGHT_BITS) {
        (void)op_fail(x->g, &x->node, x->st, MICA_ERR_UNSUPPORTED,
                      "zero points of 16 bits with scales or zero points that are no constants");
        return NONE;
    }
    const uint32_t rounded = exact_cast(x, round_to(x, v, ONNX_INT16, WIDE_BITS), ONNX_INT32);
    const uint32_t sum = expand_op2(x, "Add", rounded, zero);
    expand_last(x);
    return round_to(x, sum, type, 0);
}

uint32_t expand_quantise(expander *x) {
    const uint32_t v = exact_cast(x, x->node.in[0], op_in(x->g, &x->node, 1)->onnx_dtype);
    const uint32_t scale = aligned(x, x->node.in[1]);
    expand_int(x, "mica_zero", 1);
    return round_and_shift(x, expand_op2(x, "Div", v, scale));
}

uint32_t expand_dequantise(expander *x) {
    if (!expand_quantise_applies(x->g, &x->node))
        return dequantise_by_constants(x);
    uint32_t v = exact_cast(x, x->node.in[0], ONNX_INT32);
    const uint32_t zero = zero_points(x), scale = aligned(x, x->node.in[1]);
    if (x->st->code != MICA_OK)
        return NONE;
    if (zero != NONE)
        v = expand_op2(x, "Sub", v, zero);
    v = exact_cast(x, v, x->g->value[scale].onnx_dtype);
    expand_last(x);
    return expand_op2(x, "Mul", v, scale);
}

/* --- DynamicQuantizeLinear --- */

/* The least and the largest element, or 0 beyond them. */
static uint32_t extreme(expander *x, const char *reduce, const char *with_zero) {
    expand_int(x, "keepdims", 0);
    const uint32_t v = expand_op1(x, reduce, x->node.in[0]);
    return expand_op2(x, with_zero, v, expand_number(x, 0));
}

#define STEPS 255 /* of uint8 */

uint32_t expand_dynamic_quantise(expander *x) {
    const uint32_t low = extreme(x, "ReduceMin", "Min"), high = extreme(x, "ReduceMax", "Max");
    const uint32_t range = expand_op2(x, "Sub", high, low), steps = expand_number(x, STEPS);
    if (op_part(&x->node) == 1) {
        expand_last(x);
        return expand_op2(x, "Mul", range, expand_number(x, 1.0 / STEPS));
    }
    const uint32_t depth = expand_op1(x, "Neg", low);
    expand_int(x, "mica_zero", 1); /* all zeros: quotients are 0 */
    const uint32_t share = expand_op2(x, "Div", depth, range);
    const uint32_t point = expand_op2(x, "Mul", share, steps);
    if (op_part(&x->node) == 2) {
        expand_last(x);
        return round_to(x, point, ONNX_UINT8, 0);
    }
    const uint32_t zero = exact_cast(x, round_to(x, point, ONNX_UINT8, 0), ONNX_INT32);
    expand_int(x, "mica_zero", 1);
    const uint32_t part = expand_op2(x, "Div", x->node.in[0], range);
    const uint32_t rounded = round_to(x, expand_op2(x, "Mul", part, steps), ONNX_INT16, WIDE_BITS);
    const uint32_t sum = expand_op2(x, "Add", exact_cast(x, rounded, ONNX_INT32), zero);
    expand_last(x);
    return round_to(x, sum, ONNX_UINT8, 0);
}
