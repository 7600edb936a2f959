/* The float reference against outputs computed by other programs: the ONNX standard's node tests, and the
 * networks of the model zoo before and after canonicalisation.
 *
 * $MICA_ZOO and $MICA_NODE_TESTS name the two folders; by default they are looked for in shared/ beside the
 * repository. What is absent is skipped with a message.
 */
#define _GNU_SOURCE
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graph/passes.h"
#include "io/tensor_file.h"
#include "ops/ops.h"
#include "suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The folder, or NULL with a message. */
static const char *data_folder(const char *variable, const char *standard) {
    static char path[600];
    const char *given = getenv(variable), *end = strstr(__FILE__, "tests/unit/");
    (void)snprintf(path, sizeof path, "%.*s%s%s", end && !given ? (int)(end - __FILE__) : 0, __FILE__,
                   given ? "" : standard, given ? given : "");
    if (access(path, R_OK) == 0)
        return path;
    (void)fprintf(stderr, "\n*** SKIPPED: %s is not there (set %s) ***\n\n", path, variable);
    return NULL;
}

/* --- Evaluation --- */

static void read_exactly(tensor_data *t, const char *path, const graph_value *v) {
    mica_status st = {0};
    ck_assert_msg(tensor_file_read(t, path, &st), "%s", st.message);
    ck_assert_msg(t->count == graph_elements(v), "%s has %llu elements, '%s' has %llu", path,
                  (unsigned long long)t->count, v->name, (unsigned long long)graph_elements(v));
}

/* Elements of a value after evaluation, integers as doubles. */
static double element(const graph *g, double *const *value, uint32_t v, size_t i) {
    if (g->value[v].real)
        return g->value[v].real[i];
    return g->value[v].integer ? (double)g->value[v].integer[i] : value[v][i];
}

/* The largest difference of graph output k from the file, relative to the file's largest element or, with
 * `absolute`, to 1 where that is smaller. */
static double compare_output(const graph *g, double *const *value, uint32_t k, const char *path,
                             bool absolute) {
    tensor_data t;
    double error = 0, scale = absolute ? 1 : 0;
    read_exactly(&t, path, &g->value[g->output[k]]);
    for (size_t i = 0; i < t.count; i++) {
        double difference = fabs(element(g, value, g->output[k], i) - t.value[i]);
        error = difference > error || isnan(difference) ? difference : error;
        scale = fabs(t.value[i]) > scale ? fabs(t.value[i]) : scale;
    }
    tensor_data_free(&t);
    return scale > 0 ? error / scale : error;
}

/* Evaluates on `folder`/input_K.<kind>, K = position[k] for graph input k, and returns the worst output's
 * error. */
static double run_case(const graph *g, const char *folder, const char *kind, const size_t *position,
                       bool absolute) {
    mica_status st = {0};
    tensor_data input[8] = {0};
    const double *x[8];
    double worst = 0, **value = graph_buffers_create(g, &st);
    char path[1200];
    ck_assert(value && g->n_inputs <= 8);
    for (uint32_t k = 0; k < g->n_inputs; k++) {
        (void)snprintf(path, sizeof path, "%s/input_%zu.%s", folder, position ? position[k] : k, kind);
        if (graph_elements(
                &g->value[g->input[k]])) /* files without elements are not tensors for the reader */
            read_exactly(&input[k], path, &g->value[g->input[k]]);
        x[k] = input[k].value ? input[k].value : (const double[]){0};
    }
    ck_assert_msg(graph_evaluate(g, x, value, &st), "%s: %s", folder, st.message);
    for (uint32_t k = 0; k < g->n_outputs; k++) {
        (void)snprintf(path, sizeof path, "%s/output_%u.%s", folder, k, kind);
        double error =
            graph_elements(&g->value[g->output[k]]) ? compare_output(g, value, k, path, absolute) : 0;
        worst = error > worst || isnan(error) ? error : worst;
    }
    for (uint32_t k = 0; k < g->n_inputs; k++)
        tensor_data_free(&input[k]);
    graph_buffers_free(g, value);
    return worst;
}

/* --- Node tests --- */

