/* Widths chosen by error: the search reaches its targets, takes the cheapest rung that does, and fails where
 * none does; requantisation in two stages equals its definition. */
#include "lowering_kit.h"

#include "accuracy/accuracy_search.h"
#include "accuracy/guessed_ranges.h"
#include "lowering/requantise.h"

/* --- a network of long rows --- */

static void build(net *t, int64_t width) {
    ck_assert(graph_create(&t->g, &t->st));
    t->seed = 11;
    t->spread = 1;
    t->g.opset = 17;
    t->g.batched = true;
    uint32_t x = input(t, SHAPE(1, width));
    for (int i = 0; i < 3; i++)
        x = op(t, "Relu", 1, op(t, "MatMul", 2, x, constant(t, 0, 1.0 / 16, SHAPE(width, width))));
    output(t, op(t, "MatMul", 2, x, constant(t, 0, 1.0 / 16, SHAPE(width, 8))));
    ck_assert(graph_infer_shapes(&t->g, &t->st) && graph_fold_constants(&t->g, &t->st) &&
              graph_canonicalise(&t->g, &t->st));
}

static uint32_t most_trials; /* of the next searches */
static bool explain;

static bool search(net *t, accuracy_target target, accuracy_result *r, mica_status *st) {
    calibration cal;
    t->seed = 23; /* the same samples every time */
    double ***samples = make_samples(t);
    const double *const *const *given = (const double *const *const *)samples;
    ck_assert(calibration_collect(&cal, &t->g, given, SAMPLES, st));
    const accuracy_request q = {.g = &t->g,
                                .cal = &cal,
                                .sample = given,
                                .n_samples = SAMPLES,
                                .target = target,
                                .options = {.max_batch = 1},
                                .most_trials = most_trials,
                                .explain = explain};
    const bool ok = accuracy_search(r, &q, st);
    calibration_free(&cal);
    free_samples(t, samples);
    return ok;
}

static void free_result(accuracy_result *r) {
    program_free(&r->program);
    value_map_free(&r->map);
    accuracy_free(&r->accuracy);
}

START_TEST(targets_are_met) {
    static const double targets[] = {0.05, 0.005, 0.001, 0.0004};
    double before = 0;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        net t = {0};
        accuracy_result r, again;
        mica_status st = {0};
        build(&t, 64);
        const accuracy_target target = {targets[i], 0, 0, true};
        ck_assert_msg(search(&t, target, &r, &st), "%g: %s", targets[i], st.message);
        ck_assert(r.report.met);
        ck_assert_double_le(r.accuracy.output[0].mean, targets[i]);
        /* A stricter target never costs less, and every rung that costs less than what is taken misses it. */
        const double cost = r.report.taken.cost.seconds;
        ck_assert_double_ge(cost, before);
        before = cost;
        for (uint32_t k = 0; k < r.report.n; k++)
            ck_assert(!r.report.rung[k].is.lowered || r.report.rung[k].is.cost.seconds >= cost ||
                      r.report.rung[k].is.mean_error > targets[i]);
        /* The same again is the same. */
        ck_assert(search(&t, target, &again, &st));
        ck_assert_uint_eq(again.report.chosen, r.report.chosen);
        ck_assert(again.accuracy.output[0].mean == r.accuracy.output[0].mean);
        free_result(&r);
        free_result(&again);
        graph_free(&t.g);
    }
}
END_TEST

START_TEST(agreement_is_reached) {
    net t = {0};
    accuracy_result r;
    mica_status st = {0};
    build(&t, 64);
    ck_assert_msg(search(&t, (accuracy_target){1, 0, 1, true}, &r, &st), "%s", st.message);
    ck_assert_uint_eq(r.accuracy.output[0].top1_agree, SAMPLES);
    free_result(&r);
    graph_free(&t.g);
}
END_TEST

