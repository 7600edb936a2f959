/* Lowering against the float reference: small graphs of every operator over odd shapes are calibrated,
 * lowered, validated, run by the interpreter on fresh samples and compared; their text form is read back and
 * compared byte by byte. Then the no-wrap rule: layers that must be narrowed, and one that must be refused.
 */
#define _GNU_SOURCE
#include "lowering_kit.h"

#include "lowering/range.h"
#include "ops/ops.h"

/* --- cases --- */

static void gemm_bias(net *t) {
    with_int(t, "transB", 1);
    with_float(t, "alpha", 0.7);
    with_float(t, "beta", 1.3);
    output(t, op(t, "Gemm", 3, input(t, SHAPE(1, 37)), constant(t, 0, 0.3, SHAPE(11, 37)),
                 constant(t, 0, 1, SHAPE(11))));
}

static void gemm_to_one(net *t) {
    const uint32_t h = op(
        t, "Tanh", 1,
        op(t, "Gemm", 3, input(t, SHAPE(1, 1)), constant(t, 0, 2, SHAPE(1, 9)), constant(t, 0, 1, SHAPE(9))));
    output(t, op(t, "Gemm", 2, h, constant(t, 0, 1, SHAPE(9, 1))));
}

static void gemm_one_by_one(net *t) {
    output(t, op(t, "Gemm", 3, input(t, SHAPE(1, 1)), constant(t, 0, 1, SHAPE(1, 1)),
                 constant(t, 0, 1, SHAPE(1))));
}

static void gemm_after_flatten(net *t) {
    const uint32_t x = op(t, "Flatten", 1, input(t, SHAPE(1, 3, 5, 7)));
    const uint32_t h =
        op(t, "Relu", 1,
           op(t, "Gemm", 3, x, constant(t, 0, 0.2, SHAPE(105, 13)), constant(t, 0, 0.2, SHAPE(13))));
    output(t, op(t, "MatMul", 2, h, constant(t, 0, 0.5, SHAPE(13, 4))));
}

static void gemm_transposed_input(net *t) {
    with_int(t, "transA", 1);
    output(t, op(t, "Gemm", 3, input(t, SHAPE(6, 3)), constant(t, 0, 1, SHAPE(6, 5)),
                 constant(t, 0, 1, SHAPE(3, 1))));
}

static void matmul_sequence(net *t) {
    const uint32_t y = op(t, "MatMul", 2, input(t, SHAPE(1, 6, 5)), constant(t, 0, 0.5, SHAPE(5, 3)));
    output(t, op(t, "Add", 2, y, constant(t, 0, 1, SHAPE(6, 1))));
}

static void matmul_left_constant(net *t) {
    output(t, op(t, "MatMul", 2, constant(t, 0, 0.5, SHAPE(4, 6)), input(t, SHAPE(1, 6, 5))));
}

static void matmul_stacked(net *t) {
    output(t, op(t, "MatMul", 2, input(t, SHAPE(1, 3, 4, 5)), constant(t, 0, 0.5, SHAPE(3, 5, 2))));
    output(t, op(t, "MatMul", 2, input(t, SHAPE(1, 4, 5)), constant(t, 0, 0.5, SHAPE(1, 5, 2))));
}

static void matmul_stack_is_new(net *t) {
    output(t, op(t, "MatMul", 2, input(t, SHAPE(4, 5)), constant(t, 0, 0.5, SHAPE(3, 5, 2))));
}

static void matmul_vectors(net *t) {
    const uint32_t x = input(t, SHAPE(5));
    output(t, op(t, "MatMul", 2, x, constant(t, 0, 0.5, SHAPE(5, 3))));
    output(t, op(t, "MatMul", 2, constant(t, 0, 0.5, SHAPE(3, 5)), x));
    output(t, op(t, "MatMul", 2, x, constant(t, 0, 0.5, SHAPE(5))));
}

