/* Free dimensions of a model and its batch axis. */
#define _GNU_SOURCE
#include "import_kit.h"

static void free_dims_model(void) {
    onnx_writer w = {.opset = 13};
    ow_input(&w, "a", DIMS(-1, -2, 3, -3));
    ow_input(&w, "b", DIMS(-1, -2));
    ow_node(&w, "Relu", "a", "y");
    ow_output(&w, "y");
    ow_save(&w, in_folder("free.onnx"));
}

START_TEST(free_dimensions) {
    mica_status st = {0};
    graph g;
    free_dims_model();
    /* nothing bound */
    ck_assert(onnx_import(&g, in_folder("free.onnx"), NULL, 0, &st) && graph_infer_shapes(&g, &st));
    const graph_value *y = find_value(&g, "y");
    ck_assert(y->dim[0] == 1 && y->dim[1] == 1 && y->dim[2] == 3 && y->dim[3] == 1 && y->batched);
    graph_free(&g);
    /* by name */
    dim_binding bind[] = {{"M", 5}, {"unused", 9}};
    ck_assert(onnx_import(&g, in_folder("free.onnx"), bind, 2, &st) && graph_infer_shapes(&g, &st));
    y = find_value(&g, "y");
    ck_assert(y->dim[0] == 1 && y->dim[1] == 5 && y->dim[2] == 3 && y->dim[3] == 1 && y->batched);
    ck_assert_int_eq(find_value(&g, "b")->dim[1], 5);
    graph_free(&g);
    /* the batch axis bound to a number is no batch axis */
    dim_binding batch[] = {{"N", 4}};
    ck_assert(onnx_import(&g, in_folder("free.onnx"), batch, 1, &st) && graph_infer_shapes(&g, &st));
    ck_assert(find_value(&g, "y")->dim[0] == 4 && !find_value(&g, "y")->batched && !g.batched);
    graph_free(&g);
    /* by data: M is bound through `a` for `b` too; the batch axis stays 1 */
    ck_assert(onnx_import(&g, in_folder("free.onnx"), NULL, 0, &st));
    ck_assert(graph_bind_input(&g, 0, 4, (int64_t[]){7, 6, 3, 2}, &st) && graph_infer_shapes(&g, &st));
    y = find_value(&g, "y");
    ck_assert(y->dim[0] == 1 && y->dim[1] == 6 && y->dim[2] == 3 && y->dim[3] == 2 && y->batched);
    ck_assert_int_eq(find_value(&g, "b")->dim[1], 6);
    /* without the batch axis it takes the data's size */
    graph_set_batched(&g, false);
    ck_assert(graph_infer_shapes(&g, &st));
    ck_assert(find_value(&g, "y")->dim[0] == 7 && !find_value(&g, "y")->batched);
    graph_free(&g);
}
END_TEST

START_TEST(bad_bindings) {
    static const struct {
        uint32_t input, rank;
        int64_t dim[4];
        const char *word;
    } cases[] = {
        {0, 3, {1, 2, 3}, "has 4 dimensions, the data has 3"},
        {0, 4, {1, 2, 4, 1}, "dimension 2 is 3, in the data it is 4"},
        {0, 4, {1, 0, 3, 1}, "dimension 1 of the data is 0"},
        {1, 2, {1, 9}, "dimension 'M'"},
    };
    free_dims_model();
    for (size_t c = 0; c < COUNT(cases); c++) {
        mica_status st = {0};
        graph g;
        ck_assert(onnx_import(&g, in_folder("free.onnx"), NULL, 0, &st));
        if (cases[c].input == 1)
            ck_assert(graph_bind_input(&g, 0, 4, (int64_t[]){1, 6, 3, 2}, &st));
        ck_assert(!graph_bind_input(&g, cases[c].input, cases[c].rank, cases[c].dim, &st));
        ck_assert_msg(st.code == MICA_ERR_USAGE && strstr(st.message, cases[c].word), "%s", st.message);
        graph_free(&g);
    }
}
END_TEST

