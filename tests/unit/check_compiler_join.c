/* Accumulators that are added as they are: the sum is right, one requantisation is left where there were
 * three, and where accumulators cannot be added they are requantised first. */
#include "lowering_kit.h"

/* A convolution that keeps the shape. */
static uint32_t padded(net *t, uint32_t x, double spread) {
    const uint32_t w = constant(t, 0, spread, SHAPE(6, 6, 3, 3));
    with_ints(t, "pads", SHAPE(1, 1, 1, 1));
    return op(t, "Conv", 2, x, w);
}

static uint32_t conv(net *t, uint32_t x, uint32_t in, uint32_t out, double spread) {
    return op(t, "Conv", 2, x, constant(t, 0, spread, SHAPE(out, in, 1, 1)));
}

/* relu(conv(x) + x), x being the result of a layer. */
static void identity(net *t) {
    const uint32_t x = op(t, "Relu", 1, padded(t, input(t, SHAPE(1, 6, 5, 5)), 1));
    output(t, op(t, "Relu", 1, op(t, "Add", 2, padded(t, x, 0.3), x)));
}
static void identity_first(net *t) {
    const uint32_t x = op(t, "Relu", 1, padded(t, input(t, SHAPE(1, 6, 5, 5)), 1));
    output(t, op(t, "Relu", 1, op(t, "Add", 2, x, padded(t, x, 0.3))));
}
static void two_branches(net *t) {
    const uint32_t x = op(t, "Relu", 1, padded(t, input(t, SHAPE(1, 6, 5, 5)), 1));
    output(t, op(t, "Relu", 1, op(t, "Add", 2, padded(t, x, 0.3), padded(t, x, 0.07))));
}
static void difference(net *t) {
    const uint32_t x = op(t, "Relu", 1, padded(t, input(t, SHAPE(1, 6, 5, 5)), 1));
    output(t, op(t, "Relu", 1, op(t, "Sub", 2, padded(t, x, 0.3), padded(t, x, 0.2))));
}
/* The branch is tiny beside what it is added to, and the other way round. */
static void small_branch(net *t) {
    const uint32_t x = op(t, "Relu", 1, padded(t, input(t, SHAPE(1, 6, 5, 5)), 1));
    output(t, op(t, "Relu", 1, op(t, "Add", 2, padded(t, x, 1e-4), x)));
}
static void large_branch(net *t) {
    const uint32_t x = op(t, "Relu", 1, padded(t, input(t, SHAPE(1, 6, 5, 5)), 1));
    output(t, op(t, "Relu", 1, op(t, "Add", 2, padded(t, x, 1e3), x)));
}
/* Branches of 64 channels each, whose accumulators fill the range: the second one's weights are larger. */
static void wide_branches(net *t) {
    const uint32_t x = op(t, "Relu", 1, conv(t, input(t, SHAPE(1, 8, 5, 5)), 8, 64, 1));
    output(t, op(t, "Relu", 1, op(t, "Add", 2, conv(t, x, 64, 16, 0.3), conv(t, x, 64, 16, 0.5))));
}
static void wide_branches_reversed(net *t) {
    const uint32_t x = op(t, "Relu", 1, conv(t, input(t, SHAPE(1, 8, 5, 5)), 8, 64, 1));
    output(t, op(t, "Relu", 1, op(t, "Add", 2, conv(t, x, 64, 16, 0.5), conv(t, x, 64, 16, 0.3))));
}
/* The branch has another reader. */
static void read_twice(net *t) {
    const uint32_t x = op(t, "Relu", 1, padded(t, input(t, SHAPE(1, 6, 5, 5)), 1)), b = padded(t, x, 0.3);
    output(t, op(t, "Relu", 1, op(t, "Add", 2, b, x)));
    output(t, op(t, "Relu", 1, padded(t, b, 0.2)));
}
/* Sums of sums without an activation between them, each of which a layer reads as well. */
static void chain(net *t) {
    uint32_t x = op(t, "Relu", 1, padded(t, input(t, SHAPE(1, 6, 5, 5)), 1));
    for (unsigned i = 0; i < 4; i++)
        x = op(t, "Add", 2, padded(t, op(t, "Relu", 1, padded(t, x, 0.3)), 0.2), x);
    output(t, op(t, "Relu", 1, x));
}
static void sum_is_an_output(net *t) {
    const uint32_t x = op(t, "Relu", 1, padded(t, input(t, SHAPE(1, 6, 5, 5)), 1));
    output(t, op(t, "Add", 2, padded(t, x, 0.3), x));
}
static void dense(net *t) {
    const uint32_t x =
        op(t, "Relu", 1, op(t, "MatMul", 2, input(t, SHAPE(1, 40)), constant(t, 0, 1, SHAPE(40, 30))));
    output(t,
           op(t, "Relu", 1, op(t, "Add", 2, op(t, "MatMul", 2, x, constant(t, 0, 0.2, SHAPE(30, 30))), x)));
}
static void broadcast(net *t) {
    const uint32_t x = op(t, "Relu", 1, padded(t, input(t, SHAPE(1, 6, 5, 5)), 1));
    output(t, op(t, "Relu", 1, op(t, "Add", 2, padded(t, x, 0.3), op(t, "GlobalAveragePool", 1, x))));
}