static bool in_list(const json_t *test) {
    size_t i;
    json_t *op;
    json_array_foreach(json_object_get(test, "ops"), i, op) {
        if (op_find(json_string_value(op)) == OP_UNSUPPORTED)
            return false;
    }
    return true;
}

/* Cases outside what the compiler supports, and the reason it must give. */
static const struct {
    const char *name, *word;
} refused_cases[] = {
    {"test_range_float_type_positive_delta", "--const start=FILE makes it a constant"},
    {"test_range_int32_type_negative_delta", "--const start=FILE makes it a constant"},
};

static const char *expected_refusal(const char *name) {
    for (size_t i = 0; i < COUNT(refused_cases); i++)
        if (!strcmp(name, refused_cases[i].name))
            return refused_cases[i].word;
    return NULL;
}

/* The position in the test's list of inputs of each graph input; frozen ones are constants of the model. */
static void input_positions(const graph *g, const json_t *test, size_t *position) {
    const json_t *inputs = json_object_get(test, "inputs");
    for (uint32_t k = 0; k < g->n_inputs; k++) {
        size_t i = 0;
        while (i < json_array_size(inputs) &&
               strcmp(json_string_value(json_array_get(json_array_get(inputs, i), 0)),
                      g->value[g->input[k]].name) != 0)
            i++;
        ck_assert_uint_lt(i, json_array_size(inputs));
        position[k] = i;
    }
}

/* The logarithm of no sum: minus infinity, which no file of values may hold. */
static bool has_no_finite_output(const char *folder, const char *name) {
    char path[1100];
    tensor_data t;
    mica_status st = {0};
    if (strcmp(name, "test_reduce_log_sum_exp_empty_set") != 0)
        return false;
    (void)snprintf(path, sizeof path, "%s/output_0.pb", folder);
    ck_assert(!tensor_file_read(&t, path, &st));
    ck_assert_msg(strstr(st.message, "only finite values") != NULL, "%s", st.message);
    return true;
}

/* Returns whether the case was evaluated; it may only be refused as expected. */
static bool run_node_test(const char *root, const json_t *test) {
    const char *name = json_string_value(json_object_get(test, "name"));
    const char *word = expected_refusal(name);
    char path[1000], folder[1000];
    size_t position[8];
    mica_status st = {0};
    graph g = {0};
    (void)snprintf(path, sizeof path, "%s/%s/%s", root, name,
                   json_string_value(json_object_get(test, "use")));
    (void)snprintf(folder, sizeof folder, "%s/%s/test_data_set_0", root, name);
    if (has_no_finite_output(folder, name))
        return false;
    if (!onnx_import(&g, path, NULL, 0, &st) || !graph_infer_shapes(&g, &st)) {
        ck_assert_msg(word && strstr(st.message, word), "%s: %s", name, st.message);
        if (g.pool)
            graph_free(&g);
        return false;
    }
    ck_assert_msg(!word, "%s was expected to be refused", name);
    input_positions(&g, test, position);
    for (int pass = 0; pass < 2; pass++) {
        double error = run_case(&g, folder, "pb", position, true);
        ck_assert_msg(error <= 1e-5, "%s differs by %g", name, error);
        ck_assert_msg(graph_fold_constants(&g, &st) && graph_canonicalise(&g, &st), "%s: %s", name,
                      st.message);
    }
    graph_free(&g);
    return true;
}

START_TEST(node_tests) {
    const char *root = data_folder("MICA_NODE_TESTS", "../shared/onnx-node-tests");
    char path[700];
    unsigned evaluated = 0, refused = 0;
    json_t *index, *test;
    size_t i;
    if (!root)
        return;
    (void)snprintf(path, sizeof path, "%s/INDEX.json", root);
    index = json_load_file(path, 0, NULL);
    ck_assert_ptr_nonnull(index);
    json_array_foreach(json_object_get(index, "tests"), i, test) {
        if (!in_list(test))
            continue;
        if (run_node_test(root, test))
            evaluated++;
        else
            refused++;
    }
    json_decref(index);
    (void)fprintf(stderr, "node tests: %u evaluated, %u refused as expected\n", evaluated, refused);
    ck_assert_uint_ge(evaluated, 60);
    ck_assert_uint_eq(refused, COUNT(refused_cases) + 1); /* and the one without a finite output */
}
END_TEST

