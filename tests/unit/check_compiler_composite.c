/* Operators that are made of others, operands that arrive at run time, written-out statistics, the operators
 * of ai.onnx.ml: lowered and run against the float reference; integers exactly.
 */
#define _GNU_SOURCE
#include "lowering_kit.h"

static void with_floats(net *t, const char *name, unsigned n, const double *x) {
    double *copy = memory(t, n, sizeof *copy);
    memcpy(copy, x, n * sizeof *copy);
    t->attr[t->n_attrs++] = (graph_attr){.name = name, .type = ATTR_FLOATS, .n = n, .floats = copy};
}

static uint32_t int_number(net *t, int type, int64_t x) {
    const uint32_t v = shape_constant(t, 1, &x);
    t->g.value[v].onnx_dtype = type;
    t->g.value[v].rank = 0;
    return v;
}

/* --- Gemm, Clip --- */

static void gemm(net *t) {
    const uint32_t a = input(t, SHAPE(3, 4)), b = input(t, SHAPE(4, 5)), c = input(t, SHAPE(3, 5)),
                   row = input(t, SHAPE(5)), column = input(t, SHAPE(3, 1)),
                   w = constant(t, 0, 1, SHAPE(5, 4));
    output(t, op(t, "Gemm", 3, a, b, c));
    with_float(t, "alpha", -0.25);
    with_float(t, "beta", 0.35);
    output(t, op(t, "Gemm", 3, a, b, row));
    with_float(t, "alpha", 0.5);
    with_int(t, "transB", 1);
    output(t, op(t, "Gemm", 3, a, w, column));
    with_float(t, "beta", 0);
    output(t, op(t, "Gemm", 3, a, b, c));
    with_float(t, "alpha", 2);
    output(t, op(t, "Gemm", 2, a, b));
    const uint32_t turned = op(t, "Transpose", 1, a);
    with_int(t, "transA", 1);
    output(t, op(t, "Gemm", 3, turned, b, number(t, 1)));
}

static void clip(net *t) {
    const int64_t none[1] = {0};
    const uint32_t x = input(t, SHAPE(1, 30)), lo = input(t, 0, none),
                   hi = op(t, "Add", 2, lo, number(t, 0.4));
    output(t, op(t, "Clip", 3, x, lo, hi));
    output(t, op(t, "Clip", 2, x, lo));
    output(t, op(t, "Clip", 3, x, GRAPH_NO_VALUE, hi));
    output(t, op(t, "Clip", 3, x, number(t, 0.5), number(t, -0.25))); /* the upper bound wins */
    output(t, op(t, "Clip", 1, x));
}

static void clip_integers(net *t) {
    const int64_t none[1] = {0};
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(30)), lo = int_input(t, ONNX_INT32, 0, none);
    const uint32_t three = int_number(t, ONNX_INT32, 3);
    output(t, op(t, "Clip", 3, x, lo, three));
    output(t, op(t, "Clip", 2, x, lo));
    output(t, op(t, "CastLike", 2, op(t, "Greater", 2, x, lo), lo));
}

/* Written out, bounds that are integers in units of 1: a table of two rows must keep both. */
static void clip_written_out(net *t) {
    const uint32_t x = op(t, "Mul", 2, input(t, SHAPE(1, 30)), number(t, 3));
    const uint32_t one = op(t, "Neg", 1, op(t, "Sign", 1, op(t, "Abs", 1, input(t, SHAPE(1, 1)))));
    output(t, op(t, "Where", 3, op(t, "Less", 2, x, one), one, x));
}

/* Reals that are integers, in steps of 1, and constants between two of them. */
static void constants_between_steps(net *t) {
    const uint32_t x = op(t, "Round", 1, op(t, "Mul", 2, input(t, SHAPE(1, 40)), number(t, 2)));
    const uint32_t y = op(t, "Add", 2, op(t, "Mul", 2, x, number(t, 0.5)), number(t, 0.6));
    output(t, y);
    output(t, op(t, "Less", 2, x, number(t, 1.5)));
}

