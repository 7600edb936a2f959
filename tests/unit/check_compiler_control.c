/* If, Loop and Scan: what they become equals what they compute, and what cannot be known when a model is
 * compiled is refused by name. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graph/passes.h"
#include "onnx_writer.h"
#include "suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DIMS(...)                                                                                            \
    (uint32_t) COUNT(((int64_t[]){__VA_ARGS__})), (int64_t[]) {                                              \
        __VA_ARGS__                                                                                          \
    }
#define BOOL 9

/* --- running a model --- */

static bool load(onnx_writer *w, graph *g, mica_status *st) {
    char path[] = "/tmp/mica-control-XXXXXX";
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    ow_save(w, path);
    const bool read = onnx_import(g, path, NULL, 0, st);
    (void)unlink(path);
    if (!read)
        return false;
    if (graph_infer_shapes(g, st) && graph_fold_constants(g, st) && graph_canonicalise(g, st))
        return true;
    graph_free(g);
    return false;
}

/* The first output of the model on x[0..4) and, if it has a second input, on c. */
static void expect(onnx_writer *w, double c, size_t n, const double *want) {
    const double x[4] = {1, -2, 3, -4}, *input[2] = {x, &c};
    mica_status st = {0};
    graph g;
    ck_assert_msg(load(w, &g, &st), "%s", st.message);
    double **value = graph_buffers_create(&g, &st);
    ck_assert_msg(value && graph_evaluate(&g, input, value, &st), "%s", st.message);
    ck_assert_uint_eq(graph_elements(&g.value[g.output[0]]), n);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(value[g.output[0]][i] == want[i], "element %zu: %g, not %g", i, value[g.output[0]][i],
                      want[i]);
    graph_buffers_free(&g, value);
    graph_free(&g);
}

static void expect_refused(onnx_writer *w, const char *words) {
    mica_status st = {0};
    graph g;
    ck_assert_msg(!load(w, &g, &st), "taken, expected: %s", words);
    ck_assert_msg(strstr(st.message, words) != NULL, "'%s', expected '%s'", st.message, words);
}

static onnx_writer model(void) {
    onnx_writer w = {.opset = 13};
    ow_input(&w, "x", DIMS(4));
    ow_output(&w, "y");
    return w;
}

/* A graph without inputs that applies one operator to the value x around it. */
static onnx_writer branch(const char *op) {
    onnx_writer b = {0};
    ow_node(&b, op, "x", "r");
    ow_output(&b, "r");
    return b;
}

static void add_if(onnx_writer *w, const char *condition, const char *then_op, const char *else_op) {
    onnx_writer yes = branch(then_op), no = branch(else_op);
    ow_attr_graph(w, "then_branch", &yes);
    ow_attr_graph(w, "else_branch", &no);
    ow_node(w, "If", condition, "y");
}

/* --- If --- */

START_TEST(computed_condition_selects) {
    onnx_writer w = model();
    ow_port(&w, 11, "c", BOOL, 0, NULL);
    add_if(&w, "c", "Relu", "Neg");
    expect(&w, 1, 4, (double[]){1, 0, 3, 0});
    w = model();
    ow_port(&w, 11, "c", BOOL, 1, (int64_t[]){1});
    add_if(&w, "c", "Relu", "Neg");
    expect(&w, 0, 4, (double[]){-1, 2, -3, 4});
}
END_TEST

/* The condition comes from a shape: one branch is taken, the other may be anything. */
START_TEST(known_condition_takes_its_branch) {
    onnx_writer w = model();
    ow_ints(&w, "four", DIMS(1), (int64_t[]){4});
    ow_node(&w, "Shape", "x", "s");
    ow_node(&w, "Equal", "s four", "c");
    add_if(&w, "c", "Neg", "Flatten");
    expect(&w, 0, 4, (double[]){-1, 2, -3, 4});
}
END_TEST

START_TEST(branches_of_different_shapes) {
    onnx_writer w = model();
    ow_port(&w, 11, "c", BOOL, 0, NULL);
    add_if(&w, "c", "Relu", "Flatten");
    expect_refused(&w, "'n0/Where' (Where, [] * [4] * [4,1]): its condition depends on the network's inputs");
}
END_TEST

/* --- Loop --- */

/* v, s := v + x, v + x times the iteration's number */
static onnx_writer loop_body(const char *condition) {
    onnx_writer b = {0};
    ow_port(&b, 11, "i", 7, 0, NULL);
    ow_port(&b, 11, "on", BOOL, 0, NULL);
    ow_port(&b, 11, "v", 1, 1, (int64_t[]){4});
    ow_attr_int(&b, "to", 1);
    ow_node(&b, "Cast", "i", "number");
    ow_node(&b, "Add", "v x", "sum");
    ow_node(&b, "Mul", "sum number", "part");
    ow_node(&b, "Less", "i two", "less");
    ow_output(&b, condition);
    ow_output(&b, "sum");
    ow_output(&b, "part");
    return b;
}