static void matmul_two_activations(net *t) {
    const uint32_t q = input(t, SHAPE(1, 2, 3, 5)), k = input(t, SHAPE(1, 2, 4, 5));
    with_ints(t, "perm", SHAPE(0, 1, 3, 2));
    const uint32_t scores = op(t, "MatMul", 2, q, op(t, "Transpose", 1, k));
    const uint32_t p = op(t, "Softmax", 1, scores);
    output(t, op(t, "MatMul", 2, p, k));
    output(t, scores);
}

static void matmul_other_split(net *t) {
    const uint32_t a = op(t, "Flatten", 1, input(t, SHAPE(1, 2, 3, 4))), b = input(t, SHAPE(1, 24));
    const uint32_t left = op(t, "Reshape", 2, a, shape_constant(t, SHAPE(1, 1, 24)));
    output(t, op(t, "MatMul", 2, left, op(t, "Reshape", 2, b, shape_constant(t, SHAPE(1, 24, 1)))));
}

static uint32_t conv(net *t, uint32_t x, unsigned rank, const int64_t *weights, bool bias) {
    const uint32_t w = constant(t, 0, 0.4, rank, weights);
    if (!bias)
        return op(t, "Conv", 2, x, w);
    return op(t, "Conv", 3, x, w, constant(t, 0, 0.5, SHAPE(weights[0])));
}

static void conv_plain(net *t) {
    output(t, conv(t, input(t, SHAPE(1, 3, 7, 9)), SHAPE(5, 3, 3, 2), true));
}

static void conv_everything(net *t) {
    with_ints(t, "strides", SHAPE(2, 3));
    with_ints(t, "dilations", SHAPE(2, 1));
    with_ints(t, "pads", SHAPE(1, 2, 3, 0));
    output(t, op(t, "Relu", 1, conv(t, input(t, SHAPE(1, 1, 11, 10)), SHAPE(6, 1, 3, 4), true)));
}

static void conv_groups(net *t) {
    with_int(t, "group", 3);
    with_ints(t, "pads", SHAPE(1, 1, 1, 1));
    const uint32_t y = op(t, "Relu", 1, conv(t, input(t, SHAPE(1, 6, 5, 6)), SHAPE(9, 2, 3, 3), true));
    with_int(t, "group", 9);
    const uint32_t z = conv(t, y, SHAPE(18, 1, 2, 2), true); /* channels are two axes now */
    output(t, op(t, "Gemm", 2, op(t, "Flatten", 1, op(t, "Relu", 1, z)),
                 constant(t, 0, 0.3, SHAPE((int64_t)18 * 4 * 5, 4))));
    output(t, conv(t, z, SHAPE(4, 18, 1, 1), false));
}

static void conv_regrouped(net *t) {
    with_int(t, "group", 3);
    const uint32_t y = op(t, "Relu", 1, conv(t, input(t, SHAPE(1, 6, 4, 4)), SHAPE(6, 2, 2, 2), false));
    with_int(t, "group", 2); /* cuts across the previous groups */
    output(t, conv(t, y, SHAPE(4, 3, 2, 2), true));
}

static void conv_depthwise_separable(net *t) {
    with_int(t, "group", 5);
    with_ints(t, "pads", SHAPE(1, 1, 1, 1));
    const uint32_t y = op(t, "Relu", 1, conv(t, input(t, SHAPE(1, 5, 6, 6)), SHAPE(5, 1, 3, 3), true));
    output(t, conv(t, y, SHAPE(7, 5, 1, 1), true));
}

static void conv_one_dimension(net *t) {
    with_ints(t, "strides", SHAPE(2));
    with_ints(t, "pads", SHAPE(2, 1));
    output(t, op(t, "Sigmoid", 1, conv(t, input(t, SHAPE(1, 2, 17)), SHAPE(3, 2, 4), true)));
}

static void conv_to_one_position(net *t) {
    output(t, conv(t, input(t, SHAPE(1, 2, 4, 3)), SHAPE(3, 2, 4, 3), true));
}