/* --- Pow, Mod --- */

static uint32_t positive(net *t, uint32_t x, double least) {
    return op(t, "Add", 2, op(t, "Abs", 1, x), number(t, least));
}

static void powers(net *t) {
    const uint32_t x = positive(t, input(t, SHAPE(2, 3, 8)), 0.2), e = input(t, SHAPE(3, 1));
    output(t, op(t, "Pow", 2, x, e));
    output(t, op(t, "Pow", 2, x, constant(t, 0, 2, SHAPE(3, 8))));
    output(t, op(t, "Pow", 2, number(t, 3), e));
}

/* Some bases are 0, and so are some exponents. */
static void powers_of_zero(net *t) {
    const uint32_t x = op(t, "Relu", 1, input(t, SHAPE(2, 3, 8))), e = op(t, "Relu", 1, input(t, SHAPE(8)));
    output(t, op(t, "Pow", 2, x, e));
    output(t, op(t, "Pow", 2, x, op(t, "Add", 2, e, number(t, 0.5))));
}

static void powers_of_integers(net *t) {
    const int64_t exponent[4] = {0, 1, 2, 3};
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(6, 4)), c = shape_constant(t, 4, exponent);
    const uint32_t one = int_number(t, ONNX_INT64, 1), three = int_number(t, ONNX_INT32, 3);
    with_int(t, "axis", 1);
    const uint32_t place = op(t, "ArgMax", 1, x), e = op(t, "Add", 2, place, one);
    output(t, op(t, "Pow", 2, x, c));
    output(t, op(t, "Pow", 2, x, place));
    output(t, op(t, "Pow", 2, e, e));
    output(t, op(t, "Pow", 2, op(t, "Add", 2, one, one), e));
    with_int(t, "fmod", 1);
    output(t, op(t, "Mod", 2, x, three));
}

static void remainders(net *t) { /* sawteeth: only where the quotients agree are they close */
    const uint32_t x = op(t, "Round", 1, op(t, "Mul", 2, input(t, SHAPE(1, 50)), number(t, 40)));
    const uint32_t y =
        op(t, "Round", 1, op(t, "Mul", 2, positive(t, input(t, SHAPE(1, 50)), 0.3), number(t, 9)));
    const uint32_t below = op(t, "Neg", 1, y), z = op(t, "Mul", 2, input(t, SHAPE(1, 50)), number(t, 3));
    with_int(t, "fmod", 1);
    output(t, op(t, "Mod", 2, x, y));
    with_int(t, "fmod", 1);
    output(t, op(t, "Mod", 2, x, below));
    with_int(t, "fmod", 1);
    output(t, op(t, "Mod", 2, z, number(t, 64)));
}

/* --- functions of one variable --- */

static void functions(net *t) {
    const uint32_t x = input(t, SHAPE(1, 60)), narrow = op(t, "Mul", 2, x, number(t, 0.9));
    static const char *const types[] = {"Sinh", "Cosh", "Asinh", "Atanh"};
    for (unsigned i = 0; i < 4; i++)
        output(t, op(t, types[i], 1, i == 3 ? narrow : x));
    output(t, op(t, "Asinh", 1, op(t, "Mul", 2, x, number(t, 100))));
    output(t, op(t, "Acosh", 1, op(t, "Add", 2, op(t, "Relu", 1, x), number(t, 1)))); /* 1 among them */
}

static void bitwise_not(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(20));
    output(t, op(t, "BitwiseNot", 1, x));
    const uint32_t magnitude = op(t, "Abs", 1, x);
    with_int(t, "to", ONNX_UINT8);
    output(t, op(t, "BitwiseNot", 1, op(t, "Cast", 1, magnitude)));
}

/* --- norms and statistics --- */

