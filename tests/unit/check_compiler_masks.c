/* Masks: constants that say "never" in front of a softmax, as infinities or large numbers; comparisons with
 * constants that no value reaches.
 */
#define _GNU_SOURCE
#include "lowering_kit.h"

#include <math.h>

#define KEYS 5

/* The causal mask [KEYS, KEYS]: 0, and `never` above the diagonal. */
static uint32_t causal(net *t, double never) {
    const uint32_t v = constant(t, 0, 0, SHAPE(KEYS, KEYS));
    double *x = memory(t, (size_t)KEYS * KEYS, sizeof *x);
    for (int i = 0; i < KEYS; i++)
        for (int j = i + 1; j < KEYS; j++)
            x[i * KEYS + j] = never;
    t->g.value[v].real = x;
    return v;
}

static uint32_t scores(net *t) {
    const uint32_t q = input(t, SHAPE(2, KEYS, 4)), k = input(t, SHAPE(2, 4, KEYS));
    return op(t, "MatMul", 2, q, k);
}

static void added_infinity(net *t) {
    output(t, op(t, "Softmax", 1, op(t, "Add", 2, scores(t), causal(t, -INFINITY))));
}

static void added_number(net *t) {
    output(t, op(t, "Softmax", 1, op(t, "Add", 2, scores(t), causal(t, -1e9))));
}

static void chosen_infinity(net *t) {
    const uint32_t allowed = int_input(t, ONNX_BOOL, SHAPE(KEYS, KEYS));
    const uint32_t x = op(t, "Where", 3, allowed, scores(t), number(t, -INFINITY));
    output(t, op(t, "Softmax", 1, op(t, "Where", 3, int_input(t, ONNX_BOOL, SHAPE(KEYS, 1)), x, scores(t))));
}

/* As models with a mask of zeros and ones as input have it: (1 - mask) * -3.4e38. */
static void multiplied_number(net *t) {
    const uint32_t mask = int_input(t, ONNX_BOOL, SHAPE(2, 1, KEYS));
    with_int(t, "to", ONNX_FLOAT);
    const uint32_t real = op(t, "Cast", 1, mask), bias = op(t, "Sub", 2, number(t, 1), real);
    output(t, op(t, "Softmax", 1,
                 op(t, "Add", 2, scores(t), op(t, "Mul", 2, bias, number(t, -3.4028234663852886e38)))));
}

/* A large number that something else reads as well is what it says. */
static void not_a_mask(net *t) {
    const uint32_t x = input(t, SHAPE(2, KEYS)), y = op(t, "Add", 2, x, number(t, 2000));
    output(t, op(t, "Softmax", 1, y));
    output(t, op(t, "Mul", 2, y, number(t, 2)));
}

static void far_comparisons(net *t) {
    const uint32_t x = op(t, "Mul", 2, input(t, SHAPE(3, 4)), number(t, 3)), n = number(t, -3.4e38),
                   p = number(t, 1e12);
    static const char *const ops[] = {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        output(t, op(t, ops[i], 2, x, n));
        output(t, op(t, ops[i], 2, p, x));
    }
}

static const struct {
    const char *name;
    build_fn *build;
    double most;    /* error */
    double largest; /* magnitude of constants that may be left */
} cases[] = {
    {"added_infinity", added_infinity, 0.02, 40},
    {"added_number", added_number, 0.02, 40},
    {"chosen_infinity", chosen_infinity, 0.03, 40},
    {"multiplied_number", multiplied_number, 0.02, 40},
    {"not_a_mask", not_a_mask, 1, 2000},
    {"far_comparisons", far_comparisons, 0, 3.4e38},
};
#define N_CASES ((int)(sizeof cases / sizeof *cases))

/* Outputs of the graph on one sample; those of softmaxes whose row is masked everywhere are not numbers. */
static double **outputs_of(net *t, const double *const *sample) {
    double **value = graph_buffers_create(&t->g, &t->st);
    ck_assert(value && graph_evaluate(&t->g, sample, value, &t->st));
    return value;
}

