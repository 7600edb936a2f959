/* Elementwise operators of several operands, comparisons, logic, reductions, quotients: lowered and run
 * against the float reference; integers and truth values exactly.
 */
#define _GNU_SOURCE
#include "lowering_kit.h"

static uint32_t number_int(net *t, int64_t x) {
    const uint32_t v = shape_constant(t, 1, &x);
    t->g.value[v].onnx_dtype = ONNX_INT32;
    return v;
}

static void sums(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 4, 5)), y = input(t, SHAPE(1, 3, 1, 5)),
                   z = input(t, SHAPE(1, 1, 4, 1));
    const uint32_t c = constant(t, 1, 0.5, SHAPE(3, 1, 1));
    output(t, op(t, "Sum", 1, x));
    output(t, op(t, "Sum", 4, y, x, z, c));
    output(t, op(t, "Mean", 3, z, y, x));
    output(t, op(t, "Mean", 3, c, constant(t, 0, 2, SHAPE(1, 3, 4, 1)), z));
    output(t, op(t, "Relu", 1, op(t, "Sum", 3, op(t, "Mul", 2, x, y), z, x)));
}

static void sums_of_other_splits(net *t) {
    with_ints(t, "perm", SHAPE(0, 2, 3, 1));
    const uint32_t a = op(t, "Transpose", 1, input(t, SHAPE(1, 2, 3, 4)));
    const uint32_t x = op(t, "Flatten", 1, a), y = input(t, SHAPE(1, 24));
    output(t, op(t, "Sum", 3, x, y, x));
    output(t, op(t, "Max", 2, x, y));
    output(t, op(t, "Mul", 2, x, y));
}

/* Steps that differ by a factor of 2^30, as operands or as what they become. */
static void sums_of_large_and_small(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 4)), y = input(t, SHAPE(1, 3, 4));
    const uint32_t small = op(t, "Mul", 2, y, number(t, 1e-9));
    output(t, op(t, "Add", 2, x, small));
    output(t, op(t, "Sub", 2, small, op(t, "Tanh", 1, x)));
    output(t, op(t, "Sum", 4, small, x, op(t, "Mul", 2, small, y), y));
    output(t, op(t, "Add", 2, small, op(t, "Mul", 2, small, x)));
}

/* What is always 0 takes no resolution from what it is added to. */
static void sums_with_nothing(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 4)), none = op(t, "Mul", 2, x, number(t, 0));
    const uint32_t fine = op(t, "Mul", 2, op(t, "Mul", 2, none, x), number(t, 0x1p-30));
    output(t, op(t, "Sub", 2, x, fine));
    output(t, op(t, "Add", 2, fine, x));
}

static void extrema(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 4, 5)), y = input(t, SHAPE(1, 3, 1, 5));
    const uint32_t wide = op(t, "Mul", 2, y, number(t, 7));
    output(t, op(t, "Max", 2, x, y));
    output(t, op(t, "Min", 2, x, wide));
    output(t, op(t, "Max", 3, wide, x, constant(t, 0, 1, SHAPE(4, 1))));
    output(t, op(t, "Min", 4, x, y, number(t, 0.25), x));
    output(t, op(t, "Max", 1, x));
    output(t, op(t, "Min", 2, x, number(t, 1e9)));
}

static void numbers(net *t) { /* of rank 0 */
    const int64_t none[1] = {0};
    const uint32_t x = int_input(t, ONNX_INT32, 0, none), y = int_input(t, ONNX_INT32, 0, none);
    output(t, op(t, "Mul", 2, x, y));
    output(t, op(t, "Max", 2, x, y));
    output(t, op(t, "Where", 3, op(t, "Greater", 2, x, y), x, y));
}

static void integers(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(1, 3, 4)), y = int_input(t, ONNX_INT32, SHAPE(1, 1, 4));
    const uint32_t c = shape_constant(t, SHAPE(3, -4, 100, 0));
    t->g.value[c].onnx_dtype = ONNX_INT32;
    output(t, op(t, "Add", 2, x, y));
    output(t, op(t, "Sub", 2, c, x));
    output(t, op(t, "Mul", 2, x, y));
    output(t, op(t, "Mul", 2, c, op(t, "Add", 2, x, c)));
    output(t, op(t, "Max", 3, x, y, c));
    output(t, op(t, "Min", 2, op(t, "Mul", 2, x, y), c));
    output(t, op(t, "Where", 3, op(t, "Less", 2, x, y), x, c));
}