static const op_case cases[] = {
    {"identity", identity, true, 0.004, 0.02},
    {"identity first", identity_first, true, 0.004, 0.02},
    {"two branches", two_branches, true, 0.004, 0.02},
    {"wide branches", wide_branches, true, 0.004, 0.02},
    {"wide branches reversed", wide_branches_reversed, true, 0.004, 0.02},
    {"difference", difference, true, 0.004, 0.02},
    {"small branch", small_branch, true, 0.004, 0.02},
    {"large branch", large_branch, true, 0.004, 0.02},
    {"read twice", read_twice, true, 0.006, 0.03},
    {"chain", chain, true, 0.006, 0.03},
    {"a sum as output", sum_is_an_output, true, 0.004, 0.02},
    {"dense", dense, true, 0.004, 0.02},
    {"broadcast", broadcast, true, 0.004, 0.02},
};

START_TEST(sums_are_right) {
    run_op_case(&cases[_i]);
}
END_TEST

/* Requantisations with values: of the layer before, and of the sum. */
static unsigned requantisations_at(build_fn *build, unsigned bits) {
    lowered_net n = {0};
    mica_status st = {0};
    unsigned count = 0;
    net_create(&n.t, 5, true);
    build(&n.t);
    ck_assert(graph_infer_shapes(&n.t.g, &st) &&
              lower_net(&n,
                        &(lowering_options){
                            .max_batch = 1, .activation_bits = bits, .weight_bits = bits, .fine = bits > 0},
                        &st));
    for (uint32_t i = 0; i < n.p.n_steps; i++)
        count += n.p.step[i].kind == STEP_REQUANTISE && n.p.step[i].tensor[1] != UINT32_MAX;
    lowered_free(&n);
    return count;
}

static unsigned requantisations(build_fn *build) {
    return requantisations_at(build, 0);
}

/* Where the range of the sum is what limits the weights' resolution, the branch that comes first leaves room
 * for the other at a scale that both can have. */
START_TEST(fine_branches_share_the_range) {
    for (unsigned bits = 9; bits <= 15; bits++) { /* of the layer before and of the sum, two stages at most */
        ck_assert_uint_le(requantisations_at(wide_branches, bits), 4);
        ck_assert_uint_le(requantisations_at(wide_branches_reversed, bits), 4);
        ck_assert_uint_le(requantisations_at(two_branches, bits), 5);
    }
}
END_TEST

START_TEST(one_requantisation_is_left) {
    ck_assert_uint_eq(requantisations(identity), 2);
    ck_assert_uint_eq(requantisations(identity_first), 2);
    ck_assert_uint_eq(requantisations(two_branches), 2);
    ck_assert_uint_eq(requantisations(difference), 2);
    ck_assert_uint_eq(requantisations(dense), 2);
    ck_assert_uint_eq(requantisations(read_twice),
                      4); /* the branch for its other reader, and that reader's */
}
END_TEST

int main(void) {
    Suite *s = suite_create("join");
    TCase *t = tcase_create("join");
    tcase_add_loop_test(t, sums_are_right, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_test(t, one_requantisation_is_left);
    tcase_add_test(t, fine_branches_share_the_range);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return suite_run(s);
}
