/* Lying provers for operators over several axes, of odd sizes and in batches: normalisations, pools,
 * convolutions, reductions. What check_compiler_cheat does with rows of five. */
#include "lying_kit.h"

#define FOUR SHAPE(1, 2, 5, 3)

static uint32_t build_softmax(net *t) {
    return op(t, "Softmax", 1, input(t, SHAPE(1, 3, 7)));
}
static uint32_t build_softmax_middle(net *t) {
    with_int(t, "axis", 1);
    return op(t, "Softmax", 1, input(t, SHAPE(1, 5, 3)));
}
static uint32_t build_log_softmax(net *t) {
    return op(t, "LogSoftmax", 1, input(t, SHAPE(1, 3, 5)));
}
static uint32_t build_layer_norm(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 7));
    return op(t, "LayerNormalization", 3, x, constant(t, 1, 0.5, SHAPE(7)), constant(t, 0, 0.5, SHAPE(7)));
}
static uint32_t build_layer_norm_of_two(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 5));
    with_int(t, "axis", 1);
    return op(t, "LayerNormalization", 2, x, constant(t, 1, 0.5, SHAPE(3, 5)));
}
static uint32_t build_instance_norm(net *t) {
    const uint32_t x = input(t, FOUR);
    return op(t, "InstanceNormalization", 3, x, constant(t, 1, 0.5, SHAPE(2)), constant(t, 0, 0.5, SHAPE(2)));
}
static uint32_t build_lp_norm(net *t) {
    with_int(t, "axis", 1);
    return op(t, "LpNormalization", 1, input(t, SHAPE(1, 5, 3)));
}
static uint32_t build_lrn(net *t) {
    with_int(t, "size", 3);
    return op(t, "LRN", 1, input(t, SHAPE(1, 5, 3, 1)));
}
static uint32_t reduction(net *t, const char *type, int64_t axis) {
    const uint32_t x = input(t, SHAPE(1, 3, 7));
    with_ints(t, "axes", SHAPE(axis));
    with_int(t, "keepdims", 0);
    return op(t, type, 1, x);
}
static uint32_t build_root_rows(net *t) {
    return reduction(t, "ReduceL2", 2);
}
static uint32_t build_root_columns(net *t) {
    return reduction(t, "ReduceL2", 1);
}
static uint32_t build_log_sum_exp(net *t) {
    return reduction(t, "ReduceLogSumExp", 2);
}
static uint32_t build_least(net *t) {
    return reduction(t, "ReduceMin", 1);
}
static uint32_t build_mean(net *t) {
    return op(t, "Relu", 1, reduction(t, "ReduceMean", 2));
}
static uint32_t pool(net *t, const char *type) {
    const uint32_t x = input(t, FOUR);
    with_ints(t, "kernel_shape", SHAPE(3, 2));
    with_ints(t, "strides", SHAPE(2, 1));
    with_ints(t, "pads", SHAPE(1, 0, 1, 1));
    return op(t, type, 1, x);
}
static uint32_t build_max_pool(net *t) {
    return pool(t, "MaxPool");
}
static uint32_t build_average_pool(net *t) {
    return op(t, "Relu", 1, pool(t, "AveragePool"));
}
static uint32_t build_global_pool(net *t) {
    return op(t, "Relu", 1, op(t, "GlobalAveragePool", 1, input(t, FOUR)));
}
static uint32_t build_conv(net *t) {
    const uint32_t x = input(t, FOUR);
    with_ints(t, "pads", SHAPE(1, 1, 0, 0));
    return op(t, "Relu", 1,
              op(t, "Conv", 3, x, constant(t, 0, 0.5, SHAPE(3, 2, 3, 2)), constant(t, 0, 1, SHAPE(3))));
}
static uint32_t build_slopes(net *t) {
    const uint32_t x = input(t, FOUR);
    return op(t, "PRelu", 2, x, constant(t, 0, 0.5, SHAPE(2, 1, 1)));
}
static uint32_t build_extremes(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 3)), y = op(t, "Neg", 1, x);
    return op(t, "Sub", 2, op(t, "Max", 3, x, y, number(t, 0.3)), op(t, "Min", 2, x, number(t, 0.1)));
}
static uint32_t build_conditions(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 3)), zero = number(t, 0);
    const uint32_t a = op(t, "Greater", 2, x, zero), b = op(t, "LessOrEqual", 2, x, number(t, 0.7));
    return op(t, "Where", 3, op(t, "Xor", 2, op(t, "And", 2, a, b), op(t, "Not", 1, b)), x, zero);
}
static uint32_t build_integers(net *t) {
    const uint32_t x = int_input(t, ONNX_INT64, SHAPE(1, 3, 3));
    return op(t, "Mod", 2, x, shape_constant(t, SHAPE(5)));
}
static uint32_t build_rounding(net *t) {
    return op(t, "Floor", 1, op(t, "Mul", 2, input(t, SHAPE(1, 3, 3)), number(t, 3)));
}

static const struct {
    const char *name;
    uint32_t (*build)(net *t);
} cases[] = {
    {"Softmax", build_softmax},
    {"Softmax, axis 1", build_softmax_middle},
    {"LogSoftmax", build_log_softmax},
    {"LayerNorm", build_layer_norm},
    {"LayerNorm, 2 axes", build_layer_norm_of_two},
    {"InstanceNorm", build_instance_norm},
    {"LpNormalization", build_lp_norm},
    {"LRN", build_lrn},
    {"ReduceL2", build_root_rows},
    {"ReduceL2, axis 1", build_root_columns},
    {"ReduceLogSumExp", build_log_sum_exp},
    {"ReduceMin", build_least},
    {"ReduceMean", build_mean},
    {"MaxPool", build_max_pool},
    {"AveragePool", build_average_pool},
    {"GlobalAveragePool", build_global_pool},
    {"Conv with bias", build_conv},
    {"PRelu", build_slopes},
    {"Max and Min", build_extremes},
    {"conditions", build_conditions},
    {"Mod of integers", build_integers},
    {"Floor", build_rounding},
};
#define CASES (int)(sizeof cases / sizeof *cases)

/* Told in one of `batch` items. */
static void lie_about(int which, uint32_t batch, uint32_t per_tensor) {
    net t = {.seed = 6, .spread = 2};
    sealed m = {.batch = batch};
    ck_assert(graph_create(&t.g, &t.st));
    t.g.opset = 17;
    t.g.batched = true;
    output(&t, cases[which].build(&t));
    seal(&m, &t, AS_IT_COMES);
    lie.item = batch / 2;
    try_all(&m, cases[which].name, per_tensor);
    unseal(&m);
    graph_free(&t.g);
}

START_TEST(lies_are_rejected) {
    lie_about(_i, 1, 3);
}
END_TEST

START_TEST(lies_about_one_item_are_rejected) {
    lie_about(_i, 3, 1);
}
END_TEST

int main(void) {
    Suite *s = suite_create("lies about operators over several axes");
    TCase *c = tcase_create("lies");
    tcase_set_timeout(c, 300);
    tcase_add_loop_test(c, lies_are_rejected, 0, CASES);
    tcase_add_loop_test(c, lies_about_one_item_are_rejected, 0, CASES);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
