/* ONNX import: the graph's structure, inspection, and hostile files, which must be refused with a message
 * that names what is wrong and must never be read out of bounds (run with sanitizers). */
#define _GNU_SOURCE
#include <dirent.h>

#include "commands/inspect.h"
#include "import_kit.h"

/* --- Graph structure --- */

START_TEST(opsets) {
    for (int64_t opset = 0; opset <= 24; opset++) {
        onnx_writer w = {.opset = opset};
        ow_input(&w, "x", DIMS(1, 4));
        ow_node(&w, "Relu", "x", "y");
        ow_output(&w, "y");
        if (opset >= 6 && opset <= 21) { /* Relu is the same since 6 */
            graph g;
            import(&g, &w);
            ck_assert_int_eq(g.opset, opset);
            graph_free(&g);
        } else if (opset == 0) {
            expect_refused(&w, MICA_ERR_FORMAT, "declares no opset");
        } else if (opset < 6) {
            expect_refused(&w, MICA_ERR_UNSUPPORTED, "supported from opset 6");
        } else {
            expect_refused(&w, MICA_ERR_UNSUPPORTED, "supported are 1 to 21");
        }
    }
}
END_TEST

START_TEST(broken_graphs) {
    onnx_writer w = {.opset = 13};
    ow_input(&w, "x", DIMS(1, 4));
    ow_node(&w, "Relu", "q", "y");
    ow_output(&w, "y");
    expect_refused(&w, MICA_ERR_FORMAT, "node 'n0' (Relu) reads 'q', which nothing computes");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 4));
    ow_node(&w, "Relu", "z", "y");
    ow_node(&w, "Relu", "x", "z");
    ow_output(&w, "y");
    expect_refused(&w, MICA_ERR_FORMAT, "not in topological order");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 4));
    ow_node(&w, "Relu", "x", "y");
    ow_node(&w, "Relu", "x", "y");
    ow_output(&w, "y");
    expect_refused(&w, MICA_ERR_FORMAT, "node 'n1' (Relu): the value 'y' is defined twice");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 4));
    ow_input(&w, "x", DIMS(1, 4));
    ow_output(&w, "x");
    expect_refused(&w, MICA_ERR_FORMAT, "defined twice");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 4));
    ow_output(&w, "y");
    expect_refused(&w, MICA_ERR_FORMAT, "nothing computes the output 'y'");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 4));
    expect_refused(&w, MICA_ERR_FORMAT, "no outputs");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 4));
    ow_output(&w, "x");
    ow_output(&w, "x");
    expect_refused(&w, MICA_ERR_FORMAT, "listed twice");

    w.opset = 13;
    ow_input(&w, "x\n", DIMS(1, 4));
    ow_output(&w, "x\n");
    expect_refused(&w, MICA_ERR_FORMAT, "control characters");

    w.opset = 13;
    ow_port(&w, 11, "x", ONNX_STRING, DIMS(1, 4));
    ow_output(&w, "x");
    expect_refused(&w, MICA_ERR_UNSUPPORTED, "'x' has element type 8");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 1, 1, 1, 1, 1, 1, 1, 1));
    ow_output(&w, "x");
    expect_refused(&w, MICA_ERR_LIMIT, "9 dimensions");

    w.opset = 13;
    bytes info = {0};
    put_text(&info, 1, "untyped");
    put_message(&w.graph, 11, &info);
    ow_output(&w, "untyped");
    expect_refused(&w, MICA_ERR_UNSUPPORTED, "not a tensor of known rank");
}
END_TEST