START_TEST(impossible_targets_fail) {
    net t = {0};
    accuracy_result r;
    mica_status st = {0};
    build(&t, 64);
    ck_assert(!search(&t, (accuracy_target){1e-9, 0, 0, true}, &r, &st));
    ck_assert_int_eq(st.code, MICA_ERR_LIMIT);
    ck_assert_msg(strstr(st.message, "the best has a mean error of") != NULL, "%s", st.message);
    ck_assert_msg(strstr(st.message, "most precision is lost at value") != NULL, "%s", st.message);
    ck_assert_msg(strstr(st.message, "agree") == NULL, "%s", st.message); /* was not asked for */
    /* Not required: the best there is. */
    mica_status none = {0};
    ck_assert(search(&t, (accuracy_target){1e-9, 0, 0, false}, &r, &none));
    ck_assert(!r.report.met);
    for (uint32_t k = 0; k < r.report.n; k++)
        ck_assert(!r.report.rung[k].is.lowered ||
                  r.report.rung[k].is.mean_error >= r.accuracy.output[0].mean);
    free_result(&r);
    graph_free(&t.g);
}
END_TEST

/* --- widths of single values --- */

START_TEST(single_values_cost_less) {
    static const double targets[] = {0.005, 0.001, 0.0005};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        net t = {0};
        accuracy_result alike, single;
        mica_status st = {0};
        build(&t, 64);
        const accuracy_target target = {targets[i], 0, 0, true};
        ck_assert_msg(search(&t, target, &alike, &st), "%s", st.message);
        most_trials = 24;
        ck_assert_msg(search(&t, target, &single, &st), "%s", st.message);
        most_trials = 0;
        ck_assert(single.report.met && single.report.taken.complete);
        ck_assert_double_le(single.accuracy.output[0].mean, targets[i]);
        ck_assert_double_le(single.report.taken.cost.seconds, alike.report.taken.cost.seconds);
        ck_assert(single.report.taken.cost.seconds == program_cost_of(&single.program).seconds);
        ck_assert_uint_le(single.report.n_trials, alike.report.n_trials + 24);
        /* Some values are coarser if and only if that costs less. */
        ck_assert((single.report.n_coarse > 0) ==
                  (single.report.taken.cost.seconds < alike.report.taken.cost.seconds));
        free_result(&alike);
        free_result(&single);
        graph_free(&t.g);
    }
}
END_TEST

START_TEST(finer_widths_are_told) {
    net t = {0};
    accuracy_result r;
    mica_status st = {0};
    build(&t, 64);
    explain = true;
    most_trials = 24;
    ck_assert_msg(search(&t, (accuracy_target){0.05, 0, 0, true}, &r, &st), "%s", st.message);
    explain = false;
    most_trials = 0;
    ck_assert_uint_ge(r.report.n_changes, 2);
    ck_assert_uint_eq(r.report.change[0].value, GRAPH_NO_VALUE);
    for (uint32_t i = 0; i < r.report.n_changes; i++) {
        ck_assert(r.report.change[i].would_be.complete);
        ck_assert(i == 0 || r.report.change[i].value < t.g.n_values);
    }
    ck_assert_double_lt(r.report.change[0].would_be.mean_error, r.report.taken.mean_error);
    free_result(&r);
    graph_free(&t.g);
}
END_TEST

