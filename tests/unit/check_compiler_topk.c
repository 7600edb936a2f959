/* TopK: every attribute against the reference, and lying provers for every way to rank wrongly. */
#include "lying_kit.h"

#define INDICES(t) (with_int(t, "mica_part", 1), with_int(t, "mica_parts", 2))

static uint32_t ranked(net *t, uint32_t x, int64_t k, int64_t axis, bool largest, bool indices) {
    if (indices)
        INDICES(t);
    with_int(t, "axis", axis);
    with_int(t, "largest", largest);
    return op(t, "TopK", 2, x, shape_constant(t, 1, &k));
}

static void both(net *t, uint32_t x, int64_t k, int64_t axis, bool largest) {
    output(t, ranked(t, x, k, axis, largest, false));
    output(t, ranked(t, x, k, axis, largest, true));
}

/* --- results --- */

static void every_axis(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(3, 4, 5));
    for (int64_t axis = -3; axis < 3; axis++)
        both(t, x, 2, axis, axis % 2 == 0);
}

/* Integers in [-2, 2], so most of a row are equal to another. */
static void ties(net *t) {
    t->spread = 0.25;
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(1, 3, 9));
    for (int64_t k = 1; k <= 9; k++)
        both(t, x, k, 2, k % 2);
}

static void whole_rows(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(1, 6, 2));
    both(t, x, 6, 1, true);
    both(t, x, 6, 1, false);
    both(t, x, 1, 1, true);
    both(t, int_input(t, ONNX_INT8, SHAPE(1, 2)), 2, -1, true);
}

static void axis_of_one(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(1, 1, 5));
    both(t, x, 1, 1, true);
    both(t, x, 1, 1, false);
}

/* The axis is the last one and the order that of the values unless the node says otherwise. */
static void defaults(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(1, 3, 7));
    t->g.opset = 9;
    with_int(t, "k", 3);
    output(t, op(t, "TopK", 1, x));
    with_int(t, "k", 3);
    with_int(t, "axis", 1);
    output(t, op(t, "TopK", 1, x));
}

static void unsorted(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(1, 7));
    with_int(t, "sorted", 0);
    const int64_t three = 3;
    output(t, op(t, "TopK", 2, x, shape_constant(t, 1, &three)));
}

/* Elements that the network computes, along an axis that it has made; what is selected is read again. */
static void in_a_network(net *t) {
    const uint32_t x = input(t, SHAPE(1, 24));
    const uint32_t y = op(t, "Reshape", 2, op(t, "Tanh", 1, x), shape_constant(t, SHAPE(1, 4, 6)));
    const uint32_t top = ranked(t, y, 3, 2, true, false);
    output(t, top);
    output(t, op(t, "MatMul", 2, top, constant(t, 0, 1, SHAPE(3, 2))));
    with_ints(t, "perm", SHAPE(0, 2, 1));
    output(t, ranked(t, op(t, "Transpose", 1, y), 2, 2, false, false));
}

/* What is found at the indices is what the values are. */
static void indices_index(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(1, 3, 6));
    const uint32_t k = ranked(t, x, 4, 2, true, true);
    with_int(t, "axis", 2);
    const uint32_t found = op(t, "GatherElements", 2, x, k);
    output(t, op(t, "Sub", 2, found, ranked(t, x, 4, 2, true, false)));
    output(t, found);
}

static void reals(net *t) {
    both(t, input(t, SHAPE(1, 2, 8)), 3, 2, true);
}

static const op_case cases[] = {
    {"every_axis", every_axis, false, EXACT, EXACT},
    {"ties", ties, true, EXACT, EXACT},
    {"whole_rows", whole_rows, true, EXACT, EXACT},
    {"axis_of_one", axis_of_one, true, EXACT, EXACT},
    {"defaults", defaults, true, EXACT, EXACT},
    {"unsorted", unsorted, true, EXACT, EXACT},
    {"in_a_network", in_a_network, true, 0.003, 0.01},
    {"indices_index", indices_index, true, EXACT, EXACT},
    {"reals", reals, true, 0.01, 1}, /* ties within the resolution */
};
#define N_CASES ((int)(sizeof cases / sizeof *cases))

START_TEST(results) {
    run_op_case(&cases[_i]);
}
END_TEST

/* --- refusals --- */

static void check_refused(net *t, const char *what) {
    mica_status st = {0};
    ck_assert(!graph_infer_shapes(&t->g, &st));
    ck_assert_msg(strstr(st.message, what) != NULL, "%s", st.message);
    graph_free(&t->g);
}

START_TEST(k_must_be_known) {
    net t;
    net_create(&t, 1, true);
    output(&t, op(&t, "TopK", 2, input(&t, SHAPE(1, 5)), int_input(&t, ONNX_INT64, SHAPE(1))));
    check_refused(&t, "k depends on the network's inputs");
    net_create(&t, 1, true);
    output(&t, ranked(&t, input(&t, SHAPE(1, 5)), 6, 1, true, false));
    check_refused(&t, "k = 6, of an axis of 5 elements");
    net_create(&t, 1, true);
    output(&t, op(&t, "TopK", 1, input(&t, SHAPE(1, 5))));
    check_refused(&t, "it lacks k");
}
END_TEST