START_TEST(bad_nodes) {
    static const float ones[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    onnx_writer w = {.opset = 13};
    ow_input(&w, "x", DIMS(1, 4));
    ow_node(&w, "Relu", "x x", "y");
    ow_output(&w, "y");
    expect_not_inferred(&w, MICA_ERR_FORMAT, "2 inputs; the operator takes 1 to 1");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 4));
    ow_node(&w, "Add", "- x", "y");
    ow_output(&w, "y");
    expect_not_inferred(&w, MICA_ERR_FORMAT, "input 0 is absent");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 1, 5));
    ow_attr_ints(&w, "kernel_shape", 1, (int64_t[]){2});
    ow_node(&w, "MaxPool", "x", "y i j");
    ow_output(&w, "j");
    expect_not_inferred(&w, MICA_ERR_UNSUPPORTED, "output 2 ('j') is used; supported: the first 2");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 3, 8, 8));
    ow_floats(&w, "k", DIMS(2, 2, 2, 2), ones);
    ow_node(&w, "Conv", "x k", "y");
    ow_output(&w, "y");
    expect_not_inferred(&w, MICA_ERR_FORMAT, "node 'n0' (Conv, [1,3,8,8] * [2,2,2,2]): channels do not fit");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 4));
    ow_input(&w, "s", DIMS(1, 2));
    ow_node(&w, "Reshape", "x s", "y");
    ow_output(&w, "y");
    expect_not_inferred(&w, MICA_ERR_FORMAT, "vector of integers");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 3));
    ow_ints(&w, "s", DIMS(2), (int64_t[]){-1, 2});
    ow_node(&w, "Reshape", "x s", "y");
    ow_output(&w, "y");
    expect_not_inferred(&w, MICA_ERR_FORMAT, "no whole size");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 3));
    ow_ints(&w, "s", DIMS(3), (int64_t[]){INT64_MAX, INT64_MAX, 2});
    ow_node(&w, "Reshape", "x s", "y");
    ow_output(&w, "y");
    expect_not_inferred(&w, MICA_ERR_FORMAT, "too many elements");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 1 << 20));
    ow_input(&w, "t", DIMS(1, 1 << 20, 1));
    ow_node(&w, "Add", "x t", "y");
    ow_output(&w, "y");
    expect_not_inferred(&w, MICA_ERR_LIMIT, "more than 2147483648 elements");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1 << 30, 1 << 30));
    ow_output(&w, "x");
    expect_not_inferred(&w, MICA_ERR_LIMIT, "input 'x' has more than 2^31");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 1, 4));
    ow_attr_ints(&w, "kernel_shape", 1, (int64_t[]){INT64_MAX});
    ow_attr_ints(&w, "dilations", 1, (int64_t[]){INT64_MAX});
    ow_node(&w, "MaxPool", "x", "y");
    ow_output(&w, "y");
    expect_not_inferred(&w, MICA_ERR_FORMAT, "kernel_shape[0]");

    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 1, 4));
    ow_attr_ints(&w, "kernel_shape", 1, (int64_t[]){2});
    ow_attr_ints(&w, "pads", 2, (int64_t[]){3, 0});
    ow_node(&w, "MaxPool", "x", "y");
    ow_output(&w, "y");
    expect_not_inferred(&w, MICA_ERR_UNSUPPORTED, "wholly in the padding");
}
END_TEST

START_TEST(unsupported_operators) {
    onnx_writer w = {.opset = 13};
    bytes branch = {0}, inner = {0}, a = {0};
    ow_input(&w, "x", DIMS(1, 4));
    ow_node_in(&w, "com.example", "Gelu", "x", "a");
    ow_node(&w, "Bernoulli", "a", "b");
    ow_node(&w, "Bernoulli", "b", "c");
    put_text(&inner, 4, "Relu");
    put_message(&branch, 1, &inner);
    put_text(&a, 1, "then_branch");
    put_message(&a, 6, &branch);
    put_int(&a, 20, 5);
    put_message(&w.attributes, 5, &a);
    ow_node(&w, "Multinomial", "c", "d");
    ow_output(&w, "d");
    expect_not_inferred(&w, MICA_ERR_UNSUPPORTED,
                        "unsupported operators: com.example.Gelu (1 node, 'n0'), Bernoulli (2 nodes, first "
                        "'n1': its output is random, a proof is of a function: export for inference), "
                        "Multinomial (1 node, 'n3': the same)");
}
END_TEST

/* Before IR version 4 initialisers are inputs as well; they are constants all the same. */
START_TEST(initialiser_as_input) {
    onnx_writer w = {.opset = 13};
    graph g;
    ow_input(&w, "x", DIMS(1, 2));
    ow_input(&w, "w", DIMS(2));
    ow_floats(&w, "w", DIMS(2), (float[]){3, 4});
    ow_node(&w, "Mul", "x w", "y");
    ow_output(&w, "y");
    import(&g, &w);
    ck_assert_uint_eq(g.n_inputs, 1);
    ck_assert_str_eq(g.value[g.input[0]].name, "x");
    ck_assert_ptr_nonnull(find_value(&g, "w")->real);
    ck_assert(g.batched);
    graph_free(&g);
}
END_TEST

