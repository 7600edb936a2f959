/* Elementwise functions of one variable: float references against libm; each lowered on a tensor of its own,
 * fused into the layer before it and at a graph output, and run against the float reference; integer-valued
 * functions exactly.
 */
#define _GNU_SOURCE
#include <math.h>

#include "lowering_kit.h"
#include "ops/unary.h"
#include "reference/float_math.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* --- the functions by libm, written from the standard's text --- */

static double leaky(double x, double a) {
    return x < 0 ? a * x : x;
}

static double reference(const char *op, double x, double a, double b) {
    const struct {
        const char *op;
        double y;
    } all[] = {
        {"LeakyRelu", leaky(x, a)},
        {"PRelu", leaky(x, a)},
        {"Elu", x < 0 ? a * (exp(x) - 1) : x},
        {"Selu", x <= 0 ? b * (a * exp(x) - a) : b * x},
        {"Celu", fmax(0, x) + fmin(0, a * (exp(x / a) - 1))},
        {"HardSigmoid", fmax(0, fmin(1, a * x + b))},
        {"HardSwish", x * fmax(0, fmin(1, x / 6 + 0.5))},
        {"Mish", x * tanh(log1p(exp(x)))},
        {"Softplus", log(exp(x) + 1)},
        {"Softsign", x / (1 + fabs(x))},
        {"Erf", erf(x)},
        {"Gelu", a == 0 ? x * erfc(-x / sqrt(2)) / 2
                        : 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * pow(x, 3))))},
        {"Exp", exp(x)},
        {"Log", log(x)},
        {"Sqrt", sqrt(x)},
        {"Reciprocal", 1 / x},
        {"Pow", pow(x, a)},
        {"Abs", fabs(x)},
        {"Neg", -x},
        {"Sign", (x > 0) - (x < 0)},
        {"Floor", floor(x)},
        {"Ceil", ceil(x)},
        {"Round", nearbyint(x)},
        {"ThresholdedRelu", x > a ? x : 0},
        {"Shrink", x < -a  ? x + b
                   : x > a ? x - b
                           : 0},
        {"Sin", sin(x)},
        {"Cos", cos(x)},
    };
    for (size_t i = 0; i < COUNT(all); i++)
        if (!strcmp(all[i].op, op))
            return all[i].y;
    ck_abort_msg("no function %s", op);
    return 0;
}

/* --- cases --- */

/* Attributes are named for the standard; a NULL name leaves the standard's default, which `a` and `b` state.
 */
typedef struct function_case {
    const char *op, *name_a, *name_b;
    double a, b;
    double lo, hi; /* of the argument */
    bool jumps;    /* near a jump the side is the input's resolution's: only the mean is bounded */
} function_case;

