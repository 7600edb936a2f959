/* Widths chosen by error: the search reaches its targets, takes the cheapest rung that does, and fails where
 * none does; requantisation in two stages equals its definition. */
#include "lowering_kit.h"

#include "accuracy_search.h"
#include "requantise.h"

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
                                .options = {.max_batch = 1}};
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
    uint32_t before = 0;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        net t = {0};
        accuracy_result r, again;
        mica_status st = {0};
        build(&t, 64);
        const accuracy_target target = {targets[i], 0, 0, true};
        ck_assert_msg(search(&t, target, &r, &st), "%g: %s", targets[i], st.message);
        ck_assert(r.report.met);
        ck_assert_double_le(r.accuracy.output[0].mean, targets[i]);
        /* A stricter target never takes a cheaper rung, and every cheaper one misses it. */
        ck_assert_uint_ge(r.report.chosen, before);
        before = r.report.chosen;
        for (uint32_t k = 0; k < r.report.chosen; k++)
            ck_assert(!r.report.rung[k].lowered || r.report.rung[k].mean_error > targets[i]);
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
    /* Not required: the best there is. */
    mica_status none = {0};
    ck_assert(search(&t, (accuracy_target){1e-9, 0, 0, false}, &r, &none));
    ck_assert(!r.report.met);
    for (uint32_t k = 0; k < r.report.n; k++)
        ck_assert(!r.report.rung[k].lowered ||
                  r.report.rung[k].mean_error >= r.report.rung[r.report.chosen].mean_error);
    free_result(&r);
    graph_free(&t.g);
}
END_TEST

/* --- two stages --- */

/* The program of one dense layer with Relu or without, whose keys need two stages. */
static void lower_wide(net *t, bool relu, program *p, calibration *cal) {
    mica_status st = {0};
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
    double ***samples = make_samples(t);
    ck_assert(calibration_collect(cal, &t->g, (const double *const *const *)samples, SAMPLES, &st));
    free_samples(t, samples);
    const lowering_options options = {.activation_bits = 12, .weight_bits = 10, .fine = true, .max_batch = 1};
    ck_assert_msg(lower_graph(p, NULL, &t->g, cal, &options, &st), "%s", st.message);
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
    net t = {0};
    program p;
    calibration cal;
    uint64_t seed = 17;
    lower_wide(&t, _i != 0, &p, &cal);
    const step *second = second_stage(&p);
    ck_assert_ptr_nonnull(second);
    int32_t **value = calloc(p.circuit.n_tensors, sizeof *value);
    for (uint32_t k = 0; k < p.circuit.n_tensors; k++)
        value[k] = calloc((size_t)1 << mica_item_bits(&p.circuit.tensor[k]), sizeof **value);
    copy_weights(&p, value);
    for (int round = 0; round < 12; round++) {
        mica_status st = {0};
        fill(&p, value, round & 1 ? 1 : -1, &seed, round < 2);
        ck_assert_msg(program_interpret(&p, value, &st), "%s", st.message);
        check_definition(&p, value, second);
    }
    for (uint32_t k = 0; k < p.circuit.n_tensors; k++)
        free(value[k]);
    free(value);
    program_free(&p);
    calibration_free(&cal);
    graph_free(&t.g);
}
END_TEST

int main(void) {
    Suite *s = suite_create("accuracy");
    TCase *c = tcase_create("search");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, targets_are_met);
    tcase_add_test(c, agreement_is_reached);
    tcase_add_test(c, impossible_targets_fail);
    tcase_add_loop_test(c, two_stages_are_one, 0, 2);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
