/* Operators that are made of others, further ones: equations of several products, norms of windows, averages
 * with unlike counts, bits, blocks, grids, spectra, losses. Lowered and run against the float reference;
 * integers exactly.
 */
#define _GNU_SOURCE
#include "lowering_kit.h"

static uint32_t int_number(net *t, int64_t x) {
    const uint32_t v = shape_constant(t, 1, &x);
    t->g.value[v].rank = 0;
    return v;
}

/* --- Einsum --- */

static uint32_t integers(net *t, unsigned rank, const int64_t *dim) {
    return int_input(t, ONNX_INT32, rank, dim);
}

static uint32_t equation(net *t, const char *text, unsigned n, const uint32_t *x) {
    with_text(t, "equation", text);
    return n == 1   ? op(t, "Einsum", 1, x[0])
           : n == 2 ? op(t, "Einsum", 2, x[0], x[1])
                    : op(t, "Einsum", 3, x[0], x[1], x[2]);
}

#define EINSUM(text, ...)                                                                                    \
    output(t, equation(t, text, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t),                        \
                       (const uint32_t[]){__VA_ARGS__}))

static void diagonals(net *t) {
    t->spread = 0.5;
    const uint32_t x = integers(t, SHAPE(2, 3, 3)), y = integers(t, SHAPE(3, 2, 3)),
                   z = integers(t, SHAPE(3, 3, 3));
    EINSUM("bii->bi", x);
    EINSUM("bii->b", x);
    EINSUM("iji->ji", y);
    EINSUM("iii->i", z);
    EINSUM("iii", z);
    EINSUM("...ii->...i", z);
    EINSUM("bii,iji->bj", x, y);
}

static void products_of_several(net *t) {
    t->spread = 0.25;
    const uint32_t x = integers(t, SHAPE(2, 3)), y = integers(t, SHAPE(3, 4)), z = integers(t, SHAPE(4, 2));
    EINSUM("ij,jk,kl->il", x, y, z);
    EINSUM("ij,jk,ki->", x, y, z);
    EINSUM("ij,kl->jk", x, z);
    EINSUM("ij,kl", x, y);
}

static void stretched(net *t) {
    t->spread = 0.25;
    const uint32_t x = integers(t, SHAPE(1, 3, 4)), y = integers(t, SHAPE(2, 4, 3)),
                   one = integers(t, SHAPE(1, 1));
    EINSUM("bij,bjk->bik", x, y);
    EINSUM("...ij,...jk", x, y);
    EINSUM("ij,ij->ij", one, one);
    EINSUM("ij,bjk->bk", one, y);
}

static void batched_products(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 3)), y = input(t, SHAPE(1, 3));
    EINSUM("bii,bi->bi", x, y);
    EINSUM("bij,bi,bj->b", x, y, y);
}

/* --- pools --- */

static void window(net *t, int64_t kernel, int64_t pad, int64_t stride) {
    with_ints(t, "kernel_shape", SHAPE(kernel, kernel));
    with_ints(t, "pads", SHAPE(pad, pad, pad, pad));
    with_ints(t, "strides", SHAPE(stride, stride));
}

static void norms(net *t) {
    const uint32_t x = input(t, SHAPE(1, 2, 6, 6));
    for (int64_t p = 3; p <= 5; p++) {
        window(t, 3, 1, 2);
        with_int(t, "p", p);
        output(t, op(t, "LpPool", 1, x));
    }
    with_int(t, "p", 3);
    output(t, op(t, "GlobalLpPool", 1, x));
}

/* Windows of 2, 4 .. 7 cells on each axis: the lowering's weights would be as large as 84^2. */
static void unlike_counts(net *t) {
    const uint32_t x = input(t, SHAPE(1, 2, 9, 9)), y = op(t, "Relu", 1, x);
    window(t, 7, 3, 1);
    output(t, op(t, "AveragePool", 1, x));
    window(t, 7, 3, 2);
    with_int(t, "ceil_mode", 1);
    with_int(t, "count_include_pad", 1);
    output(t, op(t, "AveragePool", 1, y));
}

/* --- convolutions with weights that arrive at run time --- */

