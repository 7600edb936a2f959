/* Operators on the bits of integers, and IsInf. */
#include <math.h>
#include <string.h>

#include "expand/expand.h"
#include "graph/onnx_types.h"

#define MOST_BITS 28 /* of integers that the circuit holds (lowering_ports.c) */

static uint32_t last2(expander *x, const char *op, uint32_t a, uint32_t b) {
    expand_last(x);
    return expand_op2(x, op, a, b);
}

static uint32_t cast(expander *x, uint32_t v, int type) {
    expand_int(x, "to", type);
    return expand_op1(x, "Cast", v);
}

/* --- BitwiseAnd, BitwiseOr, BitwiseXor --- */

static unsigned bits_of(int type) {
    return onnx_type_bits(type) < MOST_BITS ? onnx_type_bits(type) : MOST_BITS;
}

/* v as an int64 >= 0 whose bits are v's, but for the sign's, which is turned over. */
static uint32_t biased(expander *x, uint32_t v, int type) {
    const uint32_t wide = cast(x, v, ONNX_INT64);
    return onnx_type_signed(type)
               ? expand_op2(x, "Add", wide, expand_integer(x, INT64_C(1) << (bits_of(type) - 1)))
               : wide;
}

/* Bit 0 of *v >= 0, and *v := floor(*v / 2). */
static uint32_t next_bit(expander *x, uint32_t *v) {
    const uint32_t two = expand_integer(x, 2), bit = expand_op2(x, "Mod", *v, two);
    *v = expand_op2(x, "Div", *v, two);
    return bit;
}

/* a & b as an integer of their type: bit by bit, the sign's bit with a negative weight. */
static uint32_t common_bits(expander *x, int type) {
    const unsigned bits = bits_of(type);
    uint32_t a = biased(x, x->node.in[0], type), b = biased(x, x->node.in[1], type), sum = GRAPH_NO_VALUE;
    for (unsigned i = 0; i < bits && x->st->code == MICA_OK; i++) {
        const bool sign = onnx_type_signed(type) && i + 1 == bits;
        uint32_t p = next_bit(x, &a), q = next_bit(x, &b);
        if (sign) {
            p = expand_op2(x, "Sub", expand_integer(x, 1), p);
            q = expand_op2(x, "Sub", expand_integer(x, 1), q);
        }
        const uint32_t weight = expand_integer(x, (sign ? -1 : 1) * (INT64_C(1) << i));
        const uint32_t term = expand_op2(x, "Mul", expand_op2(x, "Mul", p, q), weight);
        sum = i == 0 ? term : expand_op2(x, "Add", sum, term);
    }
    return cast(x, sum, type);
}

uint32_t expand_bitwise(expander *x) {
    const uint32_t a = x->node.in[0], b = x->node.in[1];
    const uint32_t both = common_bits(x, op_in(x->g, &x->node, 0)->onnx_dtype);
    if (x->node.kind == OP_BITWISEAND) {
        expand_last(x);
        return expand_op1(x, "Identity", both);
    }
    const uint32_t only_b = expand_op2(x, "Sub", b, both);
    const uint32_t rest = x->node.kind == OP_BITWISEOR ? a : expand_op2(x, "Sub", a, both);
    return last2(x, "Add", rest, only_b);
}

/* --- BitShift --- */

/* 2^n for the low three bits of n, as a product of 1 + b_i (2^(2^i) - 1). */
static uint32_t small_power(expander *x, uint32_t n) {
    uint32_t power = GRAPH_NO_VALUE;
    for (unsigned i = 0; i < 3; i++) {
        const uint32_t more = expand_integer(x, (INT64_C(1) << (1u << i)) - 1);
        const uint32_t factor =
            expand_op2(x, "Add", expand_op2(x, "Mul", next_bit(x, &n), more), expand_integer(x, 1));
        power = i == 0 ? factor : expand_op2(x, "Mul", power, factor);
    }
    return power;
}

/* A quotient by 2^n, or the low bits of a product with it. Of 8 bits, n can be any number that the type
 * holds, and from 8 on nothing is left. */
uint32_t expand_bitshift(expander *x) {
    const graph_value v = *op_in(x->g, &x->node, 0);
    const bool left = !strcmp(graph_attr_string(&x->node, "direction", ""), "LEFT");
    const uint32_t a = cast(x, x->node.in[0], ONNX_INT64), n = cast(x, x->node.in[1], ONNX_INT64);
    const bool narrow = onnx_type_bits(v.onnx_dtype) == 8;
    const uint32_t factor = narrow ? small_power(x, n) : expand_op2(x, "Pow", expand_integer(x, 2), n);
    uint32_t y = expand_op2(x, left ? "Mul" : "Div", a, factor);
    if (narrow) {
        const uint32_t stays = cast(x, expand_op2(x, "Less", n, expand_integer(x, 8)), ONNX_INT64);
        y = expand_op2(x, "Mul", y, stays);
    }
    expand_int(x, "to", v.onnx_dtype);
    expand_last(x);
    return expand_op1(x, "Cast", y);
}

/* --- IsInf --- */

/* Comparisons with infinities, which stand for masks (masks.c). */
uint32_t expand_isinf(expander *x) {
    const bool positive = graph_attr_int(&x->node, "detect_positive", 1) != 0,
               negative = graph_attr_int(&x->node, "detect_negative", 1) != 0;
    const uint32_t v = x->node.in[0];
    const uint32_t above = expand_number(x, INFINITY), below = expand_number(x, -INFINITY);
    if (positive && negative) {
        const uint32_t high = expand_op2(x, "Equal", v, above), low = expand_op2(x, "Equal", v, below);
        return last2(x, "Or", high, low);
    }
    if (positive || negative)
        return last2(x, "Equal", v, positive ? above : below);
    return last2(x, "Less", v, v); /* never */
}
