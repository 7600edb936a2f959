/* QuantizeLinear and DequantizeLinear: the reference against values written down, and lowered against the
 * reference. */
#define _GNU_SOURCE
#include "lowering_kit.h"

static uint32_t integers(net *t, int type, unsigned rank, const int64_t *dim, const int64_t *x) {
    const uint32_t v = new_value(t, rank, dim);
    const uint64_t n = graph_elements(&t->g.value[v]);
    int64_t *copy = memory(t, n, sizeof *copy);
    memcpy(copy, x, n * sizeof *copy);
    t->g.value[v].dtype = DTYPE_INT;
    t->g.value[v].onnx_dtype = type;
    t->g.value[v].integer = copy;
    return v;
}

static uint32_t integer(net *t, int type, int64_t x) {
    const int64_t none[1] = {0};
    return integers(t, type, 0, none, &x);
}

static uint32_t reals(net *t, unsigned rank, const int64_t *dim, const double *x) {
    const uint32_t v = constant(t, 0, 0, rank, dim);
    memcpy((double *)(uintptr_t)t->g.value[v].real, x, graph_elements(&t->g.value[v]) * sizeof *x);
    return v;
}

static void expect_values(net *t, uint32_t v, unsigned n, const double *x, const double *want) {
    mica_status st = {0};
    output(t, v);
    ck_assert_msg(graph_infer_shapes(&t->g, &st), "%s", st.message);
    double **value = graph_buffers_create(&t->g, &st);
    ck_assert_msg(value && graph_evaluate(&t->g, &x, value, &st), "%s", st.message);
    ck_assert_uint_eq(graph_elements(&t->g.value[v]), n);
    for (unsigned i = 0; i < n; i++)
        ck_assert_msg(value[v][i] == want[i], "element %u: %g, expected %g", i, value[v][i], want[i]);
    graph_buffers_free(&t->g, value);
    graph_free(&t->g);
}

START_TEST(quantise_values) {
    static const double x[] = {0, 1, 3, 5, -1, -3, 253, 1e6, -1e6, 2.5};
    static const double u8[] = {10, 10, 12, 12, 10, 8, 136, 255, 0, 11};
    static const double i8[] = {-1, -1, 1, 1, -1, -3, 125, 127, -128, 0};
    net t;
    net_create(&t, 1, true);
    uint32_t in = input(&t, SHAPE(1, 10));
    expect_values(&t, op(&t, "QuantizeLinear", 3, in, number(&t, 2), integer(&t, ONNX_UINT8, 10)), 10, x, u8);
    net_create(&t, 1, true);
    in = input(&t, SHAPE(1, 10));
    expect_values(&t, op(&t, "QuantizeLinear", 3, in, number(&t, 2), integer(&t, ONNX_INT8, -1)), 10, x, i8);
}
END_TEST

START_TEST(axes_and_blocks) {
    static const double x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    static const double axis[] = {1, 1, 2, 2, 2, 12, 14, 16, 18, 20};
    static const double blocks[] = {0, 2, 8, 12, 24, 4, 6, 32, 36, 59};
    net t;
    net_create(&t, 1, false);
    uint32_t in = int_input(&t, ONNX_INT8, SHAPE(2, 5));
    with_int(&t, "axis", -2);
    const double scales[] = {0.5, 2};
    uint32_t y = op(&t, "DequantizeLinear", 2, in, reals(&t, SHAPE(2), scales));
    double want[10];
    for (int i = 0; i < 10; i++)
        want[i] = x[i] * (i < 5 ? 0.5 : 2);
    ck_assert(want[5] == axis[5] && want[9] == axis[9]);
    expect_values(&t, y, 10, x, want);
    net_create(&t, 1, false);
    in = int_input(&t, ONNX_INT8, SHAPE(2, 5));
    with_int(&t, "axis", 1);
    with_int(&t, "block_size", 2);
    const double block_scales[] = {2, 4, 6, 1, 4, 7};
    const int64_t zeros[] = {1, 1, 1, 2, 0, -1};
    y = op(&t, "DequantizeLinear", 3, in, reals(&t, SHAPE(2, 3), block_scales),
           integers(&t, ONNX_INT8, SHAPE(2, 3), zeros));
    for (int i = 0; i < 10; i++) {
        const int at = i / 5 * 3 + i % 5 / 2;
        want[i] = (x[i] - (double)zeros[at]) * block_scales[at];
    }
    ck_assert(want[0] == blocks[0] && want[1] == blocks[1] && want[2] == blocks[2] && want[3] == blocks[3] &&
              want[4] == blocks[4] && want[5] == blocks[5]);
    expect_values(&t, y, 10, x, want);
}
END_TEST