/* --- lies --- */

#define LENGTH 6
#define RANKS  3
static const double row[LENGTH] = {3, 7, 7, 1, 5, -2}; /* the largest are at 1, 2, 4 */

static uint32_t hot;                   /* the tensor of rows of zeros and a one */
static int32_t claimed[RANKS][LENGTH]; /* what the prover says they are */

static void tell_rows(int32_t **value) {
    for (unsigned r = 0; r < RANKS; r++)
        for (unsigned i = 0; i < LENGTH; i++)
            value[hot][8 * r + i] = claimed[r][i];
}

static const struct {
    const char *name;
    int32_t claim[RANKS][LENGTH];
    uint32_t broken; /* lookups without a row: the checks that find the lie */
} lies[] = {
    {"ranks exchanged", {{0, 1}, {0, 0, 0, 0, 1}, {0, 0, 1}}, 1},
    {"an element twice", {{0, 1}, {0, 1}, {0, 0, 0, 0, 1}}, 3}, /* order, its bit, and the second 7 */
    {"a tie the other way", {{0, 0, 1}, {0, 1}, {0, 0, 0, 0, 1}}, 1},
    {"an element left out", {{0, 1}, {0, 0, 1}, {1}}, 1},
    {"the first left out", {{0, 0, 1}, {0, 0, 0, 0, 1}, {1}}, 1},
    {"the last of a tie only", {{0, 0, 1}, {0, 0, 0, 0, 1}, {0, 0, 0, 1}}, 1},
    {"a rank without element", {{0, 1}, {0, 0, 1}, {0}}, 2}, /* sum, and the 5 */
    {"a rank with two", {{0, 1}, {0, 0, 1}, {0, 0, 0, 1, 1}}, 1},
    {"an element and a half", {{0, 1}, {0, 0, 1}, {-1, 0, 0, 2}}, 3}, /* cells, bits, and others */
};
#define LIES ((int)(sizeof lies / sizeof *lies))

/* values, or indices, or both of the model */
static void build_ranking(net *t, sealed *m, bool values, bool indices) {
    ck_assert(graph_create(&t->g, &t->st));
    t->g.opset = 17;
    t->g.batched = true;
    const uint32_t x = int_input(t, ONNX_INT8, SHAPE(1, LENGTH));
    if (values)
        output(t, ranked(t, x, RANKS, 1, true, false));
    if (indices)
        output(t, ranked(t, x, RANKS, 1, true, true));
    seal(m, t, AS_IT_COMES);
    memcpy(m->sample, row, sizeof row);
    lie.broken = 0;
    for (lie.step = 0; m->p.step[lie.step].kind != STEP_TOP; lie.step++)
        ck_assert_uint_lt(lie.step, m->p.n_steps);
    hot = m->p.step[lie.step].tensor[0];
    lie.tell = tell_rows;
}

START_TEST(false_ranks_are_rejected) {
    for (unsigned outputs = 1; outputs < 4; outputs++) {
        net t = {.seed = 5, .spread = 2};
        sealed m = {0};
        mica_verdict v;
        build_ranking(&t, &m, outputs & 1, outputs & 2);
        memset(claimed, 0, sizeof claimed);
        claimed[0][1] = claimed[1][2] = claimed[2][4] = 1;
        ck_assert_msg(accepted(&m, &v) && lie.broken == 0, "the true ranks: %s", v.detail);
        memcpy(claimed, lies[_i].claim, sizeof claimed);
        ck_assert_msg(!accepted(&m, &v), "%s: accepted", lies[_i].name);
        ck_assert_msg(v.code == MICA_REJECT_LOGUP_ROOT, "%s: %s", lies[_i].name, mica_verdict_name(v.code));
        ck_assert_msg(lie.broken == lies[_i].broken, "%s: %u lookups have no row", lies[_i].name, lie.broken);
        ck_assert_uint_eq(lie.layer, m.p.circuit.tensor[hot].layer);
        unseal(&m);
        graph_free(&t.g);
    }
}
END_TEST

/* A value that is not that of the index: the numbers that leave the circuit are changed, and what they are
 * checked by with them. */
static uint32_t shown;
static void tell_value(int32_t **value) {
    value[shown][0]++;
}

START_TEST(values_belong_to_indices) {
    net t = {.seed = 5, .spread = 2};
    sealed m = {0};
    mica_verdict v;
    build_ranking(&t, &m, true, true);
    for (uint32_t k = 0; k < m.p.circuit.n_outputs; k++) {
        shown = m.p.circuit.output[k].tensor;
        lie.step = m.p.n_steps - 1;
        lie.tell = tell_value;
        ck_assert(!accepted(&m, &v));
        ck_assert_msg(v.code == MICA_REJECT_LINEAR, "%s", mica_verdict_name(v.code));
        ck_assert_uint_eq(v.layer, m.p.circuit.tensor[shown].layer);
    }
    unseal(&m);
    graph_free(&t.g);
}
END_TEST

int main(void) {
    Suite *s = suite_create("TopK");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, results, 0, N_CASES);
    tcase_add_test(tc, k_must_be_known);
    tcase_add_loop_test(tc, false_ranks_are_rejected, 0, LIES);
    tcase_add_test(tc, values_belong_to_indices);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