/* --- Hostile bytes --- */

static bytes sample_model(void) {
    static const float f[64] = {1, 2, 3};
    onnx_writer w = {.opset = 11};
    ow_input(&w, "x", DIMS(-1, 1, 6, 6));
    ow_floats(&w, "k", DIMS(2, 1, 3, 3), f);
    ow_floats(&w, "m", DIMS(18, 3), f);
    ow_ints(&w, "s", DIMS(2), (int64_t[]){0, -1});
    ow_attr_ints(&w, "pads", 4, (int64_t[]){1, 1, 1, 1});
    ow_attr_ints(&w, "strides", 2, (int64_t[]){1, 1});
    ow_node(&w, "Conv", "x k", "a");
    ow_attr_ints(&w, "kernel_shape", 2, (int64_t[]){2, 2});
    ow_attr_ints(&w, "strides", 2, (int64_t[]){2, 2});
    ow_node(&w, "MaxPool", "a", "b");
    ow_node(&w, "Reshape", "b s", "c");
    ow_attr_float(&w, "alpha", 0.5f);
    ow_node(&w, "Gemm", "c m", "d");
    ow_attr_text(&w, "auto_pad", "X");
    ow_node(&w, "Softmax", "d", "y");
    ow_output(&w, "y");
    return ow_finish(&w);
}

/* Whatever the bytes, the front end ends with a graph or a message. */
static void run_front_end(const void *data, size_t n) {
    mica_status st = {0};
    graph g;
    write_file(in_folder("h.onnx"), data, n);
    if (!onnx_import(&g, in_folder("h.onnx"), NULL, 0, &st)) {
        ck_assert(st.code != MICA_OK && st.message[0]);
        return;
    }
    bool ok = graph_infer_shapes(&g, &st) && graph_fold_constants(&g, &st) && graph_canonicalise(&g, &st);
    ck_assert(ok == (st.code == MICA_OK));
    graph_free(&g);
}

START_TEST(hostile_bytes) {
    bytes model = sample_model();
    uint64_t seed = 1;
    for (size_t n = 0; n <= model.n; n++)
        run_front_end(model.p, n);
    for (int round = 0; round < 1500; round++) {
        uint8_t copy[4096];
        ck_assert(model.n > 0 && model.n <= sizeof copy);
        memcpy(copy, model.p, model.n);
        for (int k = 0; k < 1 + round % 3; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            copy[(seed >> 33) % model.n] = (uint8_t)(seed >> 20);
        }
        run_front_end(copy, model.n);
    }
    free(model.p);
}
END_TEST

/* Subgraphs within subgraphs: a recursive parser would leave its stack. */
START_TEST(deep_nesting) {
    enum { LEVELS = 20000 };
    bytes inner = {0};
    for (int i = 0; i < LEVELS; i++) {
        bytes attribute = {0}, node = {0}, outer = {0};
        put_message(&attribute, 6, &inner);
        put_message(&node, 5, &attribute);
        put_message(&outer, 1, &node);
        inner = outer;
    }
    bytes model = {0};
    put_message(&model, 7, &inner);
    expect_refused_bytes(model.p, model.n, MICA_ERR_LIMIT, "messages within one another");
    free(model.p);
}
END_TEST

START_TEST(other_files) {
    mica_status st = {0};
    graph g;
    expect_refused_bytes("", 0, MICA_ERR_FORMAT, "no graph");
    expect_refused_bytes("hello, world", 12, MICA_ERR_FORMAT, "not an ONNX model");
    ck_assert(!onnx_import(&g, in_folder("absent.onnx"), NULL, 0, &st) && st.code == MICA_ERR_IO);
    st = (mica_status){0};
    ck_assert(!onnx_import(&g, folder, NULL, 0, &st) && st.code == MICA_ERR_IO);
}
END_TEST

/* --- Inspection and the zoo --- */

static char *inspect(const char *path, bool json, bool *supported, mica_status *st) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool ok = mica_inspect(path, NULL, 0, json, out, supported, st);
    (void)fclose(out);
    if (!ok) {
        free(text);
        return NULL;
    }
    return text;
}