static void run_time_weights(net *t) {
    const uint32_t x = input(t, SHAPE(2, 4, 5, 6)), w = input(t, SHAPE(3, 4, 3, 2)),
                   bias = input(t, SHAPE(3)), grouped = input(t, SHAPE(6, 2, 2, 3)),
                   deep = input(t, SHAPE(4, 1, 3, 3));
    output(t, op(t, "Conv", 2, x, w));
    window(t, 3, 1, 2);
    output(t,
           op(t, "Conv", 3, x, op(t, "Pad", 2, w, shape_constant(t, SHAPE(0, 0, 0, 0, 0, 0, 0, 1))), bias));
    with_int(t, "group", 2);
    output(t, op(t, "Conv", 2, x, grouped));
    with_int(t, "group", 4);
    with_ints(t, "dilations", SHAPE(1, 2));
    output(t, op(t, "Conv", 2, x, deep));
}

static void run_time_weights_transposed(net *t) {
    const uint32_t x = input(t, SHAPE(2, 4, 3, 3)), w = input(t, SHAPE(4, 3, 2, 2)),
                   bias = input(t, SHAPE(3)), single = input(t, SHAPE(4, 1, 3, 3));
    output(t, op(t, "ConvTranspose", 2, x, w));
    with_ints(t, "strides", SHAPE(2, 2));
    output(t, op(t, "ConvTranspose", 3, x, w, bias));
    with_int(t, "group", 2);
    output(t, op(t, "ConvTranspose", 2, x, w));
    with_int(t, "group", 4);
    output(t, op(t, "ConvTranspose", 2, x, single));
}

static void run_time_weights_of_solids(net *t) {
    const uint32_t x = input(t, SHAPE(1, 2, 4, 3, 4)), w = input(t, SHAPE(3, 2, 2, 2, 3));
    output(t, op(t, "Conv", 2, x, w));
}

/* --- bits of integers --- */

static void bits(net *t) {
    const uint32_t x = int_input(t, ONNX_INT8, SHAPE(2, 9)), y = int_input(t, ONNX_INT8, SHAPE(9));
    output(t, op(t, "BitwiseAnd", 2, x, y));
    output(t, op(t, "BitwiseOr", 2, x, y));
    output(t, op(t, "BitwiseXor", 2, x, y));
    const uint32_t wide = int_input(t, ONNX_INT16, SHAPE(5)), other = int_input(t, ONNX_INT16, SHAPE(5));
    output(t, op(t, "BitwiseXor", 2, wide, other));
}

static uint32_t magnitudes(net *t, int type, const int64_t n) {
    const uint32_t x = op(t, "Abs", 1, int_input(t, ONNX_INT16, SHAPE(n)));
    with_int(t, "to", type);
    return op(t, "Cast", 1, x);
}

static void shifts(net *t) {
    t->spread = 0.5;
    const uint32_t x = magnitudes(t, ONNX_UINT8, 12), n = magnitudes(t, ONNX_UINT8, 12),
                   y = magnitudes(t, ONNX_UINT32, 12), k = magnitudes(t, ONNX_UINT32, 12);
    static const char *const directions[] = {"LEFT", "RIGHT"};
    for (unsigned i = 0; i < 2; i++) {
        with_text(t, "direction", directions[i]);
        output(t, op(t, "BitShift", 2, x, n));
        with_text(t, "direction", directions[i]);
        output(t, op(t, "BitShift", 2, y, k));
    }
}

/* --- places --- */

static void blocks(net *t) {
    const uint32_t x = input(t, SHAPE(1, 12, 4)), y = input(t, SHAPE(1, 8, 9));
    const uint32_t image = shape_constant(t, SHAPE(5, 5)), block = shape_constant(t, SHAPE(2, 3)),
                   square = shape_constant(t, SHAPE(2, 2));
    with_ints(t, "strides", SHAPE(3, 2));
    output(t, op(t, "Col2Im", 3, x, image, block));
    with_ints(t, "dilations", SHAPE(3, 3));
    with_ints(t, "pads", SHAPE(1, 0, 0, 1));
    output(t, op(t, "Col2Im", 3, y, image, square));
}

static void cropped_and_padded(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(4, 5, 6));
    output(t, op(t, "CenterCropPad", 2, x, shape_constant(t, SHAPE(3, 8, 3))));
    with_ints(t, "axes", SHAPE(-1, 1));
    output(t, op(t, "CenterCropPad", 2, x, shape_constant(t, SHAPE(9, 2))));
}

