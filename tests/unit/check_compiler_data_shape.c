/* NonZero, Unique and Compress: folded where constants decide their outputs' shapes, refused where the data
 * do. */
#include "lowering_kit.h"

static uint32_t part(net *t, int64_t which, const char *type, uint32_t x) {
    if (which > 0) {
        with_int(t, "mica_part", which);
        with_int(t, "mica_parts", 4);
    }
    const uint32_t y = op(t, type, 1, x);
    output(t, y); /* parts that nothing reads are left out */
    return y;
}

static uint32_t reals(net *t, const double *x, unsigned rank, const int64_t *dim) {
    const uint32_t v = constant(t, 0, 0, rank, dim);
    memcpy((double *)t->g.value[v].real, x, (size_t)graph_elements(&t->g.value[v]) * sizeof *x);
    return v;
}

/* --- constants --- */

static void expect(const net *t, uint32_t v, unsigned rank, const int64_t *dim, const double *want) {
    const graph_value *x = &t->g.value[v];
    ck_assert(graph_is_const(x));
    ck_assert_uint_eq(x->rank, rank);
    size_t n = 1;
    for (unsigned i = 0; i < rank; i++) {
        ck_assert_int_eq(x->dim[i], dim[i]);
        n *= (size_t)dim[i];
    }
    for (size_t i = 0; i < n; i++)
        ck_assert_double_eq(x->real ? x->real[i] : (double)x->integer[i], want[i]);
}

static void fold(net *t) {
    mica_status st = {0};
    output(t, op(t, "Relu", 1, input(t, SHAPE(1, 2))));
    ck_assert_msg(graph_infer_shapes(&t->g, &st) && graph_fold_constants(&t->g, &st), "%s", st.message);
}

START_TEST(places_that_are_not_zero) {
    net t;
    net_create(&t, 1, true);
    const uint32_t y = op(&t, "NonZero", 1, reals(&t, (double[]){0, 2, 0, -1, 0, 3}, SHAPE(2, 3)));
    const uint32_t one = op(&t, "NonZero", 1, number(&t, 5)), none = op(&t, "NonZero", 1, number(&t, 0));
    const uint32_t list = op(&t, "NonZero", 1, shape_constant(&t, SHAPE(0, 7, 7)));
    const uint32_t x = reals(&t, (double[]){0, 2, 0.5}, SHAPE(3));
    const uint32_t computed = op(&t, "NonZero", 1, op(&t, "Floor", 1, op(&t, "Mul", 2, x, x)));
    fold(&t);
    expect(&t, computed, SHAPE(1, 1), (double[]){1});
    expect(&t, y, SHAPE(2, 3), (double[]){0, 1, 1, 1, 0, 2});
    expect(&t, one, SHAPE(1, 1), (double[]){0});
    expect(&t, none, SHAPE(1, 0), NULL);
    expect(&t, list, SHAPE(1, 2), (double[]){1, 2});
    graph_free(&t.g);
}
END_TEST

START_TEST(distinct_elements) {
    static const double x[] = {2, 1, 1, 3, 4, 3};
    static const double sorted[4][6] = {{1, 2, 3, 4}, {1, 0, 3, 4}, {1, 0, 0, 2, 3, 2}, {2, 1, 2, 1}};
    static const double as_found[4][6] = {{2, 1, 3, 4}, {0, 1, 3, 4}, {0, 1, 1, 2, 3, 2}, {1, 2, 2, 1}};
    net t;
    uint32_t y[2][4];
    net_create(&t, 1, true);
    const uint32_t v = reals(&t, x, SHAPE(2, 3));
    for (int64_t i = 0; i < 4; i++) {
        y[0][i] = part(&t, i, "Unique", v);
        with_int(&t, "sorted", 0);
        y[1][i] = part(&t, i, "Unique", v);
    }
    fold(&t);
    for (unsigned i = 0; i < 4; i++) {
        expect(&t, y[0][i], SHAPE(i == 2 ? 6 : 4), sorted[i]);
        expect(&t, y[1][i], SHAPE(i == 2 ? 6 : 4), as_found[i]);
    }
    graph_free(&t.g);
}
END_TEST

