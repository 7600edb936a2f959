/* Lying provers for the operators whose witness is more than a table value: after one step of the lowered
 * program one cell of what it wrote is changed, the rest is computed from there on, and the real prover
 * completes the proof. The verifier must reject it: quotients, remainders, roots, positions and maxima leave
 * no second choice. */
#include "lying_kit.h"

typedef struct model_case {
    const char *name;
    uint32_t (*build)(net *t, uint32_t x);
    widths wide;
} model_case;

static uint32_t build_softmax(net *t, uint32_t x) {
    return op(t, "Softmax", 1, x);
}
/* Rows too long for a quotient of one digit. */
static uint32_t build_long_softmax(net *t, uint32_t x) {
    return op(t, "Softmax", 1, op(t, "MatMul", 2, x, constant(t, 0, 1, SHAPE(5, 65))));
}
static uint32_t build_argmax(net *t, uint32_t x) {
    with_int(t, "axis", 1);
    return op(t, "ArgMax", 1, x);
}
static uint32_t build_reduce_max(net *t, uint32_t x) {
    with_int(t, "keepdims", 0);
    return op(t, "ReduceMax", 1, x);
}
static uint32_t build_root(net *t, uint32_t x) {
    with_int(t, "keepdims", 0);
    return op(t, "ReduceL2", 1, x);
}
static uint32_t build_quotient(net *t, uint32_t x) {
    const uint32_t positive = op(t, "Add", 2, op(t, "Abs", 1, x), number(t, 0.5));
    return op(t, "Div", 2, x, positive);
}
static uint32_t build_norm(net *t, uint32_t x) {
    return op(t, "LayerNormalization", 2, x, constant(t, 1, 0.5, SHAPE(5)));
}
static uint32_t build_less(net *t, uint32_t x) {
    return op(t, "Where", 3, op(t, "Less", 2, x, number(t, 0.1)), op(t, "Neg", 1, x), x);
}
static uint32_t build_sigmoid(net *t, uint32_t x) {
    return op(t, "Sigmoid", 1, op(t, "MatMul", 2, x, constant(t, 0, 1, SHAPE(5, 3))));
}
/* The largest element, found by its computed position. */
static uint32_t build_gather(net *t, uint32_t x) {
    const uint32_t k = build_argmax(t, x);
    with_int(t, "axis", 1);
    return op(t, "GatherElements", 2, x, k);
}
/* Rows of a constant, by an index that the bounds leave open. */
static uint32_t build_gather_rows(net *t, uint32_t x) {
    const uint32_t k = build_argmax(t, x), open = op(t, "Sub", 2, op(t, "Add", 2, k, k), k);
    return op(t, "Gather", 2, constant(t, 0, 1, SHAPE(5, 2)), open);
}
static uint32_t build_one_hot(net *t, uint32_t x) {
    const uint32_t off_on = shape_constant(t, SHAPE(-1, 3));
    return op(t, "OneHot", 3, build_argmax(t, x), shape_constant(t, SHAPE(5)), off_on);
}
static uint32_t build_hardmax(net *t, uint32_t x) {
    return op(t, "Hardmax", 1, x);
}
static uint32_t build_integer_remainder(net *t, uint32_t x) {
    const uint32_t k = build_argmax(t, x), one = shape_constant(t, SHAPE(1));
    const uint32_t square = op(t, "Mul", 2, k, k);
    return op(t, "Mod", 2, op(t, "Sub", 2, square, op(t, "Add", 2, k, k)), op(t, "Add", 2, k, one));
}
static uint32_t scatter(net *t, uint32_t x, const char *reduction) {
    const uint32_t k = build_argmax(t, x);
    with_int(t, "axis", 1);
    const uint32_t twice = op(t, "Concat", 2, k, k);
    with_int(t, "axis", 1);
    with_text(t, "reduction", reduction);
    return op(t, "ScatterElements", 3, x, twice, constant(t, 0, 1, SHAPE(1, 2)));
}
static uint32_t build_scatter(net *t, uint32_t x) {
    return scatter(t, x, "none");
}
static uint32_t build_scatter_min(net *t, uint32_t x) {
    return scatter(t, x, "min");
}
/* An index that the bounds leave open: sums of integers. */
static uint32_t build_gather_nd(net *t, uint32_t x) {
    const uint32_t k = build_argmax(t, x), five = constant(t, 0, 1, SHAPE(5, 2));
    return op(t, "GatherND", 2, five, op(t, "Sub", 2, op(t, "Add", 2, k, k), k));
}