/* Places that a pool has found: one more than they can be is refused, so they come from the graph itself. */
static void unpooled(net *t) {
    const uint32_t x = input(t, SHAPE(1, 2, 4, 4));
    with_int(t, "mica_part", 1);
    with_int(t, "mica_parts", 2);
    with_ints(t, "kernel_shape", SHAPE(2, 2));
    with_ints(t, "strides", SHAPE(2, 2));
    const uint32_t at = op(t, "MaxPool", 1, x);
    with_ints(t, "kernel_shape", SHAPE(2, 2));
    with_ints(t, "strides", SHAPE(2, 2));
    const uint32_t most = op(t, "MaxPool", 1, x);
    for (unsigned i = 0; i < 2; i++) {
        with_ints(t, "kernel_shape", SHAPE(2, 2));
        with_ints(t, "strides", SHAPE(2, 2));
        output(t, i == 0 ? op(t, "MaxUnpool", 2, most, at)
                         : op(t, "MaxUnpool", 3, most, at, shape_constant(t, SHAPE(1, 2, 5, 6))));
    }
}

/* Pools whose maxima are taken one axis after the other: every attribute, values below 0 in the padding. */
static uint32_t pool(net *t, uint32_t x, const int64_t *kernel, const int64_t *stride,
                     const int64_t *dilation, const int64_t *pads, int ceil_mode) {
    with_ints(t, "kernel_shape", 2, kernel);
    with_ints(t, "strides", 2, stride);
    with_ints(t, "dilations", 2, dilation);
    with_ints(t, "pads", 4, pads);
    with_int(t, "ceil_mode", ceil_mode);
    return op(t, "MaxPool", 1, x);
}
#define POOL(x, ...) output(t, pool(t, x, __VA_ARGS__))
#define LIST(...)    ((const int64_t[]){__VA_ARGS__})

static void separated_pools(net *t) {
    const uint32_t x = int_input(t, ONNX_INT8, SHAPE(1, 24, 17, 21));
    POOL(x, LIST(3, 3), LIST(2, 2), LIST(1, 1), LIST(0, 0, 0, 0), 0);
    POOL(x, LIST(3, 3), LIST(1, 1), LIST(1, 1), LIST(1, 1, 1, 1), 0);
    POOL(x, LIST(2, 5), LIST(1, 2), LIST(3, 2), LIST(1, 0, 0, 2), 0);
    POOL(x, LIST(4, 3), LIST(3, 2), LIST(1, 1), LIST(0, 2, 1, 1), 1);
    POOL(x, LIST(5, 5), LIST(4, 4), LIST(1, 1), LIST(0, 0, 0, 0), 1);
    with_ints(t, "kernel_shape", SHAPE(4, 4));
    with_text(t, "auto_pad", "SAME_LOWER");
    output(t, op(t, "MaxPool", 1, x));
}

static void separated_solids(net *t) {
    with_ints(t, "kernel_shape", SHAPE(3, 2, 3));
    with_ints(t, "pads", SHAPE(1, 0, 1, 1, 1, 0));
    output(t, op(t, "MaxPool", 1, int_input(t, ONNX_INT8, SHAPE(1, 6, 7, 9, 8))));
}

/* The place of the maximum beside its value. */
static void separated_places(net *t) {
    const uint32_t x = int_input(t, ONNX_INT8, SHAPE(1, 16, 12, 16));
    for (int64_t part = 0; part < 2; part++) {
        with_int(t, "mica_part", part);
        with_int(t, "mica_parts", 2);
        with_ints(t, "kernel_shape", SHAPE(3, 3));
        output(t, op(t, "MaxPool", 1, x));
    }
}

static unsigned count_pools(int64_t channels, int64_t kernel) {
    net t;
    unsigned n = 0;
    net_create(&t, 1, false);
    with_ints(&t, "kernel_shape", SHAPE(kernel, kernel));
    output(&t, op(&t, "MaxPool", 1, input(&t, SHAPE(1, channels, 17, 18))));
    ck_assert_msg(graph_infer_shapes(&t.g, &t.st) && graph_expand(&t.g, &t.st), "%s", t.st.message);
    for (uint32_t i = 0; i < t.g.n_nodes; i++)
        n += !t.g.node[i].removed && t.g.node[i].kind == OP_MAXPOOL;
    graph_free(&t.g);
    return n;
}

START_TEST(large_pools_are_separated) {
    ck_assert_uint_eq(count_pools(64, 3), 2);
    ck_assert_uint_eq(count_pools(1, 3), 1); /* too few comparisons to matter */
    ck_assert_uint_eq(count_pools(64, 1), 1);
}
END_TEST