/* A measurement that stops early says so, and what it says holds of all samples. */
START_TEST(measurements_stop_when_all_is_lost) {
    lowered_net n = {0};
    accuracy all, some;
    float_runs runs;
    mica_status st = {0};
    build(&n.t, 64);
    ck_assert(lower_net(&n, &(lowering_options){.max_batch = 1}, &st));
    ck_assert(float_runs_create(&runs, &n.t.g, (const double *const *const *)n.samples, SAMPLES, &st));
    const accuracy_target impossible = {1e-9, 0, 0, true};
    ck_assert(accuracy_measure(&all, &n.p, &n.map, &runs, NULL, NULL, NULL, &st));
    ck_assert(accuracy_measure(&some, &n.p, &n.map, &runs, &impossible, NULL, NULL, &st));
    ck_assert(!all.stopped && some.stopped);
    ck_assert_uint_eq(all.n_samples, SAMPLES);
    ck_assert_uint_eq(some.n_samples, 1);
    ck_assert_double_gt(some.output[0].mean, 1e-9);
    ck_assert_double_le(some.output[0].mean, all.output[0].mean);
    ck_assert_double_le(some.output[0].max, all.output[0].max);
    accuracy_free(&all);
    accuracy_free(&some);
    float_runs_free(&runs);
    lowered_free(&n);
}
END_TEST

/* --- clipping --- */

/* One value of which most elements are small and one is large. */
static void calibrate_outlier(net *t, calibration *cal, double outlier) {
    double element[256];
    const double *sample[] = {element};
    const double *const *const samples[] = {sample};
    ck_assert(graph_create(&t->g, &t->st));
    t->g.opset = 17;
    t->g.batched = true;
    for (int i = 0; i < 256; i++)
        element[i] = i / 256.0;
    element[7] = -outlier;
    output(t, op(t, "Relu", 1, input(t, SHAPE(1, 256))));
    ck_assert(graph_infer_shapes(&t->g, &t->st) && calibration_collect(cal, &t->g, samples, 1, &t->st));
}

START_TEST(clipping_weighs_what_is_lost) {
    net t = {0};
    calibration cal;
    calibrate_outlier(&t, &cal, 16);
    const uint32_t v = t.g.input[0];
    const calibration_clipping never = {CLIP_NEVER, 0}, error = {CLIP_ERROR, 0};
    ck_assert_double_eq(calibration_clip(&cal, v, never, 4), 16);
    /* The coarser the steps, the sooner a lone outlier is given up; with fine ones it is not. */
    double before = 0;
    for (unsigned bits = 2; bits <= 15; bits++) {
        const double clip = calibration_clip(&cal, v, error, bits);
        ck_assert_double_ge(clip, before);
        ck_assert_double_le(clip, 16);
        before = clip;
    }
    ck_assert_double_lt(calibration_clip(&cal, v, error, 2), 16);
    ck_assert_double_eq(before, 16);
    /* Shares of all elements: 255 of 256 are below 1, and bins are an eighth of an octave wide. */
    ck_assert_double_le(calibration_clip(&cal, v, (calibration_clipping){CLIP_PERCENTILE, 99}, 8), 1);
    ck_assert_double_ge(calibration_clip(&cal, v, (calibration_clipping){CLIP_PERCENTILE, 99}, 8), 0.97);
    ck_assert_double_eq(calibration_clip(&cal, v, (calibration_clipping){CLIP_PERCENTILE, 100}, 8), 16);
    calibration_free(&cal);
    graph_free(&t.g);
}
END_TEST

/* Values beyond the clipped range saturate, in the interpreter that checks every range and lookup. */
START_TEST(clipped_values_saturate) {
    lowered_net n = {0};
    accuracy a;
    mica_status st = {0};
    build(&n.t, 64);
    const lowering_options options = {
        .max_batch = 1, .clipped = true, .clipping = {CLIP_PERCENTILE, 50}, .activation_bits = 10};
    ck_assert_msg(lower_net(&n, &options, &st), "%s", st.message);
    lowered_measure(&n, n.samples, &a);
    double most = 0;
    for (uint32_t i = 0; i < a.n_values; i++)
        most = a.inner[i].max > most ? a.inner[i].max : most;
    ck_assert_double_gt(most, 0.1); /* half of what is seen is clipped somewhere */
    accuracy_free(&a);
    lowered_free(&n);
}
END_TEST

/* --- guessed ranges --- */