static void lp_normalization(net *t) {
    const uint32_t x = input(t, SHAPE(1, 3, 7));
    with_int(t, "axis", 1);
    output(t, op(t, "LpNormalization", 1, x));
    with_int(t, "p", 1);
    output(t, op(t, "LpNormalization", 1, x));
    output(t, op(t, "LpNormalization", 1, op(t, "Mul", 2, x, number(t, 0)))); /* zeros stay zeros */
}

/* mean(x x) - mean(x) mean(x), as exporters write it, and the deviation as an output of its own. */
static void written_out_variance(net *t) {
    const int64_t axes[1] = {1};
    const uint32_t x = op(t, "Add", 2, input(t, SHAPE(2, 40)), number(t, 3));
    with_ints(t, "axes", 1, axes);
    const uint32_t mean = op(t, "ReduceMean", 1, x);
    const uint32_t square = op(t, "Mul", 2, x, x);
    with_ints(t, "axes", 1, axes);
    const uint32_t squares = op(t, "ReduceMean", 1, square);
    const uint32_t variance = op(t, "Sub", 2, squares, op(t, "Mul", 2, mean, mean));
    const uint32_t deviation = op(t, "Sqrt", 1, op(t, "Add", 2, variance, number(t, 1e-5)));
    output(t, op(t, "Div", 2, op(t, "Sub", 2, x, mean), deviation));
    output(t, op(t, "Reciprocal", 1, deviation));
}

/* The same as other exporters write it: sums times 1/n, without the axis of the mean, and a maximum with 0.
 */
static void summed_variance(net *t) {
    const uint32_t x = input(t, SHAPE(1, 8, 5)), axis = shape_constant(t, SHAPE(1));
    const uint32_t kept = shape_constant(t, SHAPE(1, 1, 5)), share = number(t, (double)0.125f);
    with_int(t, "keepdims", 0);
    const uint32_t sum = op(t, "ReduceSum", 2, x, axis), mean = op(t, "Mul", 2, share, sum);
    const uint32_t cells = op(t, "Mul", 2, x, x);
    with_int(t, "keepdims", 0);
    const uint32_t squares = op(t, "ReduceSum", 2, cells, axis);
    const uint32_t square = op(t, "Mul", 2, mean, mean);
    const uint32_t variance = op(t, "Sub", 2, op(t, "Mul", 2, squares, share), square);
    const uint32_t positive = op(t, "Max", 2, number(t, 0), variance);
    const uint32_t row = op(t, "Reshape", 2, positive, kept);
    const uint32_t root = op(t, "Sqrt", 1, op(t, "Add", 2, row, number(t, 1e-6)));
    output(t, op(t, "Div", 2, op(t, "Sub", 2, x, op(t, "Reshape", 2, mean, kept)), root));
}

static build_fn *const variances[] = {written_out_variance, summed_variance};
#define VARIANCES (int)(sizeof variances / sizeof *variances)

static unsigned count_kind(const graph *g, uint32_t kind) {
    unsigned n = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        n += g->node[i].kind == kind;
    return n;
}

/* The graph's first output on one sample, as it is or with its statistics recognised. */
static double *evaluate_variance(build_fn *build, bool recognised, size_t *n) {
    net t;
    net_create(&t, 5, false);
    build(&t);
    ck_assert(graph_infer_shapes(&t.g, &t.st) && (!recognised || graph_recognise(&t.g, &t.st)));
    ck_assert_uint_eq(count_kind(&t.g, OP_VARIANCE), recognised);
    ck_assert_uint_eq(count_kind(&t.g, OP_ROOT), recognised);
    ck_assert_uint_eq(count_kind(&t.g, OP_MAX), recognised ? 0 : build == summed_variance);
    ck_assert(!recognised || graph_expand(&t.g, &t.st));
    double ***samples = make_samples(&t), **value = graph_buffers_create(&t.g, &t.st);
    ck_assert(value && graph_evaluate(&t.g, (const double *const *)samples[0], value, &t.st));
    *n = (size_t)graph_elements(&t.g.value[t.g.output[0]]);
    double *y = malloc(*n * sizeof *y);
    memcpy(y, value[t.g.output[0]], *n * sizeof *y);
    graph_buffers_free(&t.g, value);
    free_samples(&t, samples);
    graph_free(&t.g);
    return y;
}