static const function_case functions[] = {
    {"LeakyRelu", NULL, NULL, 0.01, 0, -4, 3, false},
    {"LeakyRelu", "alpha", NULL, 0.3, 0, -4, 3, false},
    {"LeakyRelu", "alpha", NULL, -2, 0, -1, 5, false},
    {"PRelu", NULL, NULL, 0.25, 0, -4, 3, false},
    {"Elu", NULL, NULL, 1, 0, -5, 4, false},
    {"Elu", "alpha", NULL, 2.5, 0, -5, 1, false},
    {"Elu", "alpha", NULL, -0.5, 0, -5, 1, false},
    {"Selu", NULL, NULL, 1.67326319217681884765625, 1.05070102214813232421875, -4, 4, false},
    {"Selu", "alpha", "gamma", 2, 0.5, -4, 4, false},
    {"Celu", NULL, NULL, 1, 0, -4, 4, false},
    {"Celu", "alpha", NULL, 2, 0, -9, 4, false},
    {"HardSigmoid", NULL, NULL, 0.2, 0.5, -4, 4, false},
    {"HardSigmoid", "alpha", "beta", 0.7, 0.25, -4, 4, false},
    {"HardSigmoid", "alpha", "beta", -0.5, 0.75, -4, 4, false},
    {"HardSwish", NULL, NULL, 0, 0, -6, 6, false},
    {"Mish", NULL, NULL, 0, 0, -8, 8, false},
    {"Softplus", NULL, NULL, 0, 0, -6, 6, false},
    {"Softsign", NULL, NULL, 0, 0, -20, 20, false},
    {"Erf", NULL, NULL, 0, 0, -3, 3, false},
    {"Gelu", NULL, NULL, 0, 0, -5, 5, false},
    {"Gelu", "approximate", NULL, 1, 0, -5, 5, false},
    {"Exp", NULL, NULL, 0, 0, -5, 4, false},
    {"Exp", NULL, NULL, 0, 0, -2, 0.5, false},
    {"Log", NULL, NULL, 0, 0, 0.05, 9, false},
    {"Log", NULL, NULL, 0, 0, 5, 9, false},
    {"Sqrt", NULL, NULL, 0, 0, 0.01, 30, false},
    {"Reciprocal", NULL, NULL, 0, 0, 0.1, 4, false},
    {"Reciprocal", NULL, NULL, 0, 0, -4, -0.5, false},
    {"Pow", NULL, NULL, 2, 0, -3, 3, false},
    {"Pow", NULL, NULL, 3, 0, -2, 3, false},
    {"Pow", NULL, NULL, -0.5, 0, 0.2, 3, false},
    {"Pow", NULL, NULL, 2.2, 0, 0.01, 1, false},
    {"Pow", NULL, NULL, 0, 0, -1, 1, false},
    {"Abs", NULL, NULL, 0, 0, -3, 2, false},
    {"Neg", NULL, NULL, 0, 0, -3, 2, false},
    {"Sign", NULL, NULL, 0, 0, -3, 2, true},
    {"Floor", NULL, NULL, 0, 0, -7, 6, true},
    {"Ceil", NULL, NULL, 0, 0, -7, 6, true},
    {"Round", NULL, NULL, 0, 0, -7, 6, true},
    {"ThresholdedRelu", NULL, NULL, 1, 0, -3, 3, true},
    {"ThresholdedRelu", "alpha", NULL, -0.5, 0, -3, 3, true},
    {"Shrink", NULL, NULL, 0.5, 0, -3, 3, true},
    {"Shrink", "lambd", "bias", 1.5, 1.5, -3, 3, false},
    {"Sin", NULL, NULL, 0, 0, -7, 7, false},
    {"Cos", NULL, NULL, 0, 0, -7, 7, false},
};
#define N_FUNCTIONS ((int)COUNT(functions))

static uint32_t apply(net *t, const function_case *c, uint32_t x) {
    if (!strcmp(c->op, "Pow") || !strcmp(c->op, "PRelu"))
        return op(t, c->op, 2, x, number(t, c->a));
    if (!strcmp(c->op, "Gelu") && c->name_a)
        with_text(t, c->name_a, "tanh");
    else if (c->name_a)
        with_float(t, c->name_a, c->a);
    if (c->name_b)
        with_float(t, c->name_b, c->b);
    return op(t, c->op, 1, x);
}

static const function_case *current;

/* An input in [lo, hi], by a linear layer that a table can absorb. */
static uint32_t argument(net *t, const function_case *c) {
    t->spread = (c->hi - c->lo) / 2;
    const uint32_t x = input(t, SHAPE(1, 3, 41));
    return op(t, "Add", 2, x, number(t, (c->hi + c->lo) / 2));
}

static void at_output(net *t) {
    output(t, apply(t, current, argument(t, current)));
}

static void on_tensor(net *t) {
    t->spread = fmin(current->hi, -current->lo); /* symmetric: as an input has it */
    output(t, apply(t, current, input(t, SHAPE(1, 3, 41))));
}