static void comparisons(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(1, 3, 9)), y = int_input(t, ONNX_INT32, SHAPE(1, 1, 9));
    const uint32_t c = shape_constant(t, SHAPE(3, -4, 1, 0, 1, 2, -3, 5, 90));
    t->g.value[c].onnx_dtype = ONNX_INT32;
    static const char *const types[] = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"};
    for (unsigned i = 0; i < 5; i++) {
        output(t, op(t, types[i], 2, x, y));
        output(t, op(t, types[i], 2, x, c));
        output(t, op(t, types[i], 2, c, op(t, "Mul", 2, x, x)));
    }
    output(t, op(t, "Equal", 2, x, x));
    output(t, op(t, "Greater", 2, x, x));
}

static void comparisons_of_reals(net *t) {
    const uint32_t x = input(t, SHAPE(1, 30, 9)), y = input(t, SHAPE(1, 1, 9));
    const uint32_t wide = op(t, "Mul", 2, x, y);
    output(t, op(t, "Greater", 2, x, y));
    output(t, op(t, "LessOrEqual", 2, wide, op(t, "Mul", 2, x, number(t, 0.3))));
    output(t, op(t, "Less", 2, x, number(t, 0.1)));
}

static void logic(net *t) {
    const uint32_t x = int_input(t, ONNX_BOOL, SHAPE(1, 3, 9)), y = int_input(t, ONNX_BOOL, SHAPE(1, 1, 9));
    const uint32_t c = shape_constant(t, SHAPE(1, 0, 1, 0, 1, 1, 1, 0, 0));
    t->g.value[c].onnx_dtype = ONNX_BOOL;
    static const char *const types[] = {"And", "Or", "Xor"};
    uint32_t all = x;
    for (unsigned i = 0; i < 3; i++) {
        output(t, op(t, types[i], 2, x, y));
        output(t, op(t, types[i], 2, c, y));
        all = op(t, types[i], 2, op(t, "Not", 1, all), op(t, "Xor", 2, y, op(t, "Not", 1, c)));
        output(t, all);
    }
    output(t, op(t, "Equal", 2, x, y));
}

static void where_reals(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 1, 5)),
                   y = op(t, "Mul", 2, input(t, SHAPE(1, 1, 4, 5)), number(t, 3));
    const uint32_t b = int_input(t, ONNX_BOOL, SHAPE(1, 3, 4, 1));
    output(t, op(t, "Where", 3, b, x, y));
    output(t, op(t, "Where", 3, b, constant(t, 0, 2, SHAPE(4, 5)), x));
    output(t, op(t, "Where", 3, b, number(t, 1), constant(t, 0, 2, SHAPE(4, 5))));
    const uint32_t c = shape_constant(t, SHAPE(1, 0, 1, 0));
    t->g.value[c].onnx_dtype = ONNX_BOOL;
    t->g.value[c].rank = 2;
    t->g.value[c].dim[1] = 1;
    output(t, op(t, "Where", 3, c, x, y));
}

/* A mask must not cost the activations their resolution. */
static void where_mask(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 7)), b = int_input(t, ONNX_BOOL, SHAPE(1, 3, 7));
    output(t, op(t, "Softmax", 1, op(t, "Where", 3, b, x, number(t, -1e9))));
}

static void reductions(net *t) {
    const uint32_t x = op(t, "Mul", 2, input(t, SHAPE(1, 3, 4, 5)), input(t, SHAPE(1, 1, 1, 1)));
    const uint32_t square = op(t, "Mul", 2, x, x);
    static const char *const types[] = {"ReduceSum", "ReduceMean", "ReduceMax",
                                        "ReduceMin", "ReduceL1",   "ReduceSumSquare"};
    t->g.opset = 11;
    for (unsigned i = 0; i < 6; i++) {
        with_ints(t, "axes", SHAPE(-1, 1));
        with_int(t, "keepdims", i & 1);
        output(t, op(t, types[i], 1, x));
        with_ints(t, "axes", SHAPE(2));
        with_int(t, "keepdims", !(i & 1));
        output(t, op(t, types[i], 1, square));
        with_ints(t, "axes", SHAPE(1, 2, 3));
        with_int(t, "keepdims", 0);
        output(t, op(t, types[i], 1, x));
    }
}