static void conv_unbatched(net *t) {
    output(t, op(t, "Relu", 1, conv(t, input(t, SHAPE(2, 3, 5, 5)), SHAPE(4, 3, 3, 3), true)));
}

static void batchnorm(net *t) {
    output(t, op(t, "BatchNormalization", 5, input(t, SHAPE(1, 4, 3, 5)), constant(t, 0, 2, SHAPE(4)),
                 constant(t, 0, 1, SHAPE(4)), constant(t, 0, 1, SHAPE(4)), constant(t, 2, 1, SHAPE(4))));
}

static void activations(net *t) {
    const uint32_t x = input(t, SHAPE(1, 33));
    output(t, op(t, "Relu", 1, x));
    output(t, op(t, "Sigmoid", 1, x));
    output(t, op(t, "Tanh", 1, x));
    output(t, op(t, "Clip", 3, x, number(t, -0.5), number(t, 0.75)));
    output(t, op(t, "Clip", 2, x, number(t, 0.25)));
    output(t, x);
}

static void max_pool_padded(net *t) {
    const uint32_t x = op(t, "Add", 2, input(t, SHAPE(1, 3, 7, 8)), constant(t, -2, 0.1, SHAPE(3, 1, 1)));
    with_ints(t, "kernel_shape", SHAPE(3, 3));
    with_ints(t, "strides", SHAPE(2, 2));
    with_ints(t, "pads", SHAPE(1, 1, 1, 1));
    output(t, op(t, "MaxPool", 1, x));
}

static void max_pool_ceil(net *t) {
    const uint32_t x = op(t, "Relu", 1, conv(t, input(t, SHAPE(1, 2, 9, 9)), SHAPE(3, 2, 2, 2), true));
    with_ints(t, "kernel_shape", SHAPE(2, 3));
    with_ints(t, "strides", SHAPE(2, 2));
    with_ints(t, "dilations", SHAPE(2, 1));
    with_int(t, "ceil_mode", 1);
    output(t, op(t, "MaxPool", 1, x));
}

static void max_pool_one_tap(net *t) {
    with_ints(t, "kernel_shape", SHAPE(1, 1));
    with_ints(t, "strides", SHAPE(2, 3));
    output(t, op(t, "MaxPool", 1, input(t, SHAPE(1, 2, 5, 7))));
}

static void max_pool_places(net *t) { /* ties included: few values */
    const uint32_t x = int_input(t, ONNX_INT8, SHAPE(2, 3, 5, 6));
    with_int(t, "mica_part", 1);
    output(t, op(t, "Dropout", 1, x));
    for (int64_t columns = 0; columns < 2; columns++) {
        for (int64_t part = 0; part < 2; part++) {
            with_int(t, "mica_part", part);
            with_int(t, "mica_parts", 2);
            with_ints(t, "kernel_shape", SHAPE(3, 2));
            with_ints(t, "strides", SHAPE(2, 1));
            with_ints(t, "pads", SHAPE(1, 1, 1, 0));
            with_int(t, "storage_order", columns);
            output(t, op(t, "MaxPool", 1, x));
        }
    }
}

static void average_beyond_padding(net *t) {
    with_ints(t, "kernel_shape", SHAPE(3, 2));
    with_ints(t, "strides", SHAPE(3, 3));
    with_ints(t, "dilations", SHAPE(2, 1));
    with_ints(t, "pads", SHAPE(1, 0, 2, 1));
    with_int(t, "ceil_mode", 1);
    with_int(t, "count_include_pad", 1);
    output(t, op(t, "AveragePool", 1, input(t, SHAPE(1, 3, 7, 9))));
}

static void row_statistics(net *t) {
    const uint32_t x = input(t, SHAPE(1, 6, 10)), scale = constant(t, 1, 0.5, SHAPE(10));
    output(t, op(t, "LayerNormalization", 2, x, scale));
    for (int64_t part = 1; part < 3; part++) {
        with_int(t, "mica_part", part);
        output(t, op(t, "LayerNormalization", 2, x, scale));
    }
}

