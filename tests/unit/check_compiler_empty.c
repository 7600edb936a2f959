/* Tensors without elements: they fold to constants, reductions of them are the neutral elements, and neither
 * they nor what they came from is in a circuit. */
#define _GNU_SOURCE
#include "lowering_kit.h"

static uint32_t none_of(net *t, uint32_t x) {
    const uint32_t zero = shape_constant(t, SHAPE(0)), one = shape_constant(t, SHAPE(1));
    return op(t, "Slice", 4, x, zero, zero, one);
}

/* --- reductions --- */

typedef struct neutral {
    const char *op;
    int type;
    double value;
} neutral;

static const neutral neutrals[] = {{"ReduceSum", ONNX_FLOAT, 0},
                                   {"ReduceSumSquare", ONNX_FLOAT, 0},
                                   {"ReduceL1", ONNX_FLOAT, 0},
                                   {"ReduceL2", ONNX_FLOAT, 0},
                                   {"ReduceProd", ONNX_FLOAT, 1},
                                   {"ReduceMax", ONNX_FLOAT, -__builtin_inf()},
                                   {"ReduceMin", ONNX_FLOAT, __builtin_inf()},
                                   {"ReduceLogSum", ONNX_FLOAT, -__builtin_inf()},
                                   {"ReduceLogSumExp", ONNX_FLOAT, -__builtin_inf()},
                                   {"ReduceSum", ONNX_INT32, 0},
                                   {"ReduceProd", ONNX_INT32, 1},
                                   {"ReduceMax", ONNX_INT8, -128},
                                   {"ReduceMin", ONNX_INT8, 127},
                                   {"ReduceMax", ONNX_UINT8, 0},
                                   {"ReduceMin", ONNX_UINT8, 255},
                                   {"ReduceMax", ONNX_BOOL, 0},
                                   {"ReduceMin", ONNX_BOOL, 1}};
#define NEUTRALS (int)(sizeof neutrals / sizeof *neutrals)

START_TEST(reductions) {
    const neutral *c = &neutrals[_i];
    net t;
    mica_status st = {0};
    net_create(&t, 1, false);
    t.g.opset = 21;
    const uint32_t x = c->type == ONNX_FLOAT ? input(&t, SHAPE(2, 3)) : int_input(&t, c->type, SHAPE(2, 3));
    const uint32_t y = op(&t, c->op, 2, none_of(&t, x), shape_constant(&t, SHAPE(1)));
    output(&t, y);
    ck_assert_msg(graph_infer_shapes(&t.g, &st) && graph_fold_constants(&t.g, &st), "%s", st.message);
    const graph_value *v = &t.g.value[y];
    ck_assert(graph_is_const(v) && v->rank == 2 && v->dim[0] == 2 && v->dim[1] == 1);
    for (int i = 0; i < 2; i++) {
        const double found = v->real ? v->real[i] : (double)v->integer[i];
        ck_assert_msg(found == c->value, "%s of no %d: %g", c->op, c->type, found);
    }
    graph_free(&t.g);
}
END_TEST

START_TEST(mean_is_refused) {
    net t;
    mica_status st = {0};
    net_create(&t, 1, false);
    output(&t, op(&t, "ReduceMean", 1, none_of(&t, input(&t, SHAPE(2, 3)))));
    ck_assert(!graph_infer_shapes(&t.g, &st));
    ck_assert_msg(strstr(st.message, "the mean of no elements") != NULL, "%s", st.message);
    graph_free(&t.g);
}
END_TEST

/* --- circuits --- */

/* A part without elements beside one that has some. */
static void empty_parts(net *t) {
    const uint32_t x = input(t, SHAPE(1, 4)), none = none_of(t, x);
    with_int(t, "axis", 1);
    const uint32_t both = op(t, "Concat", 3, none, x, none);
    output(t, op(t, "Relu", 1, both));
}

/* A product over no elements is 0, and so no output depends on the input. */
static void empty_product(net *t) {
    const uint32_t w = constant(t, 0, 1, SHAPE(4, 3));
    const uint32_t zero = shape_constant(t, SHAPE(0)), axis = shape_constant(t, SHAPE(0));
    const uint32_t no_rows = op(t, "Slice", 4, w, zero, zero, axis);
    const uint32_t x = input(t, SHAPE(2, 4)), one = shape_constant(t, SHAPE(1));
    output(t, op(t, "MatMul", 2, op(t, "Slice", 4, x, zero, zero, one), no_rows));
}

START_TEST(circuits) {
    run_case("empty parts", empty_parts, 3, true, 0.001, 0.005);
}
END_TEST

START_TEST(products_are_zero) {
    net t;
    mica_status st = {0};
    net_create(&t, 4, false);
    empty_product(&t);
    ck_assert_msg(graph_infer_shapes(&t.g, &st) && graph_fold_constants(&t.g, &st), "%s", st.message);
    const graph_value *v = &t.g.value[t.g.output[0]];
    ck_assert(v->real && v->rank == 2 && v->dim[0] == 2 && v->dim[1] == 3);
    for (int i = 0; i < 6; i++)
        ck_assert(v->real[i] == 0);
    graph_free(&t.g);
}
END_TEST

/* --- inputs and outputs --- */

START_TEST(inputs_become_constants) {
    net t;
    mica_status st = {0};
    net_create(&t, 1, true);
    const uint32_t x = input(&t, SHAPE(1, 4)), e = input(&t, SHAPE(3, 0)), f = input(&t, SHAPE(0));
    t.g.value[e].name = "e";
    t.g.value[f].name = "f";
    t.g.batched = false;
    ck_assert_msg(graph_freeze_empty_inputs(&t.g, &st), "%s", st.message);
    ck_assert(t.g.n_inputs == 1 && t.g.input[0] == x && t.g.n_empty_inputs == 2);
    ck_assert(graph_is_const(&t.g.value[e]) && graph_is_const(&t.g.value[f]));
    ck_assert(t.g.batched); /* the inputs that stay have a batch axis */
    graph_free(&t.g);
}
END_TEST

START_TEST(outputs_are_set_aside) {
    net t;
    mica_status st = {0};
    net_create(&t, 1, true);
    const uint32_t x = input(&t, SHAPE(1, 4)), none = none_of(&t, x), y = op(&t, "Relu", 1, x);
    output(&t, none);
    ck_assert_msg(graph_infer_shapes(&t.g, &st), "%s", st.message);
    ck_assert(t.g.n_outputs == 0 && graph_is_settled(&t.g));
    output(&t, y);
    ck_assert_msg(graph_infer_shapes(&t.g, &st), "%s", st.message);
    ck_assert(t.g.n_outputs == 1 && t.g.output[0] == y && !graph_is_settled(&t.g));
    graph_free(&t.g);
}
END_TEST

int main(void) {
    Suite *s = suite_create("empty tensors");
    TCase *c = tcase_create("empty tensors");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, reductions, 0, NEUTRALS);
    tcase_add_test(c, mean_is_refused);
    tcase_add_test(c, circuits);
    tcase_add_test(c, products_are_zero);
    tcase_add_test(c, inputs_become_constants);
    tcase_add_test(c, outputs_are_set_aside);
    suite_add_tcase(s, c);
    return suite_run(s);
}