static void reductions_of_lists(net *t) {
    const uint32_t x = input(t, SHAPE(4, 1, 3));
    t->g.opset = 18;
    output(t, op(t, "ReduceSum", 2, x, shape_constant(t, SHAPE(0))));
    with_int(t, "noop_with_empty_axes", 1);
    output(t, op(t, "ReduceMax", 1, x));
    output(t, op(t, "ReduceMin", 1, x));
    with_int(t, "noop_with_empty_axes", 1);
    output(t, op(t, "ReduceSumSquare", 1, x));
}

static void reductions_of_integers(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(1, 3, 7));
    static const char *const types[] = {"ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare"};
    for (unsigned i = 0; i < 5; i++) {
        with_ints(t, "axes", SHAPE(2));
        output(t, op(t, types[i], 1, x));
    }
}

/* 2^14 squares do not fit at full width. */
static void wide_sum_of_squares(net *t) {
    const uint32_t x = op(t, "Mul", 2, input(t, SHAPE(1, 128, 128)), input(t, SHAPE(1, 1, 1)));
    with_ints(t, "axes", SHAPE(1, 2));
    output(t, op(t, "ReduceSumSquare", 1, x));
}

static void places(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(1, 5, 13)); /* many ties */
    static const char *const types[] = {"ArgMax", "ArgMin"};
    for (unsigned i = 0; i < 8; i++) {
        with_int(t, "axis", i & 1 ? -1 : 1);
        with_int(t, "keepdims", i & 1);
        with_int(t, "select_last_index", i >> 1 & 1);
        output(t, op(t, types[i >> 2], 1, x));
    }
}

static void places_of_reals(net *t) {
    const uint32_t x = input(t, SHAPE(1, 5, 6, 1));
    with_int(t, "axis", 2);
    output(t, op(t, "ArgMax", 1, x));
    with_int(t, "axis", 3);
    output(t, op(t, "ArgMin", 1, x));
    with_int(t, "axis", 1);
    output(t, op(t, "Hardmax", 1, op(t, "Mul", 2, x, number(t, 2))));
    with_int(t, "axis", -1);
    output(t, op(t, "Hardmax", 1, x));
    output(t, x);
}

static void hardmax_flattened(net *t) {
    t->g.opset = 11;
    output(t, op(t, "Hardmax", 1, input(t, SHAPE(1, 3, 5))));
}

static void quotients(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 4, 5)), y = input(t, SHAPE(1, 3, 4, 5)),
                   r = input(t, SHAPE(1, 3, 1, 1));
    const uint32_t above = op(t, "Add", 2, y, number(t, 1.5)), below = op(t, "Sub", 2, r, number(t, 2));
    output(t, op(t, "Div", 2, x, above));
    output(t, op(t, "Div", 2, number(t, 3), above));
    output(t, op(t, "Div", 2, x, op(t, "Add", 2, r, number(t, 1.1)))); /* a reciprocal per row */
    output(t, op(t, "Div", 2, x, below));
    output(t, op(t, "Div", 2, constant(t, 1, 4, SHAPE(4, 5)), below));
    output(t, op(t, "Div", 2, x, number(t, -3)));
    output(t, op(t, "Div", 2, x, constant(t, 3, 1, SHAPE(4, 1))));
}

static void quotients_of_both_signs(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 4)), y = input(t, SHAPE(1, 3, 4));
    const uint32_t far = op(t, "Where", 3, op(t, "Greater", 2, y, number(t, 0)),
                            op(t, "Add", 2, y, number(t, 0.5)), op(t, "Sub", 2, y, number(t, 0.5)));
    output(t, op(t, "Div", 2, x, far));
}