/* --- Zoo --- */

static const struct {
    const char *name;
    double tolerance; /* of the largest output element */
    unsigned cases;   /* at most */
    const char *canonical;
} networks[] = {
    {"mnist8_cnn", 1e-4, 99, "Conv Relu MaxPool Conv Relu MaxPool Reshape Gemm"},
    {"mnist8_cnn_optimised", 1e-4, 99, "Conv Relu MaxPool Conv Relu MaxPool Reshape Gemm"},
    {"cifar_cnn", 1e-4, 99, "Conv Relu Conv Relu MaxPool Conv Relu Conv Relu Reshape Gemm"},
    {"iris_mlp", 1e-4, 99, "Gemm Relu Gemm Relu Gemm"},
    {"keras_dense", 1e-4, 99, "Gemm Relu Gemm Sigmoid"},
    {"mnist_mlp_batchnorm", 1e-4, 99, NULL},
    {"sine_mlp", 1e-4, 99, "Gemm Relu Gemm Relu Gemm"},
    {"winml_iris_regression", 1e-4, 99, "Gemm Relu Gemm Relu Gemm"},
    {"squeezenet_fp16", 2e-3, 1, NULL}, /* the stored outputs were computed in half precision */
};

static double run_all_cases(const graph *g, const char *model, unsigned limit, unsigned *n) {
    char folder[1000];
    double worst = 0;
    for (*n = 0; *n < limit; (*n)++) {
        (void)snprintf(folder, sizeof folder, "%s/test/case_%02u", model, *n);
        if (access(folder, R_OK))
            break;
        double error = run_case(g, folder, "npy", NULL, false);
        worst = error > worst || isnan(error) ? error : worst;
    }
    return worst;
}

static void live_operators(const graph *g, char *buffer, size_t size) {
    size_t used = 0;
    buffer[0] = 0;
    for (uint32_t j = 0; j < g->n_nodes && used < size; j++)
        if (!g->node[j].removed)
            used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? " " : "", g->node[j].op);
}

START_TEST(zoo_networks) {
    const char *root = data_folder("MICA_ZOO", "../shared/zoo");
    for (size_t i = 0; root && i < COUNT(networks); i++) {
        char folder[800], path[900], operators[2000];
        mica_status st = {0};
        unsigned n, again;
        graph g;
        (void)snprintf(folder, sizeof folder, "%s/%s", root, networks[i].name);
        (void)snprintf(path, sizeof path, "%s/model.onnx", folder);
        ck_assert_msg(onnx_import(&g, path, NULL, 0, &st) && graph_infer_shapes(&g, &st), "%s: %s", path,
                      st.message);
        ck_assert_msg(g.batched, "%s: no batch axis", path);
        double before = run_all_cases(&g, folder, networks[i].cases, &n);
        ck_assert_msg(graph_fold_constants(&g, &st) && graph_canonicalise(&g, &st) &&
                          graph_infer_shapes(&g, &st),
                      "%s: %s", path, st.message);
        double after = run_all_cases(&g, folder, networks[i].cases, &again);
        live_operators(&g, operators, sizeof operators);
        (void)fprintf(stderr, "%-24s %2u cases, relative error %.1e before, %.1e after: %.100s\n",
                      networks[i].name, n, before, after, operators);
        ck_assert_msg(n > 0 && n == again, "%s: no test cases", folder);
        ck_assert_msg(before <= networks[i].tolerance && after <= networks[i].tolerance,
                      "%s: relative error %g before, %g after canonicalisation", path, before, after);
        ck_assert_msg(!networks[i].canonical || !strcmp(operators, networks[i].canonical), "%s became: %s",
                      path, operators);
        graph_free(&g);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("reference");
    TCase *t = tcase_create("reference");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, node_tests);
    tcase_add_test(t, zoo_networks);
    suite_add_tcase(s, t);
    return suite_run(s);
}