/* After a dense layer, before another. */
static void inside(net *t) {
    const function_case *c = current;
    t->spread = 1;
    const double half = (c->hi - c->lo) / 2;
    const uint32_t w = constant(t, 0, half / 4, SHAPE(8, 13)),
                   b = constant(t, (c->hi + c->lo) / 2, 0, SHAPE(13));
    const uint32_t h = apply(t, c, op(t, "Gemm", 3, input(t, SHAPE(1, 8)), w, b));
    output(t, op(t, "Gemm", 2, h, constant(t, 0, 0.5, SHAPE(13, 4))));
    output(t, h);
}

START_TEST(references_agree_with_libm) {
    const function_case *c = &functions[_i];
    net t;
    mica_status st = {0};
    current = c;
    net_create(&t, 1, true);
    at_output(&t);
    ck_assert_msg(graph_infer_shapes(&t.g, &st), "%s: %s", c->op, st.message);
    const uint32_t y = t.g.output[0], z = t.g.input[0];
    double **value = graph_buffers_create(&t.g, &st);
    double *x = malloc(123 * sizeof *x);
    for (int i = 0; i < 123; i++) /* jumps and zero among them */
        x[i] = i % 3 ? t.spread * random_double(&t.seed) : round(8 * t.spread * random_double(&t.seed)) / 8;
    ck_assert(graph_evaluate(&t.g, (const double *const *)&x, value, &st));
    for (int i = 0; i < 123; i++) {
        const double arg = x[i] + (c->hi + c->lo) / 2, want = reference(c->op, arg, c->a, c->b);
        ck_assert_msg(fabs(value[y][i] - want) <= 1e-12 * (1 + fabs(want)), "%s(%.17g) = %.17g, not %.17g",
                      c->op, arg, value[y][i], want);
    }
    ck_assert_uint_eq(z, t.g.input[0]);
    free(x);
    graph_buffers_free(&t.g, value);
    graph_free(&t.g);
}
END_TEST

START_TEST(function_at_output) {
    current = &functions[_i];
    run_case(current->op, at_output, 500 + (uint64_t)_i, true, 0.005, current->jumps ? 1 : 0.01);
}
END_TEST

START_TEST(function_on_tensor) {
    current = &functions[_i];
    if (current->lo < 0 && current->hi > 0)
        run_case(current->op, on_tensor, 600 + (uint64_t)_i, true, 0.005, current->jumps ? 1 : 0.01);
}
END_TEST

/* The dense layers bring errors of their own. */
START_TEST(function_inside) {
    current = &functions[_i];
    run_case(current->op, inside, 700 + (uint64_t)_i, true, current->jumps ? 0.02 : 0.005,
             current->jumps ? 1 : 0.03);
}
END_TEST

/* --- exact cases --- */

static void integers(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(1, 3, 14));
    output(t, op(t, "Abs", 1, x));
    output(t, op(t, "Sign", 1, x));
    output(t, op(t, "Neg", 1, x));
    output(t, op(t, "Abs", 1, op(t, "Add", 2, x, x)));
}

/* Eighths, calibrated to a range that is no power of two. */
static void steps(net *t) {
    static const char *const ops[] = {"Floor", "Ceil", "Round", "Sign", "ThresholdedRelu"};
    const uint32_t x = input(t, SHAPE(1, 5, 20));
    for (size_t i = 0; i < COUNT(ops); i++)
        output(t, op(t, ops[i], 1, x));
}

static void eighths(double **s, uint64_t n, uint64_t *seed) {
    for (uint64_t i = 0; i < n; i++)
        s[0][i] = round(5.3 * 8 * random_double(seed)) / 8;
}

START_TEST(integers_are_exact) {
    run_case("integers", integers, 31, true, 0, 0);
}
END_TEST

START_TEST(steps_are_exact) {
    lowered_net n = {0};
    mica_status st = {0};
    accuracy a;
    net_create(&n.t, 77, true);
    steps(&n.t);
    ck_assert_msg(graph_infer_shapes(&n.t.g, &st), "%s", st.message);
    n.samples = make_samples(&n.t);
    for (int i = 0; i < SAMPLES; i++)
        eighths(n.samples[i], 100, &n.t.seed);
    ck_assert_msg(lower_net(&n, &(lowering_options){.max_batch = 1}, &st), "%s", st.message);
    lowered_measure(&n, n.samples, &a);
    for (uint32_t i = 0; i < a.n_outputs; i++)
        ck_assert_msg(a.output[i].max <= (i < 4 ? 0 : 1e-3), "output %u: %g", i, a.output[i].max);
    accuracy_free(&a);
    lowered_free(&n);
}
END_TEST