static void there_and_back(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 4));
    const uint32_t s = number(t, 1.0 / 64), z = integer(t, ONNX_UINT8, 128);
    const uint32_t q = op(t, "QuantizeLinear", 3, x, s, z);
    output(t, op(t, "DequantizeLinear", 3, q, s, z));
}

static void after_a_product(net *t) {
    const uint32_t y = op(t, "MatMul", 2, input(t, SHAPE(1, 6)), constant(t, 0, 0.4, SHAPE(6, 5)));
    const uint32_t s = number(t, 0.01), z = integer(t, ONNX_INT8, 3);
    const uint32_t d = op(t, "DequantizeLinear", 3, op(t, "QuantizeLinear", 3, y, s, z), s, z);
    output(t, op(t, "MatMul", 2, op(t, "Relu", 1, d), constant(t, 0, 0.4, SHAPE(5, 2))));
}

static void integers_back(net *t) {
    output(t, op(t, "DequantizeLinear", 3, int_input(t, ONNX_INT8, SHAPE(1, 3, 4)), number(t, 0.75),
                 integer(t, ONNX_INT8, -7)));
    output(t, op(t, "DequantizeLinear", 2, int_input(t, ONNX_INT32, SHAPE(1, 3)), number(t, 0.5)));
}

/* Integers, so that halves are halves: they go to the even side before odd zero points are added. */
static void axis_of_scales(net *t) {
    const double scales[] = {2, 4, 5};
    const int64_t zeros[] = {84, 25, 197};
    output(t, op(t, "QuantizeLinear", 3, int_input(t, ONNX_INT32, SHAPE(1, 3, 8)), reals(t, SHAPE(3), scales),
                 integers(t, ONNX_UINT8, SHAPE(3), zeros)));
}

static void blocks_of_scales(net *t) {
    const double scales[] = {2, 0.5, 4, 8, 16, 1};
    with_int(t, "axis", 1);
    with_int(t, "block_size", 2);
    with_int(t, "output_dtype", ONNX_INT4);
    output(t,
           op(t, "QuantizeLinear", 2, int_input(t, ONNX_INT32, SHAPE(2, 5)), reals(t, SHAPE(2, 3), scales)));
}

/* A list of one zero point for a scalar scale. */
static void list_of_one(net *t) {
    const int64_t zero = -7;
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(1, 3, 8));
    output(t, op(t, "QuantizeLinear", 3, x, number(t, 2), integers(t, ONNX_INT16, SHAPE(1), &zero)));
}

/* Scales of different sizes, values behind a product. */
static void wide_scales(net *t) {
    const double scales[] = {0.01, 0.03, 0.3};
    const int64_t zeros[] = {3, -3, 0};
    const uint32_t y = op(t, "MatMul", 2, input(t, SHAPE(1, 4, 6)), constant(t, 0, 0.4, SHAPE(6, 3)));
    const uint32_t s = reals(t, SHAPE(3), scales), z = integers(t, ONNX_INT8, SHAPE(3), zeros);
    with_int(t, "axis", -1);
    const uint32_t q = op(t, "QuantizeLinear", 3, y, s, z);
    with_int(t, "axis", -1);
    output(t, op(t, "DequantizeLinear", 3, q, s, z));
}