/* --- grids --- */

static void grids(net *t) {
    const uint32_t theta = input(t, SHAPE(1, 2, 3)), solid = input(t, SHAPE(1, 3, 4));
    output(t, op(t, "AffineGrid", 2, theta, shape_constant(t, SHAPE(1, 1, 3, 4))));
    with_int(t, "align_corners", 1);
    output(t, op(t, "AffineGrid", 2, solid, shape_constant(t, SHAPE(1, 2, 2, 3, 1))));
}

static void sampled(net *t, uint32_t x, uint32_t grid, const char *mode, const char *padding, int aligned) {
    with_text(t, "mode", mode);
    with_text(t, "padding_mode", padding);
    with_int(t, "align_corners", aligned);
    output(t, op(t, "GridSample", 2, x, grid));
}

static void sampled_at_constants(net *t) {
    static const char *const modes[] = {"nearest", "linear", "cubic"}, *const paddings[] = {"zeros", "border",
                                                                                            "reflection"};
    const uint32_t x = input(t, SHAPE(1, 2, 4, 5)), grid = constant(t, 0.1, 1.6, SHAPE(1, 3, 4, 2));
    for (unsigned i = 0; i < 9; i++)
        sampled(t, x, grid, modes[i / 3], paddings[i % 3], i % 2);
}

static void sampled_at_run_time(net *t) {
    const uint32_t x = input(t, SHAPE(1, 2, 4, 5)), grid = input(t, SHAPE(1, 2, 3, 2));
    sampled(t, x, grid, "linear", "zeros", 0);
    sampled(t, x, grid, "bilinear", "border", 1);
    sampled(t, x, grid, "cubic", "zeros", 1);
    sampled(t, x, grid, "cubic", "border", 0);
    const uint32_t solid = input(t, SHAPE(1, 1, 2, 3, 2)), places = input(t, SHAPE(1, 1, 2, 2, 3)),
                   line = input(t, SHAPE(1, 2, 6)), along = input(t, SHAPE(1, 4, 1));
    sampled(t, solid, places, "linear", "border", 0);
    sampled(t, line, along, "linear", "zeros", 0);
}

/* Positions beyond the input by up to its own width. */
static void reflected(net *t) {
    const uint32_t x = input(t, SHAPE(1, 1, 3, 3)),
                   grid = op(t, "Mul", 2, input(t, SHAPE(1, 2, 3, 2)), number(t, 2));
    sampled(t, x, grid, "linear", "reflection", 0);
    sampled(t, x, grid, "linear", "reflection", 1);
}

static void never_infinite(net *t) {
    const uint32_t x = input(t, SHAPE(2, 3)), no = op(t, "IsNaN", 1, x);
    output(t, op(t, "Where", 3, no, number(t, 0), x));
}

/* --- spectra --- */

static void spectra(net *t) {
    const uint32_t x = input(t, SHAPE(1, 6, 3, 1)), y = input(t, SHAPE(1, 4, 2));
    t->g.opset = 20;
    const uint32_t axis = int_number(t, 1), length = int_number(t, 9);
    output(t, op(t, "DFT", 3, x, GRAPH_NO_VALUE, axis));
    with_int(t, "onesided", 1);
    output(t, op(t, "DFT", 3, x, length, axis));
    with_int(t, "inverse", 1);
    output(t, op(t, "DFT", 1, y));
    with_int(t, "inverse", 1);
    with_int(t, "onesided", 1);
    output(t, op(t, "DFT", 1, y));
}

static void frames(net *t) {
    const uint32_t x = input(t, SHAPE(1, 24, 1)), hop = int_number(t, 4), length = int_number(t, 8);
    t->g.opset = 17;
    const uint32_t window = constant(t, 0.5, 0.5, SHAPE(8));
    output(t, op(t, "STFT", 4, x, hop, window, GRAPH_NO_VALUE));
    with_int(t, "onesided", 0);
    output(t, op(t, "STFT", 4, x, hop, GRAPH_NO_VALUE, length));
}

static void frames_of_a_window(net *t) {
    const uint32_t x = input(t, SHAPE(2, 20, 2)), window = input(t, SHAPE(8));
    t->g.opset = 17;
    with_int(t, "onesided", 0);
    output(t, op(t, "STFT", 3, x, int_number(t, 5), window));
}

/* --- losses --- */