static void wrapped_cast(net *t) {
    const uint32_t x = int_input(t, ONNX_INT64, SHAPE(1, 40));
    const uint32_t y = op(t, "Mul", 2, x, shape_constant(t, SHAPE(37)));
    for (int type = 0; type < 3; type++) {
        with_int(t, "to", (int64_t[]){ONNX_INT8, ONNX_UINT8, ONNX_UINT4}[type]);
        output(t, op(t, "Cast", 1, y));
    }
}

static void average_pools(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 7, 7));
    for (int64_t include = 0; include < 2; include++) {
        with_ints(t, "kernel_shape", SHAPE(3, 2));
        with_ints(t, "strides", SHAPE(2, 1));
        with_ints(t, "pads", SHAPE(1, 1, 1, 0));
        with_int(t, "count_include_pad", include);
        output(t, op(t, "AveragePool", 1, x));
    }
    output(t, op(t, "GlobalAveragePool", 1, op(t, "Relu", 1, conv(t, x, SHAPE(5, 3, 3, 3), true))));
}

static void residual(net *t) {
    const uint32_t x = input(t, SHAPE(1, 4, 6, 6));
    with_ints(t, "pads", SHAPE(1, 1, 1, 1));
    const uint32_t y = op(t, "Relu", 1, conv(t, x, SHAPE(4, 4, 3, 3), true));
    with_ints(t, "pads", SHAPE(1, 1, 1, 1));
    const uint32_t z = op(t, "Relu", 1, op(t, "Add", 2, conv(t, y, SHAPE(4, 4, 3, 3), true), x));
    with_ints(t, "pads", SHAPE(0, 0, 0, 0));
    output(t, op(t, "Sub", 2, z, conv(t, z, SHAPE(4, 4, 1, 1), true)));
}

static void arithmetic(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 4, 5)), y = input(t, SHAPE(1, 3, 1, 5));
    output(t, op(t, "Add", 2, x, y));
    output(t, op(t, "Sub", 2, y, x));
    output(t, op(t, "Mul", 2, y, x));
    output(t, op(t, "Sub", 2, constant(t, 1, 0.5, SHAPE(4, 1)), x));
    output(t, op(t, "Mul", 2, constant(t, 0, 3, SHAPE(3, 1, 1)), x));
    output(t, op(t, "Mul", 2, y, constant(t, 0, 3, SHAPE(1, 3, 4, 1))));
    output(t, op(t, "Add", 2, y, constant(t, 0, 3, SHAPE(1, 3, 4, 1))));
    output(t, op(t, "Mul", 2, x, number(t, -2.5)));
    output(t, op(t, "Add", 2, x, constant(t, -2.5, 0, SHAPE(1))));
}

static void concat_channels(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 4, 4));
    const uint32_t a = op(t, "Relu", 1, conv(t, x, SHAPE(2, 3, 1, 1), true));
    const uint32_t b = op(t, "Sigmoid", 1, conv(t, x, SHAPE(3, 3, 1, 1), true));
    with_int(t, "axis", 1);
    const uint32_t c = op(t, "Concat", 3, a, b, x);
    output(t, conv(t, c, SHAPE(4, 8, 2, 2), true));
    with_int(t, "axis", -1);
    output(t, op(t, "Concat", 2, a, a));
}

static void reshapes(net *t) {
    const uint32_t x =
        op(t, "Relu", 1, conv(t, input(t, SHAPE(1, 2, 7, 5)), SHAPE(6, 2, 2, 2), true)); /* 6 6 4 */
    const uint32_t y = op(t, "Reshape", 2, x, shape_constant(t, SHAPE(1, 4, 9, 4)));
    output(t, op(t, "MatMul", 2, y, constant(t, 0, 0.5, SHAPE(4, 3))));
    with_ints(t, "perm", SHAPE(0, 3, 1, 2));
    const uint32_t z = op(t, "Transpose", 1, x);
    output(t, op(t, "Reshape", 2, z, shape_constant(t, SHAPE(1, -1))));
    output(t, op(t, "Gemm", 2, op(t, "Flatten", 1, z), constant(t, 0, 0.5, SHAPE(144, 3))));
}