START_TEST(inspection) {
    static const float f[64];
    static const char *const words[] = {
        "parameters  18",
        "MACs        648",
        "[B,1,6,6]",
        "Conv",
        "NonZero",
        "not supported: 1 of 4 nodes (1 more depend on them)",
        "node 'n2' (NonZero, [1,2,6,6]): its output's shape depends on the data"};
    static const char *const json_words[] = {"\"macs\": 648", "\"supported\": false", "\"node\": \"n2\""};
    onnx_writer w = {.opset = 11};
    mica_status st = {0};
    bool supported = true;
    ow_input(&w, "x", DIMS(-1, 1, 6, 6));
    ow_floats(&w, "k", DIMS(2, 1, 3, 3), f);
    ow_attr_text(&w, "auto_pad", "SAME_UPPER");
    ow_node(&w, "Conv", "x k", "a");
    ow_node(&w, "Relu", "a", "b");
    ow_node(&w, "NonZero", "b", "c");
    ow_node(&w, "Relu", "c", "d");
    ow_output(&w, "d");
    ow_save(&w, in_folder("i.onnx"));
    char *text = inspect(in_folder("i.onnx"), false, &supported, &st);
    ck_assert_msg(text && !supported, "%s", st.message);
    for (size_t i = 0; i < COUNT(words); i++)
        ck_assert_msg(strstr(text, words[i]) != NULL, "'%s' is not in:\n%s", words[i], text);
    free(text);
    text = inspect(in_folder("i.onnx"), true, NULL, &st);
    ck_assert_msg(text != NULL, "%s", st.message);
    for (size_t i = 0; i < COUNT(json_words); i++)
        ck_assert_msg(strstr(text, json_words[i]) != NULL, "'%s' is not in:\n%s", json_words[i], text);
    free(text);
}
END_TEST

/* $MICA_ZOO, or shared/zoo beside the repository. */
static const char *zoo(void) {
    static char path[600];
    const char *given = getenv("MICA_ZOO"), *end = strstr(__FILE__, "tests/unit/");
    if (given)
        return given;
    (void)snprintf(path, sizeof path, "%.*s../shared/zoo", end ? (int)(end - __FILE__) : 0, __FILE__);
    return path;
}

START_TEST(zoo_models) {
    DIR *d = opendir(zoo());
    unsigned supported = 0, refused = 0;
    if (!d) {
        (void)fprintf(stderr, "\n*** SKIPPED: no model zoo at %s (set MICA_ZOO) ***\n\n", zoo());
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        char path[1200];
        mica_status st = {0};
        graph g;
        (void)snprintf(path, sizeof path, "%s/%s/model.onnx", zoo(), e->d_name);
        if (access(path, R_OK))
            continue;
        ck_assert_msg(onnx_import(&g, path, NULL, 0, &st), "%s: %s", path, st.message);
        bool unsupported_nodes = false;
        for (uint32_t j = 0; j < g.n_nodes; j++)
            unsupported_nodes |= g.node[j].kind == OP_UNSUPPORTED;
        bool ok = graph_infer_shapes(&g, &st) && graph_fold_constants(&g, &st) && graph_canonicalise(&g, &st);
        ck_assert_msg(ok == !unsupported_nodes, "%s: %s", path, st.message);
        ck_assert_msg(ok ||
                          (st.code == MICA_ERR_UNSUPPORTED && strstr(st.message, "unsupported operators: ")),
                      "%s: %s", path, st.message);
        supported += ok;
        refused += !ok;
        graph_free(&g);
        bool inspected_supported;
        char *text = inspect(path, false, &inspected_supported, &st);
        ck_assert(!text || inspected_supported == ok);
        free(text);
    }
    closedir(d);
    (void)fprintf(stderr, "zoo: %u models supported, %u refused by operator\n", supported, refused);
    ck_assert(supported >= 6);
}
END_TEST

int main(void) {
    Suite *s = suite_create("import");
    TCase *t = tcase_create("import");
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    tcase_set_timeout(t, 120);
    tcase_add_test(t, opsets);
    tcase_add_test(t, broken_graphs);
    tcase_add_test(t, bad_nodes);
    tcase_add_test(t, unsupported_operators);
    tcase_add_test(t, initialiser_as_input);
    tcase_add_test(t, hostile_bytes);
    tcase_add_test(t, deep_nesting);
    tcase_add_test(t, other_files);
    tcase_add_test(t, inspection);
    tcase_add_test(t, zoo_models);
    suite_add_tcase(s, t);
    const int code = suite_run(s);
    import_folder_remove();
    return code;
}