START_TEST(ranges_of_few_samples_are_guesses) {
    net t = {0};
    mica_status st = {0};
    double first[4] = {1, 2, 3, 4}, second[4] = {1, 1, 1, 1}, third[4] = {3.5, 1, 1, 1};
    const double *one[] = {first}, *two[] = {second}, *three[] = {third};
    const double *const *const samples[] = {one, two, three};
    ck_assert(graph_create(&t.g, &t.st));
    t.g.opset = 17;
    t.g.batched = true;
    const uint32_t x = input(&t, SHAPE(1, 4)), y = op(&t, "Sigmoid", 1, x);
    output(&t, y);
    ck_assert(graph_infer_shapes(&t.g, &st));
    static const bool expected[] = {true, true, true,
                                    false}; /* one sample reaches 4, the next 1, the third 3.5 */
    for (uint32_t n = 0; n <= 3; n++) {
        calibration cal;
        uint32_t listed;
        ck_assert(calibration_collect(&cal, &t.g, samples, n, &st));
        ck_assert_msg(guessed_range(&cal, &t.g, x) == expected[n], "%u samples", n);
        ck_assert(!guessed_range(&cal, &t.g, y)); /* in [0, 1] whatever x is */
        uint32_t *list = guessed_ranges(&cal, &t.g, &listed);
        ck_assert_uint_eq(listed, expected[n]);
        ck_assert(!expected[n] || list[0] == x);
        free(list);
        calibration_free(&cal);
    }
    graph_free(&t.g);
}
END_TEST

/* --- two stages --- */

/* One dense layer with Relu or without, whose keys need two stages. */
static void lower_wide(lowered_net *n, bool relu) {
    mica_status st = {0};
    net *t = &n->t;
    ck_assert(graph_create(&t->g, &t->st));
    t->seed = 3;
    t->spread = 1;
    t->g.opset = 17;
    t->g.batched = true;
    const uint32_t x = input(t, SHAPE(1, 1024));
    const uint32_t y = op(t, "MatMul", 2, x, constant(t, 0, 1, SHAPE(1024, 4)));
    const uint32_t z = relu ? op(t, "Relu", 1, y) : y;
    output(t, op(t, "MatMul", 2, z, constant(t, 0, 1, SHAPE(4, 2))));
    ck_assert(graph_infer_shapes(&t->g, &st));
    const lowering_options options = {.activation_bits = 12, .weight_bits = 10, .fine = true, .max_batch = 1};
    ck_assert_msg(lower_net(n, &options, &st), "%s", st.message);
}

/* The step whose key is made of a looked-up high part and the low limb; the one before it looks the part up.
 */
static const step *second_stage(const program *p) {
    for (uint32_t i = 1; i < p->n_steps; i++) {
        const step *s = &p->step[i];
        if (s->kind == STEP_REQUANTISE && s->n_limbs == 0 && p->step[i - 1].kind == STEP_REQUANTISE &&
            p->step[i - 1].table != UINT32_MAX)
            return s;
    }
    return NULL;
}

/* Every input of full magnitude, with the signs of one row: the largest accumulators there are. */
static void fill(const program *p, int32_t **value, int sign, uint64_t *seed, bool extreme) {
    const mica_circuit *c = &p->circuit;
    const mica_tensor *x = &c->tensor[c->input[0].tensor];
    const uint32_t n = x->dim[0];
    uint32_t w = 0;
    while (c->tensor[w].kind != MICA_TENSOR_WEIGHT)
        w++;
    const bool inputs_first = c->tensor[w].dim[0] == n;
    for (uint32_t i = 0; i < n; i++) {
        const int32_t weight = p->weight[w][inputs_first ? (size_t)i * c->tensor[w].dim[1] : i];
        const int32_t toward = (weight > 0) == (sign > 0) ? x->hi : x->lo;
        value[c->input[0].tensor][i] =
            extreme ? toward : (int32_t)(random_double(seed) * (random_double(seed) > 0 ? 1.0 : 0.1) * x->hi);
    }
}

