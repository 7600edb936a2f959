/* Weights of two limbs: the limbs are those of the weights, their accumulators keep the bound, the sum is the
 * product's, and the resolution that the bound took is there again. */
#include "lowering_kit.h"

#include "lowering/lowering_split.h"

#define LENGTH 700
#define ROWS   3
#define LIMIT  (INT64_C(1) << 24)

/* --- limbs --- */

static void fill(int32_t *q, int32_t top, uint64_t seed) {
    for (unsigned i = 0; i < ROWS * LENGTH; i++)
        q[i] = (int32_t)((double)top * random_double(&seed));
}

static bool split(weight_split *s, int32_t *q, double bias) {
    const weighted w = {.w_rank = 2, .w_dim = {ROWS, LENGTH}, .contracted = 2};
    mica_status st = {0};
    ck_assert(weight_split_find(s, q, &w, (bound){-300, 300}, bias, LIMIT, &st));
    return s->bits > 0;
}

/* The range of one row over all x in [-300, 300]. */
static int64_t reach(const int32_t *row) {
    int64_t sum = 0;
    for (unsigned i = 0; i < LENGTH; i++)
        sum += 300 * (int64_t)(row[i] < 0 ? -row[i] : row[i]);
    return sum;
}

START_TEST(limbs_are_the_weights) {
    static int32_t q[ROWS * LENGTH], was[ROWS * LENGTH];
    weight_split s;
    fill(q, 4000, 3); /* 700 * 300 * 2000 is 2^28.6: five bits too many */
    memcpy(was, q, sizeof q);
    ck_assert(split(&s, q, 1000));
    for (unsigned i = 0; i < ROWS * LENGTH; i++) {
        const int32_t half = INT32_C(1) << (s.bits - 1);
        ck_assert(s.low[i] >= -half && s.low[i] < half);
        ck_assert_int_eq(q[i] * 2 * half + s.low[i], was[i]);
    }
    int64_t whole = 0;
    for (unsigned r = 0; r < ROWS; r++) {
        ck_assert_int_le(reach(q + r * LENGTH), s.high_acc.hi);
        ck_assert_int_le(reach(s.low + r * LENGTH), s.low_acc.hi);
        whole = reach(was + r * LENGTH) > whole ? reach(was + r * LENGTH) : whole;
    }
    ck_assert(s.high_acc.hi + (s.low_acc.hi >> s.bits) < LIMIT && s.low_acc.hi < LIMIT);
    ck_assert(whole >> (s.bits - 2) > LIMIT); /* not many more bits than needed */
    weight_split_free(&s);
}
END_TEST

/* What is too wide for two limbs stays as it is. */
START_TEST(too_wide_is_left_alone) {
    static int32_t q[ROWS * LENGTH], was[ROWS * LENGTH];
    weight_split s;
    fill(q, 1 << 20, 3);
    memcpy(was, q, sizeof q);
    ck_assert(!split(&s, q, 0));
    ck_assert_ptr_null(s.low);
    ck_assert(!memcmp(q, was, sizeof q));
}
END_TEST

/* --- layers --- */

/* Two layers of long rows; the error of the output with 14-bit widths, and how many contractions there are.
 */
static double layers(bool may_split, unsigned *contractions) {
    lowered_net n = {0};
    mica_status st = {0};
    accuracy a;
    net *t = &n.t;
    net_create(t, 21, true);
    const uint32_t x = input(t, SHAPE(1, 600));
    const uint32_t hidden = op(t, "Relu", 1, op(t, "MatMul", 2, x, constant(t, 0, 1, SHAPE(600, 400))));
    output(t, op(t, "MatMul", 2, hidden, constant(t, 0, 1, SHAPE(400, 6))));
    ck_assert(graph_infer_shapes(&t->g, &st));
    const lowering_options options = {
        .activation_bits = 14, .weight_bits = 14, .fine = true, .split = may_split, .max_batch = 2};
    ck_assert_msg(lower_net(&n, &options, &st), "%s", st.message);
    check_order("two limbs", &n.p);
    check_text_form("two limbs", &n.p);
    *contractions = n.p.circuit.n_contract;
    for (uint32_t i = 0; i < n.p.circuit.n_tensors; i++) {
        const mica_tensor *v = &n.p.circuit.tensor[i];
        ck_assert(v->kind != MICA_TENSOR_CONTRACT ||
                  (v->hi < RANGE_WEIGHTED_LIMIT && -v->lo < RANGE_WEIGHTED_LIMIT));
    }
    lowered_measure(&n, n.samples, &a);
    const double error = a.output[0].mean;
    accuracy_free(&a);
    lowered_free(&n);
    return error;
}

START_TEST(limited_layers_are_split) {
    unsigned one, two;
    const double limited = layers(false, &one), free_of_it = layers(true, &two);
    ck_assert_uint_eq(one, 2);
    ck_assert_uint_gt(two, one);
    ck_assert_msg(free_of_it < limited / 2, "error %g, with two limbs %g", limited, free_of_it);
}
END_TEST

int main(void) {
    Suite *s = suite_create("weights of two limbs");
    TCase *c = tcase_create("all");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, limbs_are_the_weights);
    tcase_add_test(c, too_wide_is_left_alone);
    tcase_add_test(c, limited_layers_are_split);
    suite_add_tcase(s, c);
    return suite_run(s);
}