static onnx_writer loop_model(const char *count, const char *condition, const char *outputs) {
    onnx_writer w = model(), b = loop_body(condition);
    char inputs[32];
    ow_ints(&w, "three", 0, NULL, (int64_t[]){3});
    ow_ints(&w, "two", 0, NULL, (int64_t[]){2});
    (void)snprintf(inputs, sizeof inputs, "%s - x", count);
    ow_attr_graph(&w, "body", &b);
    ow_node(&w, "Loop", inputs, outputs);
    return w;
}

START_TEST(counted_loop) {
    onnx_writer w = loop_model("three", "on", "y");
    expect(&w, 0, 4, (double[]){4, -8, 12, -16});
    w = loop_model("three", "on", "- y");
    expect(&w, 0, 12, (double[]){0, 0, 0, 0, 3, -6, 9, -12, 8, -16, 24, -32});
}
END_TEST

/* The condition after iteration i is i < 2: three run. */
START_TEST(loop_with_known_conditions) {
    onnx_writer w = loop_model("-", "less", "- y");
    expect(&w, 0, 12, (double[]){0, 0, 0, 0, 3, -6, 9, -12, 8, -16, 24, -32});
}
END_TEST

START_TEST(loops_that_data_decide) {
    onnx_writer w = model(), b = loop_body("on");
    ow_port(&w, 11, "m", 7, 0, NULL);
    ow_ints(&w, "two", 0, NULL, (int64_t[]){2});
    ow_attr_graph(&w, "body", &b);
    ow_node(&w, "Loop", "m - x", "y");
    expect_refused(&w, "the number of iterations must be a constant; --const m=FILE makes it a constant");
    w = loop_model("-", "on", "y"); /* forever */
    expect_refused(&w, "more than 4096 iterations");
}
END_TEST

/* --- Scan --- */

START_TEST(scan_backwards) {
    onnx_writer w = model(), b = {0};
    ow_ints(&w, "shape", DIMS(2), (int64_t[]){2, 2});
    ow_floats(&w, "zero", DIMS(2), (float[]){0, 0});
    ow_node(&w, "Reshape", "x shape", "square");
    ow_port(&b, 11, "state", 1, 1, (int64_t[]){2});
    ow_port(&b, 11, "entry", 1, 1, (int64_t[]){2});
    ow_node(&b, "Add", "state entry", "sum");
    ow_node(&b, "Identity", "sum", "each");
    ow_output(&b, "sum");
    ow_output(&b, "each");
    ow_attr_graph(&w, "body", &b);
    ow_attr_int(&w, "num_scan_inputs", 1);
    ow_attr_ints(&w, "scan_input_axes", DIMS(1));
    ow_attr_ints(&w, "scan_input_directions", DIMS(1));
    ow_attr_ints(&w, "scan_output_axes", DIMS(1));
    ow_node(&w, "Scan", "zero square", "- y");
    /* columns (-2, -4) and (1, 3); sums (-2, -4) and (-1, -1), side by side */
    expect(&w, 0, 4, (double[]){-2, -1, -4, -1});
}
END_TEST

/* --- hostile files --- */

START_TEST(subgraphs_without_end) {
    onnx_writer w = model(), inner = branch("Neg");
    for (int i = 0; i < 9; i++) {
        onnx_writer outer = {0}, no = branch("Neg");
        ow_attr_graph(&outer, "then_branch", &inner);
        ow_attr_graph(&outer, "else_branch", &no);
        ow_node(&outer, "If", "c", "r");
        ow_output(&outer, "r");
        inner = outer;
    }
    ow_port(&w, 11, "c", BOOL, 0, NULL);
    onnx_writer no = branch("Neg");
    ow_attr_graph(&w, "then_branch", &inner);
    ow_attr_graph(&w, "else_branch", &no);
    ow_node(&w, "If", "c", "y");
    expect_refused(&w, "more than 8 subgraphs within one another");
}
END_TEST

START_TEST(graphs_that_do_not_fit) {
    onnx_writer w = model(), b = branch("Neg");
    ow_attr_graph(&w, "body", &b);
    ow_node(&w, "Loop", "- - x", "y");
    expect_refused(&w, "its body takes an iteration number");
    w = model();
    ow_port(&w, 11, "c", BOOL, 0, NULL);
    ow_node(&w, "If", "c", "y");
    expect_refused(&w, "it has no graph");
    w = model();
    b = branch("Neg");
    ow_attr_graph(&w, "body", &b);
    ow_attr_int(&w, "mica_iteration", 7);
    ow_node(&w, "Loop", "- - x", "y");
    expect_refused(&w, "'mica_iteration' is none of the standard's");
}
END_TEST

int main(void) {
    Suite *s = suite_create("control flow");
    TCase *c = tcase_create("control");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, computed_condition_selects);
    tcase_add_test(c, known_condition_takes_its_branch);
    tcase_add_test(c, branches_of_different_shapes);
    tcase_add_test(c, counted_loop);
    tcase_add_test(c, loop_with_known_conditions);
    tcase_add_test(c, loops_that_data_decide);
    tcase_add_test(c, scan_backwards);
    tcase_add_test(c, subgraphs_without_end);
    tcase_add_test(c, graphs_that_do_not_fit);
    suite_add_tcase(s, c);
    return suite_run(s);
}