START_TEST(variance_is_recognised) {
    size_t n, again;
    double *want = evaluate_variance(variances[_i], false, &n);
    double *got = evaluate_variance(variances[_i], true, &again);
    ck_assert_uint_eq(n, again);
    for (size_t i = 0; i < n; i++)
        ck_assert_double_eq_tol(want[i], got[i], 1e-6);
    free(want);
    free(got);
}
END_TEST

/* log(sum(exp x)) written out, over values whose exponentials differ by factors of many thousands. */
static void written_out_log_sum_exp(net *t) {
    const uint32_t axis = shape_constant(t, SHAPE(2));
    const uint32_t x = op(t, "Mul", 2, input(t, SHAPE(1, 6, 5)), number(t, 5));
    output(t, op(t, "Log", 1, op(t, "ReduceSum", 2, op(t, "Exp", 1, x), axis)));
    with_int(t, "keepdims", 0);
    output(t, op(t, "Log", 1, op(t, "ReduceSum", 2, op(t, "Exp", 1, x), axis)));
}

/* --- ai.onnx.ml --- */

static const double coefficients[12] = {1, -0.5, 0.25, 2, -1, 0.5, 0.3, 0.7, -0.9, 0.1, 1.5, -2};

/* The scores: the importer makes two nodes, of which the label is part 0. */
static void classify(net *t, uint32_t x, unsigned rows, const char *after, const int64_t *label) {
    static const double intercepts[3] = {0.1, -0.2, 0.3};
    with_int(t, "mica_part", 1);
    with_floats(t, "coefficients", rows * 4, coefficients);
    with_floats(t, "intercepts", rows, intercepts);
    with_ints(t, "classlabels_ints", rows == 1 ? 2 : rows, label);
    with_text(t, "post_transform", after);
    output(t, op(t, "ai.onnx.ml.LinearClassifier", 1, x));
}

static void classifiers(net *t) {
    const uint32_t x = input(t, SHAPE(1, 4));
    classify(t, x, 3, "NONE", (const int64_t[]){0, 1, 2});
    classify(t, x, 3, "SOFTMAX", (const int64_t[]){5, 3, 9});
    classify(t, x, 3, "LOGISTIC", (const int64_t[]){2, 4, 6});
    classify(t, x, 1, "NONE", (const int64_t[]){7, 9});
    classify(t, x, 1, "LOGISTIC", (const int64_t[]){7, 9});
}

static void regressors(net *t) {
    const uint32_t x = input(t, SHAPE(1, 4));
    with_floats(t, "coefficients", 12, coefficients);
    output(t, op(t, "ai.onnx.ml.LinearRegressor", 1, x));
    with_floats(t, "coefficients", 12, coefficients);
    with_text(t, "post_transform", "SOFTMAX");
    output(t, op(t, "ai.onnx.ml.LinearRegressor", 1, x));
}

static void features(net *t) {
    const uint32_t x = input(t, SHAPE(1, 4));
    static const char *const norm[] = {"L1", "L2", "MAX"};
    for (unsigned i = 0; i < 3; i++) {
        const uint32_t y = i == 2 ? positive(t, x, 0.1) : x;
        with_text(t, "norm", norm[i]);
        output(t, op(t, "ai.onnx.ml.Normalizer", 1, y));
    }
    with_floats(t, "offset", 4, coefficients);
    with_floats(t, "scale", 4, coefficients + 4);
    output(t, op(t, "ai.onnx.ml.Scaler", 1, x));
    const uint32_t above = op(t, "Relu", 1, x);
    with_floats(t, "imputed_value_floats", 4, coefficients);
    with_float(t, "replaced_value_float", 0);
    output(t, op(t, "ai.onnx.ml.Imputer", 1, above));
    output(t, op(t, "ai.onnx.ml.ArrayFeatureExtractor", 2, x, shape_constant(t, SHAPE(3, 0, 3))));
}

