/* Functions of one variable that are made of others. */
#include "expand/expand.h"
#include "graph/onnx_types.h"

static uint32_t last2(expander *x, const char *op, uint32_t a, uint32_t b) {
    expand_last(x);
    return expand_op2(x, op, a, b);
}

/* (e^x -+ e^-x) / 2 */
static uint32_t half_sum(expander *x, const char *op) {
    const uint32_t up = expand_op1(x, "Exp", x->node.in[0]);
    const uint32_t down = expand_op1(x, "Exp", expand_op1(x, "Neg", x->node.in[0]));
    const uint32_t sum = expand_op2(x, op, up, down);
    return last2(x, "Mul", sum, expand_number(x, 0.5));
}

uint32_t expand_sinh(expander *x) {
    return half_sum(x, "Sub");
}

uint32_t expand_cosh(expander *x) {
    return half_sum(x, "Add");
}

/* sign(x) ln(|x| + sqrt(x^2 + 1)): no difference of two large numbers. */
uint32_t expand_asinh(expander *x) {
    const uint32_t v = x->node.in[0], m = expand_op1(x, "Abs", v), one = expand_number(x, 1);
    const uint32_t root = expand_op1(x, "mica.Root", expand_op2(x, "Add", expand_op2(x, "Mul", m, m), one));
    const uint32_t magnitude = expand_op1(x, "Log", expand_op2(x, "Add", m, root));
    return last2(x, "Mul", magnitude, expand_op1(x, "Sign", v));
}

/* ln(1 + d + sqrt(d (d + 2))) with d = max(x - 1, 0): rounding leaves no root of a negative number. */
uint32_t expand_acosh(expander *x) {
    const uint32_t one = expand_number(x, 1), two = expand_number(x, 2);
    const uint32_t d = expand_op1(x, "Relu", expand_op2(x, "Sub", x->node.in[0], one));
    const uint32_t root = expand_op1(x, "mica.Root", expand_op2(x, "Mul", d, expand_op2(x, "Add", d, two)));
    const uint32_t sum = expand_op2(x, "Add", expand_op2(x, "Add", d, one), root);
    expand_last(x);
    return expand_op1(x, "Log", sum);
}

/* (ln(1 + x) - ln(1 - x)) / 2 */
uint32_t expand_atanh(expander *x) {
    const uint32_t one = expand_number(x, 1);
    const uint32_t above = expand_op1(x, "Log", expand_op2(x, "Add", x->node.in[0], one));
    const uint32_t below = expand_op1(x, "Log", expand_op2(x, "Sub", one, x->node.in[0]));
    const uint32_t difference = expand_op2(x, "Sub", above, below);
    return last2(x, "Mul", difference, expand_number(x, 0.5));
}

/* -1 - x, or for unsigned integers of w bits 2^w - 1 - x. */
uint32_t expand_bitwise_not(expander *x) {
    const int type = x->g->value[x->node.in[0]].onnx_dtype;
    const int64_t all = onnx_type_signed(type) ? -1 : (INT64_C(1) << onnx_type_bits(type)) - 1;
    const uint32_t ones = expand_integer_of(x, type, all);
    return last2(x, "Sub", ones, x->node.in[0]);
}