/* Slopes per channel, per row and per element; a product of its own. */
static void slopes(net *t) {
    t->spread = 3;
    const uint32_t x = input(t, SHAPE(1, 4, 3, 5));
    output(t, op(t, "PRelu", 2, x, constant(t, 0.5, 0.5, SHAPE(4, 1, 1))));
    output(t, op(t, "PRelu", 2, x, constant(t, 0, 2, SHAPE(1, 4, 3, 5))));
    output(t, op(t, "PRelu", 2, x, constant(t, 0.2, 0.1, SHAPE(5))));
    const uint32_t y = op(t, "Conv", 2, x, constant(t, 0, 0.4, SHAPE(6, 4, 2, 2)));
    output(t, op(t, "PRelu", 2, y, constant(t, 0.2, 0.1, SHAPE(6, 1, 1))));
}

START_TEST(prelu_by_channel) {
    run_case("slopes", slopes, 41, true, 0.003, 0.01);
}
END_TEST

/* One accumulator, read by functions that are layers apart: each shares the accumulator's layer. */
static void read_twice(net *t) {
    const uint32_t a = op(t, "Gemm", 2, input(t, SHAPE(1, 6)), constant(t, 0, 0.5, SHAPE(6, 7)));
    const uint32_t b = op(t, "Gemm", 2, op(t, "Gelu", 1, a), constant(t, 0, 0.5, SHAPE(7, 4)));
    output(t, op(t, "Elu", 1, b));
    output(t, op(t, "Gemm", 2, op(t, "Sin", 1, a), constant(t, 0, 0.5, SHAPE(7, 3))));
}

START_TEST(accumulator_read_twice) {
    run_case("read twice", read_twice, 51, true, 0.005, 0.02);
}
END_TEST

/* An output that a wide layer reads as well must not be wider than that layer allows. */
static void output_read_by_wide_layer(net *t) {
    t->spread = 1;
    const uint32_t h = op(t, "Gelu", 1, input(t, SHAPE(1, 4096)));
    output(t, h);
    output(t, op(t, "Gemm", 2, h, constant(t, 0, 1, SHAPE(4096, 2))));
}

START_TEST(outputs_that_are_read) {
    run_case("read output", output_read_by_wide_layer, 61, true, 0.005, 0.02);
}
END_TEST

/* --- refusals and exotic values --- */

static void refused(build_fn *build, mica_code code, const char *what) {
    lowered_net n = {0};
    mica_status st = {0};
    net_create(&n.t, 3, true);
    build(&n.t);
    const bool ok =
        graph_infer_shapes(&n.t.g, &st) && lower_net(&n, &(lowering_options){.max_batch = 1}, &st);
    ck_assert_msg(!ok, "%s was accepted", what);
    ck_assert_msg(st.code == code && strstr(st.message, what), "%s: %s", what, st.message);
    lowered_free(&n);
}

static void negative_gamma(net *t) {
    with_float(t, "gamma", -1);
    output(t, op(t, "Selu", 1, input(t, SHAPE(1, 4))));
}

static void zero_alpha(net *t) {
    with_float(t, "alpha", 0);
    output(t, op(t, "Celu", 1, input(t, SHAPE(1, 4))));
}

static void unknown_gelu(net *t) {
    with_text(t, "approximate", "erf");
    output(t, op(t, "Gelu", 1, input(t, SHAPE(1, 4))));
}

static void many_exponents(net *t) {
    output(t, op(t, "Pow", 2, input(t, SHAPE(1, 4)), constant(t, 2, 1, SHAPE(4))));
}