static void copy_weights(const program *p, int32_t **value) {
    const mica_circuit *c = &p->circuit;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        const mica_tensor *x = &c->tensor[t];
        if (!p->weight[t])
            continue;
        const uint32_t cols = x->dim[x->rank - 1], pitch = 1u << mica_log2_ceil(cols);
        const uint32_t rows = x->rank == 2 ? x->dim[0] : 1;
        for (uint32_t r = 0; r < rows; r++)
            for (uint32_t i = 0; i < cols; i++)
                value[t][(size_t)r * pitch + i] = p->weight[t][(size_t)r * cols + i];
    }
}

/* y = clamp(floor((A + half) / 2^s)), A the accumulator: what requantisation says, however many stages. */
static void check_definition(const program *p, int32_t **value, const step *second) {
    const mica_circuit *c = &p->circuit;
    const step *high = second - 1;
    const mica_linear *h = &c->linear[c->tensor[high->tensor[0]].def];
    const mica_table_def *def = &c->table[second->table].def;
    const uint32_t low_limb = high->tensor[1 + high->n_limbs];
    const unsigned low = mica_log2_ceil((uint64_t)c->tensor[low_limb].hi + 1), shift = h->shift - low;
    const uint32_t y = second->tensor[1];
    for (uint32_t i = 0; i < c->tensor[y].dim[0]; i++) {
        int64_t a = shift ? INT64_C(1) << (shift - 1) : 0;
        for (uint32_t k = 0; k < h->n_terms; k++) {
            const mica_term *m = &c->term[h->first_term + k];
            a += c->tensor[m->tensor].kind == MICA_TENSOR_CONTRACT ? (int64_t)m->coef * value[m->tensor][i]
                                                                   : 0;
        }
        const int64_t key = (a - (a & ((INT64_C(1) << shift) - 1))) / (INT64_C(1) << shift);
        const int64_t want = key < def->lo_value ? def->lo_value : key > def->hi_value ? def->hi_value : key;
        ck_assert_msg(value[y][i] == want, "cell %u: %d, not %lld", i, value[y][i], (long long)want);
    }
}

START_TEST(two_stages_are_one) {
    lowered_net n = {0};
    uint64_t seed = 17;
    lower_wide(&n, _i != 0);
    const program *p = &n.p;
    const step *second = second_stage(p);
    ck_assert_ptr_nonnull(second);
    int32_t **value = calloc(p->circuit.n_tensors, sizeof *value);
    for (uint32_t k = 0; k < p->circuit.n_tensors; k++)
        value[k] = calloc((size_t)1 << mica_item_bits(&p->circuit.tensor[k]), sizeof **value);
    copy_weights(p, value);
    for (int round = 0; round < 12; round++) {
        mica_status st = {0};
        fill(p, value, round & 1 ? 1 : -1, &seed, round < 2);
        ck_assert_msg(program_interpret(p, value, &st), "%s", st.message);
        check_definition(p, value, second);
    }
    for (uint32_t k = 0; k < p->circuit.n_tensors; k++)
        free(value[k]);
    free(value);
    lowered_free(&n);
}
END_TEST

int main(void) {
    Suite *s = suite_create("accuracy");
    TCase *c = tcase_create("search");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, targets_are_met);
    tcase_add_test(c, agreement_is_reached);
    tcase_add_test(c, impossible_targets_fail);
    tcase_add_test(c, single_values_cost_less);
    tcase_add_test(c, finer_widths_are_told);
    tcase_add_test(c, measurements_stop_when_all_is_lost);
    tcase_add_test(c, clipping_weighs_what_is_lost);
    tcase_add_test(c, clipped_values_saturate);
    tcase_add_test(c, ranges_of_few_samples_are_guesses);
    tcase_add_loop_test(c, two_stages_are_one, 0, 2);
    suite_add_tcase(s, c);
    return suite_run(s);
}