static void softmax_rows(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 7));
    const uint32_t y = op(t, "Mul", 2, x, number(t, 3));
    output(t, op(t, "Softmax", 1, y));
    with_int(t, "axis", 1);
    output(t, op(t, "Softmax", 1, y));
}

static void softmax_classes(net *t) {
    const uint32_t y = op(t, "Gemm", 2, input(t, SHAPE(1, 8)), constant(t, 0, 1, SHAPE(8, 10)));
    output(t, op(t, "Softmax", 1, y));
}

static void softmax_flattened(net *t) {
    t->g.opset = 11;
    with_int(t, "axis", 1);
    output(t, op(t, "Softmax", 1, input(t, SHAPE(1, 3, 5))));
}

static void softmax_one(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 1));
    output(t, op(t, "Softmax", 1, x));
    output(t, x);
}

static void input_is_used_widely(net *t) {
    const uint32_t x = input(t, SHAPE(1, 2, 3));
    output(t, op(t, "Identity", 1, x));
    output(t, op(t, "Mul", 2, x, x));
}

static const struct {
    const char *name;
    build_fn *build;
    bool batched;
    double tolerance; /* of the mean error, relative to max - min */
} cases[] = {
    {"gemm_bias", gemm_bias, true, 0.003},
    {"gemm_to_one", gemm_to_one, true, 0.005},
    {"gemm_one_by_one", gemm_one_by_one, true, 0.003},
    {"gemm_after_flatten", gemm_after_flatten, true, 0.003},
    {"gemm_transposed_input", gemm_transposed_input, false, 0.003},
    {"matmul_sequence", matmul_sequence, true, 0.003},
    {"matmul_left_constant", matmul_left_constant, true, 0.003},
    {"matmul_stacked", matmul_stacked, true, 0.003},
    {"matmul_stack_is_new", matmul_stack_is_new, false, 0.003},
    {"matmul_vectors", matmul_vectors, false, 0.003},
    {"matmul_two_activations", matmul_two_activations, true, 0.005},
    {"matmul_other_split", matmul_other_split, true, 0.003},
    {"conv_plain", conv_plain, true, 0.003},
    {"conv_everything", conv_everything, true, 0.003},
    {"conv_groups", conv_groups, true, 0.004},
    {"conv_regrouped", conv_regrouped, true, 0.004},
    {"conv_depthwise_separable", conv_depthwise_separable, true, 0.004},
    {"conv_one_dimension", conv_one_dimension, true, 0.003},
    {"conv_to_one_position", conv_to_one_position, true, 0.003},
    {"conv_unbatched", conv_unbatched, false, 0.003},
    {"batchnorm", batchnorm, true, 0.003},
    {"activations", activations, true, 0.003},
    {"max_pool_padded", max_pool_padded, true, 0.003},
    {"max_pool_ceil", max_pool_ceil, true, 0.003},
    {"max_pool_one_tap", max_pool_one_tap, true, 0.003},
    {"max_pool_places", max_pool_places, false, 0},
    {"average_beyond_padding", average_beyond_padding, true, 0.003},
    {"row_statistics", row_statistics, true, 0.01},
    {"wrapped_cast", wrapped_cast, true, 0},
    {"average_pools", average_pools, true, 0.003},
    {"residual", residual, true, 0.006},
    {"arithmetic", arithmetic, true, 0.003},
    {"concat_channels", concat_channels, true, 0.004},
    {"reshapes", reshapes, true, 0.004},
    {"softmax_rows", softmax_rows, true, 0.003},
    {"softmax_classes", softmax_classes, true, 0.003},
    {"softmax_flattened", softmax_flattened, true, 0.003},
    {"softmax_one", softmax_one, true, 0.003},
    {"input_is_used_widely", input_is_used_widely, true, 0.003},
};
#define N_CASES ((int)(sizeof cases / sizeof *cases))