static void quotients_of_integers(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(1, 3, 9)), y = int_input(t, ONNX_INT32, SHAPE(1, 1, 9));
    const uint32_t c = shape_constant(t, SHAPE(3, -4, 1, 7, 1, 2, -3, 5, 90));
    const uint32_t square = op(t, "Mul", 2, y, y);
    t->g.value[c].onnx_dtype = ONNX_INT32;
    output(t, op(t, "Div", 2, x, c));
    output(t, op(t, "Div", 2, op(t, "Mul", 2, x, y), c));
    output(t, op(t, "Div", 2, square, op(t, "Max", 2, square, c)));
    for (int64_t fmod = 0; fmod < 2; fmod++) {
        const uint32_t odd = op(t, "Add", 2, op(t, "Mul", 2, y, number_int(t, 2)), number_int(t, 1));
        with_int(t, "fmod", fmod);
        output(t, op(t, "Mod", 2, x, c));
        with_int(t, "fmod", fmod);
        output(t, op(t, "Mod", 2, x, odd));
        with_int(t, "fmod", fmod);
        output(t, op(t, "Mod", 2, square, number_int(t, 5)));
        with_int(t, "fmod", fmod);
        output(t, op(t, "Mod", 2, square, number_int(t, -5)));
    }
}

static void roots(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 9));
    output(t, op(t, "mica.Root", 1, op(t, "Mul", 2, x, x)));
    with_ints(t, "axes", SHAPE(2));
    output(t, op(t, "mica.Root", 1, op(t, "ReduceSumSquare", 1, x)));
}

static void composite_reductions(net *t) {
    const uint32_t x = op(t, "Mul", 2, input(t, SHAPE(1, 3, 4, 5)), input(t, SHAPE(1, 1, 1, 1)));
    const uint32_t near_one = op(t, "Add", 2, op(t, "Mul", 2, x, number(t, 0.5)), number(t, 1));
    static const char *const types[] = {"ReduceL2", "ReduceLogSumExp", "ReduceProd", "ReduceLogSum"};
    t->g.opset = 11;
    for (unsigned i = 0; i < 4; i++) {
        with_ints(t, "axes", SHAPE(2, 1));
        with_int(t, "keepdims", i & 1);
        output(t, op(t, types[i], 1, i < 2 ? x : near_one));
        with_ints(t, "axes", SHAPE(3));
        with_int(t, "keepdims", !(i & 1));
        output(t, op(t, types[i], 1, i < 2 ? x : near_one));
    }
}

static void lp_pools(net *t, uint32_t x, int64_t p) {
    with_int(t, "p", p);
    output(t, op(t, "GlobalLpPool", 1, x));
    with_int(t, "p", p);
    with_ints(t, "kernel_shape", SHAPE(3, 2));
    with_ints(t, "strides", SHAPE(2, 1));
    with_ints(t, "pads", SHAPE(1, 0, 1, 1));
    output(t, op(t, "LpPool", 1, x));
}

static void composite_pools(net *t) {
    const uint32_t x = op(t, "Mul", 2, input(t, SHAPE(1, 3, 6, 7)), input(t, SHAPE(1, 1, 1, 1)));
    output(t, op(t, "GlobalMaxPool", 1, x));
    for (int64_t p = 1; p < 3; p++)
        lp_pools(t, x, p);
}

static void instance_norm(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 6, 7));
    output(t,
           op(t, "InstanceNormalization", 3, x, constant(t, 1, 0.5, SHAPE(3)), constant(t, 0, 1, SHAPE(3))));
    const uint32_t y = op(t, "Add", 2, x, constant(t, 0, 1, SHAPE(3, 1, 7)));
    with_ints(t, "axes", SHAPE(2, 3));
    output(t, op(t, "MeanVarianceNormalization", 1, y));
}

static void layer_norm(net *t) {
    const uint32_t x = op(t, "Gemm", 2, input(t, SHAPE(1, 9)), constant(t, 0, 1, SHAPE(9, 48)));
    output(t,
           op(t, "LayerNormalization", 3, x, constant(t, 1, 0.5, SHAPE(48)), constant(t, 0, 1, SHAPE(48))));
    const uint32_t y = op(t, "Relu", 1, input(t, SHAPE(1, 5, 6)));
    with_int(t, "axis", 1);
    with_float(t, "epsilon", 0.01);
    output(t, op(t, "LayerNormalization", 2, y, number(t, 2)));
}