/* Scales and zero points that are computed or come with the input. */
static void scales_at_run_time(net *t) {
    const uint32_t x = input(t, SHAPE(3, 8)), z = int_input(t, ONNX_INT8, SHAPE(3));
    const uint32_t magnitude = op(t, "Abs", 1, x);
    with_ints(t, "axes", SHAPE(1));
    with_int(t, "keepdims", 0);
    const uint32_t top = op(t, "ReduceMax", 1, magnitude);
    const uint32_t s = op(t, "Mul", 2, top, number(t, 1.0 / 100));
    with_int(t, "axis", 0);
    const uint32_t q = op(t, "QuantizeLinear", 3, x, s, z);
    output(t, q);
    with_int(t, "axis", 0);
    output(t, op(t, "DequantizeLinear", 3, q, s, z));
}

static uint32_t dynamic_part(net *t, uint32_t x, int part) {
    if (part) {
        with_int(t, "mica_part", part);
        with_int(t, "mica_parts", 3);
    }
    return op(t, "DynamicQuantizeLinear", 1, x);
}

static void dynamic_scale(net *t) {
    const uint32_t x = input(t, SHAPE(3, 8));
    output(t, dynamic_part(t, x, 0));
    output(t, dynamic_part(t, x, 1));
}

/* Within one unit; few units lie between the zero points of the samples. */
static void dynamic_zero(net *t) {
    output(t, dynamic_part(t, input(t, SHAPE(3, 8)), 2));
}

START_TEST(computed_scales) {
    run_case("scales at run time", scales_at_run_time, 10, false, 0.002, 0.01);
    run_case("dynamic", dynamic_scale, 11, false, 0.005, 0.01);
    run_case("dynamic zero point", dynamic_zero, 11, false, 0.02, 0.1);
}
END_TEST

START_TEST(dynamic_values) {
    static const double x[] = {0, 2, -3, -2.5, 1.34, 0.5}, y[] = {153, 255, 0, 25, 221, 179};
    static const double up[] = {1, 2, 3, 4, 5, 5.1}, up_y[] = {50, 100, 150, 200, 250, 255};
    static const double scale[] = {5.0 / 255}, zero[] = {153}, nothing[6] = {0};
    net t;
    for (int part = 0; part < 3; part++) {
        net_create(&t, 1, false);
        const uint32_t v = dynamic_part(&t, input(&t, SHAPE(6)), part);
        expect_values(&t, v, part ? 1 : 6, x, part == 0 ? y : part == 1 ? scale : zero);
        net_create(&t, 1, false);
        const uint32_t w = dynamic_part(&t, input(&t, SHAPE(6)), part);
        expect_values(&t, w, part ? 1 : 6, nothing, nothing);
    }
    net_create(&t, 1, false);
    expect_values(&t, dynamic_part(&t, input(&t, SHAPE(6)), 0), 6, up, up_y);
}
END_TEST

START_TEST(several_scales) {
    run_case("axis", axis_of_scales, 6, true, 0, 0);
    run_case("blocks", blocks_of_scales, 7, false, 0, 0);
    run_case("list of one", list_of_one, 8, true, 0, 0);
    run_case("scales of different sizes", wide_scales, 9, true, 0.003, 0.02);
}
END_TEST

START_TEST(lowered) {
    run_case("integers back", integers_back, 3, true, 0, 0);
    run_case("there and back", there_and_back, 4, true, 0.002, 0.01);
    run_case("after a product", after_a_product, 5, true, 0.01, 0.03);
}
END_TEST

/* --- integer operators: no unit off --- */

static void integer_products(net *t) {
    const uint32_t x = int_input(t, ONNX_INT8, SHAPE(1, 4, 7)), z = integer(t, ONNX_INT8, 5);
    const int64_t w[] = {-128, 3, 127, 0, 77, -5, 9, 100, -100, 1, 2, -3, 4, 90};
    const int64_t points[] = {-4, 11};
    output(t, op(t, "MatMulInteger", 4, x, integers(t, ONNX_INT8, SHAPE(7, 2), w), z,
                 integers(t, ONNX_INT8, SHAPE(2), points)));
    const uint32_t y = int_input(t, ONNX_INT8, SHAPE(1, 2, 5, 5));
    with_ints(t, "pads", SHAPE(1, 0, 1, 0));
    output(t, op(t, "ConvInteger", 3, y, integers(t, ONNX_INT8, SHAPE(1, 2, 3, 2), w),
                 integer(t, ONNX_INT8, -7)));
}