static void log_of_negative(net *t) {
    output(t, op(t, "Log", 1, input(t, SHAPE(1, 40))));
}

static void exp_of_integers(net *t) {
    output(t, op(t, "Exp", 1, int_input(t, ONNX_INT32, SHAPE(1, 4))));
}

START_TEST(refusals) {
    refused(negative_gamma, MICA_ERR_UNSUPPORTED, "gamma is not positive");
    refused(zero_alpha, MICA_ERR_UNSUPPORTED, "alpha is not positive");
    refused(unknown_gelu, MICA_ERR_FORMAT, "approximate is neither");
    refused(log_of_negative, MICA_ERR_UNSUPPORTED, "not finite");
    refused(exp_of_integers, MICA_ERR_FORMAT, "holds integers");
    refused(many_exponents, MICA_ERR_UNSUPPORTED, "not finite");
}
END_TEST

START_TEST(elementary_functions) {
    uint64_t seed = 9;
    for (int i = 0; i < 20000; i++) {
        const double r = random_double(&seed), x = r * (i % 3 == 0 ? 1e5 : i % 3 == 1 ? 6 : 1e-3);
        ck_assert_msg(fabs(fm_sin(x) - sin(x)) < 1e-14 && fabs(fm_cos(x) - cos(x)) < 1e-14, "sin(%.17g)", x);
        ck_assert_msg(fabs(fm_erf(x) - erf(x)) < 1e-14, "erf(%.17g)", x);
        ck_assert_msg(fabs(fm_log(fabs(x)) - log(fabs(x))) < 1e-14 * fmax(1, fabs(log(fabs(x)))),
                      "log(%.17g)", x);
        ck_assert_msg(x <= -1 || fabs(fm_log1p(x) - log1p(x)) < 1e-14 * fmax(fabs(log1p(x)), 0x1p-40),
                      "log1p(%.17g)", x);
        ck_assert(fm_floor(x) == floor(x) && fm_round_even(x) == nearbyint(x));
        ck_assert(fm_round_even(round(2 * x) / 2) == nearbyint(round(2 * x) / 2));
        const double p = round(4 * r) / 2, want = pow(fabs(x), p);
        ck_assert_msg(fabs(fm_pow(fabs(x), p) - want) <= 1e-12 * want, "pow(%.17g, %g)", fabs(x), p);
    }
    ck_assert(isnan(fm_log(-1)) && fm_log(0) < -1e300 && fm_log(1) == 0 && fm_log(INFINITY) > 1e300);
    ck_assert(fabs(fm_log(0x1p-1074) - log(0x1p-1074)) < 1e-11);
    ck_assert(fm_pow(-2, 3) == -8 && isnan(fm_pow(-2, 0.5)) && fm_pow(0, -1) > 1e300 && fm_pow(0, 0) == 1);
    ck_assert(fabs(fm_pow(-1.5, 101) - pow(-1.5, 101)) < 1e-10 * pow(1.5, 101));
    ck_assert(fm_pow(0, 2.5) == 0 && isnan(fm_sin(INFINITY)) && fabs(fm_cos(1e300)) <= 1 && fm_erf(-9) == -1);
    ck_assert(fm_floor(-1e300) == -1e300 && isnan(fm_round_even(NAN)));
}
END_TEST

int main(void) {
    Suite *s = suite_create("unary");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, elementary_functions);
    tcase_add_loop_test(tc, references_agree_with_libm, 0, N_FUNCTIONS);
    tcase_add_loop_test(tc, function_at_output, 0, N_FUNCTIONS);
    tcase_add_loop_test(tc, function_on_tensor, 0, N_FUNCTIONS);
    tcase_add_loop_test(tc, function_inside, 0, N_FUNCTIONS);
    tcase_add_test(tc, integers_are_exact);
    tcase_add_test(tc, steps_are_exact);
    tcase_add_test(tc, prelu_by_channel);
    tcase_add_test(tc, accumulator_read_twice);
    tcase_add_test(tc, outputs_that_are_read);
    tcase_add_test(tc, refusals);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