static void check_constants(const net *t, double largest) {
    for (uint32_t v = 0; v < t->g.n_values; v++)
        for (uint64_t i = 0; t->g.value[v].real && i < graph_elements(&t->g.value[v]); i++)
            ck_assert_msg(fabs(t->g.value[v].real[i]) <= largest, "a constant of %g is left",
                          t->g.value[v].real[i]);
}

START_TEST(masks) {
    net t;
    calibration cal;
    program p;
    value_map map;
    accuracy a;
    const lowering_options options = {.max_batch = 1};
    net_create(&t, 9000 + (uint64_t)_i, false);
    cases[_i].build(&t);
    ck_assert_msg(graph_infer_shapes(&t.g, &t.st), "%s", t.st.message);
    double ***samples = make_samples(&t);
    const double *const *const *in = (const double *const *const *)samples;
    double **before = outputs_of(&t, in[0]);
    ck_assert_msg(graph_bound_masks(&t.g, in, SAMPLES, &t.st), "%s: %s", cases[_i].name, t.st.message);
    check_constants(&t, cases[_i].largest);
    double **after = outputs_of(&t, in[0]);
    for (uint32_t i = 0; i < t.g.n_outputs; i++) {
        const uint32_t y = t.g.output[i];
        for (uint64_t k = 0; k < graph_elements(&t.g.value[y]); k++)
            ck_assert_msg(isnan(before[y][k]) || fabs(before[y][k] - after[y][k]) < 1e-6,
                          "%s: element %llu was %g, is %g", cases[_i].name, (unsigned long long)k,
                          before[y][k], after[y][k]);
    }
    ck_assert_msg(calibration_collect(&cal, &t.g, in, SAMPLES, &t.st) &&
                      lower_graph(&p, &map, &t.g, &cal, &options, &t.st) &&
                      accuracy_measure_samples(&a, &p, &map, &t.g, in, SAMPLES, &t.st),
                  "%s: %s", cases[_i].name, t.st.message);
    for (uint32_t i = 0; i < a.n_outputs; i++)
        ck_assert_msg(a.output[i].max <= cases[_i].most, "%s: output %u: %g", cases[_i].name, i,
                      a.output[i].max);
    accuracy_free(&a);
    value_map_free(&map);
    program_free(&p);
    calibration_free(&cal);
    graph_buffers_free(&t.g, before);
    graph_buffers_free(&t.g, after);
    free_samples(&t, samples);
    graph_free(&t.g);
}
END_TEST

START_TEST(infinite_outputs_are_refused) {
    net t;
    net_create(&t, 3, false);
    const uint32_t x = op(&t, "Add", 2, scores(&t), causal(&t, -INFINITY));
    output(&t, x);
    output(&t, op(&t, "Softmax", 1, x));
    ck_assert(graph_infer_shapes(&t.g, &t.st));
    double ***samples = make_samples(&t);
    ck_assert(!graph_bound_masks(&t.g, (const double *const *const *)samples, SAMPLES, &t.st));
    ck_assert_msg(strstr(t.st.message, "is infinite") != NULL, "%s", t.st.message);
    free_samples(&t, samples);
    graph_free(&t.g);
}
END_TEST

/* Nothing is known of the values: the mask is still finite, and far. */
START_TEST(without_samples) {
    net t;
    net_create(&t, 3, false);
    added_infinity(&t);
    ck_assert(graph_infer_shapes(&t.g, &t.st) && graph_bound_masks(&t.g, NULL, 0, &t.st));
    check_constants(&t, 100);
    graph_free(&t.g);
}
END_TEST

int main(void) {
    Suite *s = suite_create("masks");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, masks, 0, N_CASES);
    tcase_add_test(tc, infinite_outputs_are_refused);
    tcase_add_test(tc, without_samples);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