static void group_norm(net *t) {
    const uint32_t x = input(t, SHAPE(1, 6, 3, 5));
    t->g.opset = 18;
    with_int(t, "num_groups", 2);
    output(t, op(t, "GroupNormalization", 3, x, constant(t, 1, 0.5, SHAPE(2)), constant(t, 0, 1, SHAPE(2))));
}

static void group_norm_per_channel(net *t) {
    const uint32_t x = input(t, SHAPE(1, 6, 15));
    t->g.opset = 21;
    with_int(t, "num_groups", 3);
    output(t, op(t, "GroupNormalization", 3, x, constant(t, 1, 0.5, SHAPE(6)), constant(t, 0, 1, SHAPE(6))));
}

static void local_response(net *t) {
    with_int(t, "size", 4);
    with_float(t, "alpha", 0.9);
    with_float(t, "bias", 1.5);
    output(t, op(t, "LRN", 1, input(t, SHAPE(1, 7, 4, 3))));
}

static void log_softmax(net *t) {
    const uint32_t x = op(t, "Mul", 2, input(t, SHAPE(1, 5, 6)), number(t, 4));
    output(t, op(t, "LogSoftmax", 1, x));
    with_int(t, "axis", 1);
    output(t, op(t, "LogSoftmax", 1, x));
}

static const op_case cases[] = {
    {"sums", sums, true, 0.003, 0.01},
    {"sums_of_other_splits", sums_of_other_splits, true, 0.003, 0.01},
    {"extrema", extrema, true, 0.003, 0.01},
    {"numbers", numbers, false, EXACT, EXACT},
    {"integers", integers, true, EXACT, EXACT},
    {"comparisons", comparisons, true, EXACT, EXACT},
    {"comparisons_of_reals", comparisons_of_reals, true, 0.01, 1}, /* ties within the resolution */
    {"logic", logic, true, EXACT, EXACT},
    {"where_reals", where_reals, true, 0.003, 0.01},
    {"where_mask", where_mask, true, 0.003, 0.01},
    {"reductions", reductions, true, 0.003, 0.01},
    {"reductions_of_lists", reductions_of_lists, false, 0.003, 0.01},
    {"reductions_of_integers", reductions_of_integers, true, EXACT, EXACT},
    {"wide_sum_of_squares", wide_sum_of_squares, true, 0.005, 0.01},
    {"places", places, true, EXACT, EXACT},
    {"places_of_reals", places_of_reals, true, 0.01, 1},
    {"hardmax_flattened", hardmax_flattened, true, 0.01, 1},
    {"quotients", quotients, true, 0.003, 0.01},
    {"quotients_of_both_signs", quotients_of_both_signs, true, 0.003, 0.01},
    {"quotients_of_integers", quotients_of_integers, true, EXACT, EXACT},
    {"roots", roots, true, 0.003, 0.01},
    {"composite_reductions", composite_reductions, true, 0.01, 0.02},
    {"composite_pools", composite_pools, true, 0.003, 0.01},
    {"instance_norm", instance_norm, true, 0.003, 0.01},
    {"layer_norm", layer_norm, true, 0.003, 0.01},
    {"group_norm", group_norm, true, 0.003, 0.01},
    {"group_norm_per_channel", group_norm_per_channel, true, 0.003, 0.01},
    {"local_response", local_response, true, 0.003, 0.01},
    {"log_softmax", log_softmax, true, 0.003, 0.01},
    {"sums_of_large_and_small", sums_of_large_and_small, true, 0.003, 0.01},
    {"sums_with_nothing", sums_with_nothing, true, 0.001, 0.003},
};
#define N_CASES ((int)(sizeof cases / sizeof *cases))

START_TEST(operators) {
    run_op_case(&cases[_i]);
}
END_TEST

/* On these samples closer bounds hold than on any. */
START_TEST(close_bounds) {
    run_case("composite_reductions", composite_reductions, 3221, true, 0.005, 0.01);
}
END_TEST

int main(void) {
    Suite *s = suite_create("arith");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, operators, 0, N_CASES);
    tcase_add_test(tc, close_bounds);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