static void labels(net *t) { /* of integers, which are exact */
    const uint32_t x = int_input(t, ONNX_INT64, SHAPE(4));
    static const double whole[12] = {1, -1, 2, 2, -1, 1, 3, 1, -2, 0, 1, -2};
    static const int64_t lists[3][3] = {{0, 1, 2}, {5, 3, 9}, {4, 2, 0}};
    for (unsigned i = 0; i < 3; i++) {
        with_floats(t, "coefficients", 12, whole);
        with_ints(t, "classlabels_ints", 3, lists[i]);
        output(t, op(t, "ai.onnx.ml.LinearClassifier", 1, x));
    }
    with_float(t, "threshold", 2);
    output(t, op(t, "ai.onnx.ml.Binarizer", 1, x));
}

static const op_case cases[] = {
    {"gemm", gemm, false, 0.003, 0.01},
    {"clip", clip, false, 0.003, 0.01},
    {"clip_integers", clip_integers, false, EXACT, EXACT},
    {"clip_written_out", clip_written_out, true, 0.003, 0.01},
    {"constants_between_steps", constants_between_steps, true, 0.003, 1},
    {"powers", powers, false, 0.003, 0.05},
    {"powers_of_zero", powers_of_zero, false, 0.005, 0.05},
    {"powers_of_integers", powers_of_integers, false, EXACT, EXACT},
    {"remainders", remainders, true, 0.02, 1},
    {"functions", functions, true, 0.01, 0.05},
    {"bitwise_not", bitwise_not, false, EXACT, EXACT},
    {"lp_normalization", lp_normalization, true, 0.003, 0.01},
    {"classifiers", classifiers, true, 0.003, 0.01},
    {"regressors", regressors, true, 0.003, 0.01},
    {"features", features, true, 0.003, 0.01},
    {"labels", labels, false, EXACT, EXACT},
    {"written_out_log_sum_exp", written_out_log_sum_exp, true, 0.003, 0.01},
};
#define N_CASES ((int)(sizeof cases / sizeof *cases))

START_TEST(operators) {
    run_op_case(&cases[_i]);
}
END_TEST

/* --- what is refused, by name --- */

static void negative_base(net *t) {
    const uint32_t x = input(t, SHAPE(8));
    output(t, op(t, "Pow", 2, x, input(t, SHAPE(8))));
}

START_TEST(negative_base_is_refused) {
    net t;
    mica_status st = {0};
    calibration cal;
    program p;
    net_create(&t, 5, false);
    negative_base(&t);
    const double base[8] = {1, 2, 1, 2, 1, 2, 1, 2}, power[8] = {0.5, 1, 2, 3, 0.5, 1, 2, 3};
    double signed_base[8];
    for (int i = 0; i < 8; i++)
        signed_base[i] = i == 2 ? -1 : base[i];
    const double *in[2] = {signed_base, power};
    const double *const *samples[1] = {in};
    const lowering_options options = {0};
    ck_assert(graph_infer_shapes(&t.g, &st) && graph_canonicalise(&t.g, &st) &&
              calibration_collect(&cal, &t.g, samples, 1, &st));
    ck_assert(!lower_graph(&p, NULL, &t.g, &cal, &options, &st));
    ck_assert_int_eq(st.code, MICA_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(st.message, "negative base") != NULL, "%s", st.message);
    calibration_free(&cal);
    graph_free(&t.g);
}
END_TEST

/* On these samples closer bounds hold than on any. */
START_TEST(close_bounds) {
    run_case("powers", powers, 5205, false, 0.003, 0.01);
    run_case("functions", functions, 5209, true, 0.004, 0.02);
}
END_TEST

int main(void) {
    Suite *s = suite_create("composite");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, operators, 0, N_CASES);
    tcase_add_test(tc, close_bounds);
    tcase_add_loop_test(tc, variance_is_recognised, 0, VARIANCES);
    tcase_add_test(tc, negative_base_is_refused);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