static uint32_t build_top(net *t, uint32_t x) {
    const int64_t two = 2;
    return op(t, "TopK", 2, x, shape_constant(t, 1, &two));
}
static uint32_t build_places(net *t, uint32_t x) {
    const uint32_t one_plane = op(t, "Reshape", 2, x, shape_constant(t, SHAPE(1, 1, 5)));
    with_int(t, "mica_part", 1);
    with_int(t, "mica_parts", 2);
    with_ints(t, "kernel_shape", SHAPE(3));
    with_ints(t, "pads", SHAPE(1, 0));
    return op(t, "MaxPool", 1, one_plane);
}
static uint32_t build_wrap(net *t, uint32_t x) {
    const uint32_t large = op(t, "Mul", 2, x, number(t, 200));
    with_int(t, "to", ONNX_INT32);
    const uint32_t wide = op(t, "Cast", 1, large);
    with_int(t, "to", ONNX_INT8);
    return op(t, "Cast", 1, wide);
}
/* Exponents and bases vary; some bases are 0. */
static uint32_t build_power(net *t, uint32_t x) {
    return op(t, "Pow", 2, op(t, "Relu", 1, x), op(t, "Abs", 1, x));
}
static uint32_t build_integer_power(net *t, uint32_t x) {
    const uint32_t k = build_argmax(t, x);
    return op(t, "Pow", 2, op(t, "Add", 2, k, k), k);
}
static uint32_t build_remainder(net *t, uint32_t x) {
    const uint32_t y = op(t, "Add", 2, op(t, "Abs", 1, x), constant(t, -0.6, 0.1, SHAPE(1, 5)));
    with_int(t, "fmod", 1);
    return op(t, "Mod", 2, x, y);
}
static uint32_t build_clip(net *t, uint32_t x) {
    with_int(t, "keepdims", 0);
    const uint32_t mean = op(t, "ReduceMean", 1, x);
    return op(t, "Clip", 2, x, mean);
}

static uint32_t narrow(net *t, uint32_t v) {
    t->g.value[v].onnx_dtype = ONNX_INT8;
    return v;
}
/* Two columns, of which one has ties if `scale` is a power of two. */
static uint32_t scaled_product(net *t, uint32_t x, double scale) {
    const uint32_t large = op(t, "Mul", 2, x, number(t, 8));
    with_int(t, "to", ONNX_INT8);
    const uint32_t a = op(t, "Cast", 1, large), zero = narrow(t, shape_constant(t, SHAPE(0)));
    const uint32_t ten = narrow(t, shape_constant(t, SHAPE(3, -2, 7, 1, 5, -6, 2, 4, -1, 1)));
    t->g.value[ten].rank = 2;
    t->g.value[ten].dim[0] = 5;
    t->g.value[ten].dim[1] = 2;
    return op(t, "QLinearMatMul", 8, a, number(t, scale), zero, ten, number(t, 0.25), zero, number(t, 1),
              zero);
}
static uint32_t build_scaling(net *t, uint32_t x) {
    return scaled_product(t, x, 0.37);
}
static uint32_t build_ties(net *t, uint32_t x) {
    return scaled_product(t, x, 0.5);
}

/* Scales and zero points of their own: a product, a table that rounds, another that saturates. */
static uint32_t build_quantise(net *t, uint32_t x) {
    const uint32_t zeros = shape_constant(t, SHAPE(5, 0, -9, 100, -120));
    const uint32_t scales = constant(t, 0.05, 0.04, SHAPE(5));
    return op(t, "QuantizeLinear", 3, x, scales, narrow(t, zeros));
}

/* A zero point that is computed: extremes, a quotient, a table that rounds. */
static uint32_t build_dynamic_quantise(net *t, uint32_t x) {
    with_int(t, "mica_part", 2);
    with_int(t, "mica_parts", 3);
    return op(t, "DynamicQuantizeLinear", 1, x);
}