static void losses(net *t) {
    static const char *const reductions[] = {"none", "sum", "mean"};
    const uint32_t x = input(t, SHAPE(2, 4, 3)), w = constant(t, 1, 0.5, SHAPE(4));
    const uint32_t label = op(t, "Abs", 1, int_input(t, ONNX_INT64, SHAPE(2, 3)));
    t->spread = 0.3; /* labels 0 to 3 */
    for (unsigned i = 0; i < 3; i++) {
        with_text(t, "reduction", reductions[i]);
        output(t, op(t, "NegativeLogLikelihoodLoss", 3, x, label, w));
        with_text(t, "reduction", reductions[i]);
        output(t, op(t, "SoftmaxCrossEntropyLoss", 2, x, label));
    }
    with_text(t, "reduction", "none");
    with_int(t, "ignore_index", 2);
    output(t, op(t, "SoftmaxCrossEntropyLoss", 3, x, label, w));
    with_int(t, "mica_part", 1);
    output(t, op(t, "SoftmaxCrossEntropyLoss", 2, x, label));
}

static const op_case cases[] = {
    {"diagonals", diagonals, false, EXACT, EXACT},
    {"products_of_several", products_of_several, false, EXACT, EXACT},
    {"stretched", stretched, false, EXACT, EXACT},
    {"batched_products", batched_products, true, 0.003, 0.01},
    {"norms", norms, true, 0.005, 0.01},
    {"run_time_weights", run_time_weights, false, 0.003, 0.01},
    {"run_time_weights_transposed", run_time_weights_transposed, false, 0.003, 0.01},
    {"run_time_weights_of_solids", run_time_weights_of_solids, false, 0.003, 0.01},
    {"bits", bits, false, EXACT, EXACT},
    {"shifts", shifts, false, EXACT, EXACT},
    {"blocks", blocks, true, 0.003, 0.01},
    {"cropped_and_padded", cropped_and_padded, false, EXACT, EXACT},
    {"unpooled", unpooled, false, 0.1, 1},
    {"separated_pools", separated_pools, false, EXACT, EXACT},
    {"separated_solids", separated_solids, false, EXACT, EXACT},
    {"separated_places", separated_places, false, EXACT, EXACT},
    {"grids", grids, true, 0.003, 0.01},
    {"sampled_at_constants", sampled_at_constants, true, 0.004, 0.02},
    {"sampled_at_run_time", sampled_at_run_time, true, 0.006, 0.03},
    {"reflected", reflected, true, 0.01, 0.04},
    {"never_infinite", never_infinite, false, 0.003, 0.01},
    {"spectra", spectra, true, 0.004, 0.02},
    {"frames", frames, true, 0.004, 0.02},
    {"frames_of_a_window", frames_of_a_window, false, 0.004, 0.02},
    {"losses", losses, false, 0.01, 0.04},
    {"unlike_counts", unlike_counts, true, 0.003, 0.01},
};
#define N_CASES ((int)(sizeof cases / sizeof *cases))

START_TEST(operators) {
    run_op_case(&cases[_i]);
}
END_TEST

/* Windows are constants before anything is lowered. */
START_TEST(windows) {
    static const struct {
        const char *op;
        int periodic;
        double want[4];
    } rows[] = {
        {"HannWindow", 1, {0, 0.5, 1, 0.5}},
        {"HannWindow", 0, {0, 0.75, 0.75, 0}},
        {"HammingWindow", 1, {4.0 / 46, 25.0 / 46, 1, 25.0 / 46}},
        {"BlackmanWindow", 1, {0, 0.34, 1, 0.34}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        net t;
        net_create(&t, 1, false);
        with_int(&t, "periodic", rows[i].periodic);
        const uint32_t w = op(&t, rows[i].op, 1, int_number(&t, 4));
        output(&t, op(&t, "Add", 2, input(&t, SHAPE(4)), w));
        ck_assert_msg(graph_infer_shapes(&t.g, &t.st) && graph_fold_constants(&t.g, &t.st), "%s",
                      t.st.message);
        ck_assert_ptr_nonnull(t.g.value[w].real);
        for (int k = 0; k < 4; k++)
            ck_assert_double_eq_tol(t.g.value[w].real[k], rows[i].want[k], 1e-12);
        graph_free(&t.g);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("expand");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, operators, 0, N_CASES);
    tcase_add_test(tc, windows);
    tcase_add_test(tc, large_pools_are_separated);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