START_TEST(operators) {
    run_case(cases[_i].name, cases[_i].build, case_seed(cases[_i].name), cases[_i].batched,
             cases[_i].tolerance, 20);
}
END_TEST

/* --- no-wrap --- */

/* A dense layer of `length` inputs whose weights are all close to 1 (so that narrower weights do not help
 * beyond their scale), with more activation bits than the bound allows. */
static bool lower_dense(int64_t length, unsigned activation_bits, unsigned weight_bits, program *p,
                        mica_status *st) {
    net t;
    net_create(&t, 7, true);
    const uint32_t x = input(&t, SHAPE(1, length));
    output(&t, op(&t, "Relu", 1, op(&t, "Gemm", 2, x, constant(&t, 1, 0.01, SHAPE(length, 2)))));
    const lowering_options options = {.activation_bits = activation_bits, .weight_bits = weight_bits};
    calibration cal;
    double ***samples = make_samples(&t);
    ck_assert(graph_infer_shapes(&t.g, st));
    ck_assert(calibration_collect(&cal, &t.g, (const double *const *const *)samples, SAMPLES, st));
    const bool lowered = lower_graph(p, NULL, &t.g, &cal, &options, st);
    calibration_free(&cal);
    free_samples(&t, samples);
    graph_free(&t.g);
    return lowered;
}

START_TEST(wide_layers_are_narrowed) {
    program p;
    mica_status st = {0};
    /* 2^12 inputs of 15 bits times 16-bit weights would need 43 bits. */
    ck_assert_msg(lower_dense(1 << 12, 15, 16, &p, &st), "%s", st.message);
    const mica_circuit *c = &p.circuit;
    for (uint32_t t = 0; t < c->n_tensors; t++)
        if (c->tensor[t].kind == MICA_TENSOR_CONTRACT)
            ck_assert_msg((int64_t)c->tensor[t].hi - c->tensor[t].lo < RANGE_WEIGHTED_LIMIT * 2,
                          "accumulator [%d, %d]", c->tensor[t].lo, c->tensor[t].hi);
    program_free(&p);
}
END_TEST

START_TEST(hopeless_layers_are_refused) {
    program p;
    mica_status st = {0};
    /* 2^22 inputs: even 5-bit activations and 4-bit weights need more than 29 bits. */
    ck_assert(!lower_dense(1 << 22, 11, 8, &p, &st));
    ck_assert_int_eq(st.code, MICA_ERR_RANGE);
    ck_assert_msg(strstr(st.message, "Gemm"), "the message must name the operator: %s", st.message);
}
END_TEST

START_TEST(rows_are_exact) {
    /* [2, 3], rows: 3 -4 5 and -1 0 2; x in [-2, 7]: max 3*7 + 4*2 + 5*7, min -3*2 - 4*7 - 5*2 of the first
     * row. */
    const int32_t w[6] = {3, -4, 5, -1, 0, 2};
    const uint32_t dim[2] = {2, 3};
    const bound r = range_of_rows(w, 2, dim, 2, (bound){-2, 7});
    ck_assert_int_eq(r.hi, 64);
    ck_assert_int_eq(r.lo, -44);
    const bound columns = range_of_rows(w, 2, dim, 1, (bound){-2, 7}); /* columns 3 -1 | -4 0 | 5 2 */
    ck_assert_int_eq(columns.hi, 49);
    ck_assert_int_eq(columns.lo, -28);
    ck_assert_uint_eq(range_key_bits((bound){-8, 7}, 0), 4);
    ck_assert_uint_eq(range_key_bits((bound){-9, 7}, 0), 5);
    ck_assert_uint_eq(range_key_bits((bound){-16, 15}, 1), 4);
}
END_TEST