static uint32_t build_two_stages(net *t, uint32_t x) {
    const uint32_t y = op(t, "Relu", 1, op(t, "MatMul", 2, x, constant(t, 0, 1, SHAPE(5, 3))));
    return op(t, "MatMul", 2, y, constant(t, 0, 1, SHAPE(3, 2)));
}

/* Rows long and large enough for weights of two limbs. */
static uint32_t build_two_limbs(net *t, uint32_t x) {
    const uint32_t wide = op(t, "MatMul", 2, x, constant(t, 0, 1, SHAPE(5, 48)));
    return op(t, "MatMul", 2, wide, constant(t, 0, 1, SHAPE(48, 3)));
}

static const model_case cases[] = {
    {"Pow", build_power, AS_IT_COMES},
    {"Pow of integers", build_integer_power, AS_IT_COMES},
    {"Mod of integers", build_integer_remainder, AS_IT_COMES},
    {"Gather", build_gather_rows, AS_IT_COMES},
    {"OneHot", build_one_hot, AS_IT_COMES},
    {"Hardmax", build_hardmax, AS_IT_COMES},
    {"Mod of reals", build_remainder, AS_IT_COMES},
    {"Clip at the mean", build_clip, AS_IT_COMES},
    {"Softmax", build_softmax, AS_IT_COMES},
    {"ArgMax", build_argmax, AS_IT_COMES},
    {"ReduceMax", build_reduce_max, AS_IT_COMES},
    {"ReduceL2", build_root, AS_IT_COMES},
    {"Div", build_quotient, AS_IT_COMES},
    {"LayerNorm", build_norm, AS_IT_COMES},
    {"Less and Where", build_less, AS_IT_COMES},
    {"Sigmoid", build_sigmoid, AS_IT_COMES},
    {"GatherElements", build_gather, AS_IT_COMES},
    {"ScatterElements", build_scatter, AS_IT_COMES},
    {"ScatterElements, min", build_scatter_min, AS_IT_COMES},
    {"GatherND", build_gather_nd, AS_IT_COMES},
    {"long Softmax", build_long_softmax, AS_IT_COMES},
    {"exact scaling", build_scaling, AS_IT_COMES},
    {"exact scaling, ties", build_ties, AS_IT_COMES},
    {"MaxPool indices", build_places, AS_IT_COMES},
    {"TopK", build_top, AS_IT_COMES},
    {"wrapping Cast", build_wrap, AS_IT_COMES},
    {"QuantizeLinear", build_quantise, AS_IT_COMES},
    {"DynamicQuantizeLinear", build_dynamic_quantise, AS_IT_COMES},
    {"two stages", build_two_stages, FINE},
    {"two limbs", build_two_limbs, SPLIT},
};
#define CASES (int)(sizeof cases / sizeof *cases)

static void lie_about(const model_case *c, uint32_t batch, uint32_t item, uint32_t per_tensor) {
    net t = {.seed = 5, .spread = 2};
    sealed m = {.batch = batch};
    ck_assert(graph_create(&t.g, &t.st));
    t.g.opset = 17;
    t.g.batched = true;
    output(&t, c->build(&t, input(&t, SHAPE(1, 5))));
    seal(&m, &t, c->wide);
    lie.item = item;
    try_all(&m, c->name, per_tensor);
    unseal(&m);
    graph_free(&t.g);
}

START_TEST(lies_are_rejected) {
    lie_about(&cases[_i], 1, 0, 5);
}
END_TEST

START_TEST(lies_about_one_item_are_rejected) {
    lie_about(&cases[_i], 3, 1, 1);
}
END_TEST

int main(void) {
    Suite *s = suite_create("lies about operators");
    TCase *c = tcase_create("lies");
    tcase_set_timeout(c, 300);
    tcase_add_loop_test(c, lies_are_rejected, 0, CASES);
    tcase_add_loop_test(c, lies_about_one_item_are_rejected, 0, CASES);
    suite_add_tcase(s, c);
    return suite_run(s);
}