/* Rows, and columns. */
START_TEST(distinct_slices) {
    static const double x[] = {1, 0, 0, 1, 0, 0, 2, 3, 4};
    net t;
    uint32_t rows[4], columns;
    net_create(&t, 1, true);
    const uint32_t v = reals(&t, x, SHAPE(3, 3));
    for (int64_t i = 0; i < 4; i++) {
        with_int(&t, "axis", 0);
        rows[i] = part(&t, i, "Unique", v);
    }
    with_int(&t, "axis", -1);
    columns = part(&t, 0, "Unique", v);
    fold(&t);
    expect(&t, rows[0], SHAPE(2, 3), (double[]){1, 0, 0, 2, 3, 4});
    expect(&t, rows[1], SHAPE(2), (double[]){0, 2});
    expect(&t, rows[2], SHAPE(3), (double[]){0, 0, 1});
    expect(&t, rows[3], SHAPE(2), (double[]){2, 1});
    expect(&t, columns, SHAPE(3, 3), (double[]){0, 0, 1, 0, 0, 1, 3, 4, 2});
    graph_free(&t.g);
}
END_TEST

/* --- a constant condition --- */

static uint32_t condition(net *t, unsigned n, const int64_t *x) {
    const uint32_t v = shape_constant(t, n, x);
    t->g.value[v].onnx_dtype = ONNX_BOOL;
    return v;
}

static void compress_axes(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(1, 3, 4));
    with_int(t, "axis", 1);
    output(t, op(t, "Compress", 2, x, condition(t, SHAPE(0, 1, 1))));
    with_int(t, "axis", -1);
    output(t, op(t, "Compress", 2, x, condition(t, SHAPE(1, 0, 1)))); /* shorter than the axis */
}

static void compress_elements(net *t) {
    const uint32_t x = int_input(t, ONNX_INT32, SHAPE(3, 2));
    output(t, op(t, "Compress", 2, x, condition(t, SHAPE(0, 1, 0, 1, 1, 0))));
    with_int(t, "axis", 0);
    output(t, op(t, "Compress", 2, x, condition(t, SHAPE(1, 0, 1))));
}

START_TEST(compressed) {
    run_case("compress_axes", compress_axes, 31, true, 0, 0);
    run_case("compress_elements", compress_elements, 32, false, 0, 0);
}
END_TEST

/* --- refusals --- */

static void check_refused(net *t, const char *node) {
    mica_status st = {0};
    ck_assert(!graph_infer_shapes(&t->g, &st));
    ck_assert_int_eq(st.code, MICA_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(st.message, node) && strstr(st.message, "shape depends on the data"), "%s",
                  st.message);
    graph_free(&t->g);
}

START_TEST(data_decide) {
    net t;
    net_create(&t, 1, true);
    output(&t, op(&t, "NonZero", 1, input(&t, SHAPE(1, 5))));
    check_refused(&t, "node 'NonZero_0' (NonZero, [1,5])");
    net_create(&t, 1, true);
    output(&t, op(&t, "Unique", 1, input(&t, SHAPE(1, 5))));
    check_refused(&t, "node 'Unique_0' (Unique, [1,5])");
    net_create(&t, 1, true);
    const uint32_t x = input(&t, SHAPE(1, 5)), c = int_input(&t, ONNX_BOOL, SHAPE(5));
    output(&t, op(&t, "Compress", 2, x, c));
    check_refused(&t, "node 'Compress_0' (Compress");
    net_create(&t, 1, true);
    output(&t, op(&t, "NonMaxSuppression", 1, input(&t, SHAPE(1, 5))));
    check_refused(&t, "NonMaxSuppression (1 node, 'NonMaxSuppression_0': its output's shape");
}
END_TEST

START_TEST(not_for_inference) {
    static const char *const ops[][2] = {{"RandomUniformLike", "random"},
                                         {"ai.onnx.preview.training.Momentum", "training"},
                                         {"StringNormalizer", "texts"},
                                         {"SequenceConstruct", "sequences"}};
    net t;
    mica_status st = {0};
    net_create(&t, 1, true);
    output(&t, op(&t, ops[_i][0], 1, input(&t, SHAPE(1, 5))));
    ck_assert(!graph_infer_shapes(&t.g, &st));
    ck_assert_msg(strstr(st.message, ops[_i][0]) && strstr(st.message, ops[_i][1]), "%s", st.message);
    graph_free(&t.g);
}
END_TEST

int main(void) {
    Suite *s = suite_create("shapes that depend on elements");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, places_that_are_not_zero);
    tcase_add_test(tc, distinct_elements);
    tcase_add_test(tc, distinct_slices);
    tcase_add_test(tc, compressed);
    tcase_add_test(tc, data_decide);
    tcase_add_loop_test(tc, not_for_inference, 0, 4);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