/* The definition: cell by cell, its row found by dropping the contracted axes. */
static bound slow_rows(const int32_t *w, unsigned rank, const uint32_t *dim, unsigned contracted, bound x) {
    enum { CELLS = 4096 };
    static int64_t lo[CELLS], hi[CELLS];
    bound r = {0, 0};
    size_t n = 1;
    for (unsigned i = 0; i < rank; i++)
        n *= dim[i];
    ck_assert_uint_le(n, CELLS);
    memset(lo, 0, sizeof lo);
    memset(hi, 0, sizeof hi);
    for (size_t cell = 0; cell < n; cell++) {
        size_t row = 0, rest = cell, place = 1;
        for (unsigned i = rank; i-- > 0; rest /= dim[i]) {
            if (!(contracted >> i & 1)) {
                row += rest % dim[i] * place;
                place *= dim[i];
            }
        }
        lo[row] += w[cell] > 0 ? w[cell] * x.lo : w[cell] * x.hi;
        hi[row] += w[cell] > 0 ? w[cell] * x.hi : w[cell] * x.lo;
    }
    for (size_t i = 0; i < n; i++)
        r = bound_hull(r, (bound){lo[i], hi[i]});
    return r;
}

START_TEST(rows_of_any_axes) {
    static const uint32_t shapes[][4] = {
        {1, 1, 1, 1}, {2, 3, 4, 5}, {7, 1, 3, 2}, {3, 2, 1, 600}, {5, 300, 1, 2}};
    static int32_t w[4096];
    uint64_t state = 9;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (unsigned rank = 0; rank <= 4; rank++) {
            for (unsigned contracted = 0; contracted < 1u << rank; contracted++) {
                for (size_t i = 0; i < sizeof w / sizeof *w; i++) {
                    state = state * 6364136223846793005u + 1442695040888963407u;
                    w[i] = (int32_t)(state >> 40) - (1 << 23);
                }
                const bound x = {-(int64_t)(state % 300), (int64_t)(state % 700)};
                const bound want = slow_rows(w, rank, shapes[s] + 4 - rank, contracted, x);
                const bound got = range_of_rows(w, rank, shapes[s] + 4 - rank, contracted, x);
                ck_assert_msg(got.lo == want.lo && got.hi == want.hi, "shape %zu, rank %u, axes %x", s, rank,
                              contracted);
            }
        }
    }
}
END_TEST

START_TEST(calibration_without_samples_is_guessed) {
    net t;
    mica_status st = {0};
    net_create(&t, 9, true);
    output(&t, op(&t, "Relu", 1, input(&t, SHAPE(1, 50))));
    ck_assert(graph_infer_shapes(&t.g, &st));
    calibration a, b;
    ck_assert(calibration_collect(&a, &t.g, NULL, 0, &st) && calibration_collect(&b, &t.g, NULL, 0, &st));
    ck_assert(a.guessed);
    const uint32_t x = t.g.input[0], y = t.g.output[0];
    ck_assert(a.lo[x] < -0.8 && a.lo[x] >= -1 && a.hi[x] > 0.8 && a.hi[x] <= 1 && a.lo[y] == 0 &&
              a.hi[y] == a.hi[x]);
    ck_assert(a.lo[x] == b.lo[x] && a.hi[x] == b.hi[x]);
    calibration_free(&a);
    calibration_free(&b);
    graph_free(&t.g);
}
END_TEST

int main(void) {
    Suite *s = suite_create("lowering");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, operators, 0, N_CASES);
    tcase_add_test(tc, wide_layers_are_narrowed);
    tcase_add_test(tc, hopeless_layers_are_refused);
    tcase_add_test(tc, rows_are_exact);
    tcase_add_test(tc, rows_of_any_axes);
    tcase_add_test(tc, calibration_without_samples_is_guessed);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