/* One operator on x [N,6,4] (or x2 [N,6]) that keeps the batch axis, or mixes it. */
static const struct {
    const char *op, *inputs;
    const char *attr;
    int64_t value[4];
    size_t n_value; /* 0: int attribute */
    bool batched;
} batch_cases[] = {
    {"Relu", "x", NULL, {0}, 0, true},
    {"Transpose", "x", "perm", {0, 2, 1}, 3, true},
    {"Transpose", "x", "perm", {1, 0, 2}, 3, false},
    {"Transpose", "x", NULL, {0}, 0, false},
    {"Softmax", "x", "axis", {-1}, 0, true},
    {"Softmax", "x", "axis", {1}, 0, true},
    {"Softmax", "x", "axis", {0}, 0, false},
    {"Softmax", "x", "axis", {-3}, 0, false},
    {"Flatten", "x", "axis", {1}, 0, true},
    {"Flatten", "x", "axis", {0}, 0, false},
    {"Flatten", "x", "axis", {2}, 0, false},
    {"Reshape", "x s_lead", NULL, {0}, 0, true},
    {"Reshape", "x s_rest", NULL, {0}, 0, true},
    {"Reshape", "x s_copy", NULL, {0}, 0, true},
    {"Reshape", "x s_drop", NULL, {0}, 0, false},
    {"Reshape", "x s_flat", NULL, {0}, 0, false},
    {"Concat", "x x", "axis", {1}, 0, true},
    {"Concat", "x x", "axis", {0}, 0, false},
    {"Add", "x c", NULL, {0}, 0, true},
    {"Add", "c x", NULL, {0}, 0, true},
    {"Add", "x c3", NULL, {0}, 0, true},
    {"Add", "x rows", NULL, {0}, 0, false},
    {"Add", "x2 c3", NULL, {0}, 0, false}, /* [N,6] moves to axis 1 */
    {"Mul", "x x", NULL, {0}, 0, true},
    {"MatMul", "x b", NULL, {0}, 0, true},
    {"MatMul", "x2 b6", NULL, {0}, 0, true},
    {"MatMul", "a x", NULL, {0}, 0, true},
    {"MatMul", "a1 x2", NULL, {0}, 0, false}, /* contracts the batch axis */
    {"MatMul", "x2 stack", NULL, {0}, 0, false},
    {"Gemm", "x2 b6", NULL, {0}, 0, true},
    {"Gemm", "x2 b1", "transA", {1}, 0, false},
    {"Gemm", "c1 x2", NULL, {0}, 0, false},
};

START_TEST(batch_axis) {
    static const float f[256];
    for (size_t c = 0; c < COUNT(batch_cases); c++) {
        onnx_writer w = {.opset = 13};
        mica_status st = {0};
        graph g;
        ow_input(&w, "x", DIMS(-1, 6, 4));
        ow_input(&w, "x2", DIMS(1, 6));
        ow_floats(&w, "c", DIMS(4), f);
        ow_floats(&w, "c3", DIMS(1, 6, 1), f);
        ow_floats(&w, "rows", DIMS(3, 1, 1), f);
        ow_floats(&w, "b", DIMS(4, 5), f);
        ow_floats(&w, "b6", DIMS(6, 5), f);
        ow_floats(&w, "b1", DIMS(1, 5), f);
        ow_floats(&w, "a", DIMS(3, 6), f);
        ow_floats(&w, "a1", DIMS(3, 1), f);
        ow_floats(&w, "c1", DIMS(2, 1), f);
        ow_floats(&w, "stack", DIMS(2, 6, 5), f);
        ow_ints(&w, "s_lead", DIMS(2), (int64_t[]){1, 24});
        ow_ints(&w, "s_rest", DIMS(3), (int64_t[]){-1, 12, 2});
        ow_ints(&w, "s_copy", DIMS(2), (int64_t[]){0, -1});
        ow_ints(&w, "s_drop", DIMS(2), (int64_t[]){6, 4});
        ow_ints(&w, "s_flat", DIMS(1), (int64_t[]){-1});
        if (batch_cases[c].attr && batch_cases[c].n_value)
            ow_attr_ints(&w, batch_cases[c].attr, batch_cases[c].n_value, batch_cases[c].value);
        else if (batch_cases[c].attr)
            ow_attr_int(&w, batch_cases[c].attr, batch_cases[c].value[0]);
        ow_node(&w, batch_cases[c].op, batch_cases[c].inputs, "y");
        ow_output(&w, "y");
        import(&g, &w);
        ck_assert_msg(graph_infer_shapes(&g, &st), "case %zu: %s", c, st.message);
        const graph_value *y = find_value(&g, "y");
        ck_assert_msg(g.batched == batch_cases[c].batched && y->batched == batch_cases[c].batched,
                      "case %zu, %s of %s: batched %d", c, batch_cases[c].op, batch_cases[c].inputs,
                      y->batched);
        ck_assert_msg(find_value(&g, "x")->batched == batch_cases[c].batched, "case %zu: input", c);
        ck_assert(!y->batched || y->dim[0] == 1);
        graph_free(&g);
    }
}
END_TEST

/* A vector input has no batch axis, and then no input has one. */
START_TEST(no_batch_axis) {
    onnx_writer w = {.opset = 13};
    mica_status st = {0};
    graph g;
    ow_input(&w, "x", DIMS(-1, 6));
    ow_input(&w, "v", DIMS(6));
    ow_node(&w, "Add", "x v", "y");
    ow_output(&w, "y");
    import(&g, &w);
    ck_assert(graph_infer_shapes(&g, &st));
    ck_assert(!g.batched && !find_value(&g, "y")->batched);
    graph_free(&g);
}
END_TEST

int main(void) {
    Suite *s = suite_create("dimensions");
    TCase *t = tcase_create("dimensions");
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    tcase_set_timeout(t, 120);
    tcase_add_test(t, free_dimensions);
    tcase_add_test(t, bad_bindings);
    tcase_add_test(t, batch_axis);
    tcase_add_test(t, no_batch_axis);
    suite_add_tcase(s, t);
    const int code = suite_run(s);
    import_folder_remove();
    return code;
}