static void both_at_run_time(net *t) {
    const uint32_t x = int_input(t, ONNX_INT8, SHAPE(3, 7)), y = int_input(t, ONNX_INT8, SHAPE(7, 4));
    output(t, op(t, "MatMulInteger", 4, x, y, int_input(t, ONNX_INT8, SHAPE(3)),
                 int_input(t, ONNX_INT8, SHAPE(1))));
}

static void scaled_products(net *t) {
    const double scales[] = {0.0117, 0.0031};
    const int64_t w[] = {-128, 3,  127, 0,  77, -5, 9,   100, -100, 1, 2, -3,
                         4,    90, 8,   -9, 60, 61, -62, 63,  5,    6, 7, 8};
    const int64_t bias[] = {1000, -333};
    const uint32_t x = int_input(t, ONNX_INT8, SHAPE(1, 2, 5, 5)), zero = integer(t, ONNX_INT8, 3);
    with_ints(t, "strides", SHAPE(2, 1));
    output(t, op(t, "QLinearConv", 9, x, number(t, 0.021), zero, integers(t, ONNX_INT8, SHAPE(2, 2, 3, 2), w),
                 reals(t, SHAPE(2), scales), integer(t, ONNX_INT8, 0), number(t, 0.0391),
                 integer(t, ONNX_UINT8, 99), integers(t, ONNX_INT32, SHAPE(2), bias)));
}

/* Scales whose quotient is a power of two: halves go to the even side. */
static void scaled_with_ties(net *t) {
    const int64_t w[] = {-12, 3, 17, 1, 7, -5, 9, 2, -1, 1, 2, -3, 4, 9};
    const uint32_t x = int_input(t, ONNX_INT8, SHAPE(1, 6, 7)), zero = integer(t, ONNX_INT8, 0);
    const uint32_t scale = number(t, 0.25), unit = number(t, 1);
    output(t, op(t, "QLinearMatMul", 8, x, scale, zero, integers(t, ONNX_INT8, SHAPE(7, 2), w), scale, zero,
                 unit, integer(t, ONNX_INT8, 1)));
}

START_TEST(integer_operators) {
    run_case("integer products", integer_products, 11, true, 0, 0);
    run_case("both at run time", both_at_run_time, 12, false, 0, 0);
    run_case("scaled products", scaled_products, 13, true, 0, 0);
    run_case("ties", scaled_with_ties, 14, true, 0, 0);
}
END_TEST

static void expect_refusal(net *t, uint32_t y, const char *want) {
    mica_status st = {0};
    output(t, y);
    ck_assert(!graph_infer_shapes(&t->g, &st));
    ck_assert_msg(strstr(st.message, want) != NULL, "%s", st.message);
    graph_free(&t->g);
}

START_TEST(refusals) {
    const double scales[] = {1, 2, 3};
    net t;
    net_create(&t, 1, true);
    uint32_t x = input(&t, SHAPE(1, 4));
    expect_refusal(&t, op(&t, "QuantizeLinear", 2, x, reals(&t, SHAPE(3), scales)), "do not fit axis 1");
    net_create(&t, 1, true);
    x = input(&t, SHAPE(1, 4));
    expect_refusal(&t, op(&t, "QuantizeLinear", 3, x, number(&t, 1), integer(&t, ONNX_INT32, 0)),
                   "element type 6");
    net_create(&t, 1, true);
    x = int_input(&t, ONNX_INT8, SHAPE(1, 4));
    expect_refusal(&t, op(&t, "DequantizeLinear", 3, x, number(&t, 1), integer(&t, ONNX_UINT8, 0)),
                   "one integer type");
}
END_TEST

int main(void) {
    Suite *s = suite_create("quantise");
    TCase *c = tcase_create("quantise");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, integer_operators);
    tcase_add_test(c, quantise_values);
    tcase_add_test(c, axes_and_blocks);
    tcase_add_test(c, lowered);
    tcase_add_test(c, several_scales);
    tcase_add_test(c, computed_scales);
    tcase_add_test(c, dynamic_values);
    tcase_add_test(c, refusals);
    suite_add_tcase(s, c);
    return suite_run(s);
}
