/* ONNX files that go beyond what the import takes: each is refused with what is wrong and where. */
#define _GNU_SOURCE
#include "import_kit.h"

enum { LONG = 5000 }; /* bytes: more than a name may have */

static const char *long_name(void) {
    static char name[LONG + 1];
    memset(name, 'n', LONG);
    return name;
}

static void one_relu(onnx_writer *w, const char *in, const char *out) {
    w->opset = 13;
    ow_input(w, in, DIMS(1, 4));
    ow_node(w, "Relu", in, out);
    ow_output(w, out);
}

START_TEST(names) {
    onnx_writer w = {0};
    one_relu(&w, "x", long_name());
    expect_refused(&w, MICA_ERR_LIMIT, "a name has 5000 bytes, at most 4096 are supported");
    one_relu(&w, "x\x1b", "y");
    expect_refused(&w, MICA_ERR_FORMAT, "a name contains control characters");
    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 4));
    ow_node_in(&w, long_name(), "Relu", "x", "y");
    ow_output(&w, "y");
    expect_refused(&w, MICA_ERR_LIMIT, "node 0: the operator's name is too long");
    w.opset = 13;
    ow_input(&w, "x", DIMS(1, 4));
    ow_node(&w, "", "x", "y");
    ow_output(&w, "y");
    expect_refused(&w, MICA_ERR_FORMAT, "node 0 has no operator");
}
END_TEST

/* --- attributes --- */

/* An attribute of the given type without any value. */
static void bare_attr(onnx_writer *w, const char *name, int64_t type) {
    bytes a = {0};
    put_text(&a, 1, name);
    put_int(&a, 20, type);
    put_message(&w->attributes, 5, &a);
}

static void string_attr(onnx_writer *w, const char *name) {
    bytes a = {0};
    put_text(&a, 1, name);
    put_text(&a, 9, "first");
    put_text(&a, 9, "");
    put_int(&a, 20, 8);
    put_message(&w->attributes, 5, &a);
}

START_TEST(attributes) {
    enum { TENSOR = 4, GRAPH = 5, TYPE = 13 };
    onnx_writer w = {0};
    bare_attr(&w, "value", TENSOR);
    one_relu(&w, "x", "y");
    expect_refused(&w, MICA_ERR_FORMAT, "node 'n0' (Relu): attribute 'value' has no tensor");
    bare_attr(&w, "body", GRAPH);
    one_relu(&w, "x", "y");
    expect_refused(&w, MICA_ERR_FORMAT, "attribute 'body' has no graph");
    bare_attr(&w, "odd", TYPE);
    one_relu(&w, "x", "y");
    expect_refused(&w, MICA_ERR_UNSUPPORTED, "attribute 'odd' has type 13, which no supported operator has");
    bare_attr(&w, "mica_part", 2);
    one_relu(&w, "x", "y");
    expect_refused(&w, MICA_ERR_FORMAT, "attribute 'mica_part' is none of the standard's");
    ow_attr_text(&w, "auto_pad", long_name());
    one_relu(&w, "x", "y");
    expect_refused(&w, MICA_ERR_LIMIT, "attribute 'auto_pad' is longer than 4096 bytes");
    w.opset = 13;
    string_attr(&w, "value_strings");
    ow_node(&w, "Constant", "", "y");
    ow_output(&w, "y");
    expect_refused(&w, MICA_ERR_UNSUPPORTED, "a constant of strings");
}
END_TEST

/* Where nothing reads the text of strings their lengths stand for them. */
START_TEST(strings_are_their_lengths) {
    onnx_writer w = {0};
    graph g;
    string_attr(&w, "classlabels_strings");
    one_relu(&w, "x", "y");
    import(&g, &w);
    const graph_attr *a = graph_attr_find(&g.node[0], "classlabels_strings");
    ck_assert(a && a->type == ATTR_INTS && a->n == 2 && a->ints[0] == 5 && a->ints[1] == 0);
    graph_free(&g);
}
END_TEST

/* --- tensors --- */

START_TEST(tensors) {
    onnx_writer w = {.opset = 13};
    bytes segmented = ow_tensor("t", 1, DIMS(1)), range = {0}, external = ow_tensor("t", 1, DIMS(1)),
          entry = {0};
    put_int(&range, 1, 0);
    put_message(&segmented, 3, &range);
    put_message(&w.graph, 5, &segmented);
    ow_output(&w, "t");
    expect_refused(&w, MICA_ERR_UNSUPPORTED, "tensor 't' is stored in segments");
    w.opset = 13;
    put_text(&entry, 1, "location");
    put_text(&entry, 2, long_name());
    put_message(&external, 13, &entry);
    put_int(&external, 14, 1);
    put_message(&w.graph, 5, &external);
    ow_output(&w, "t");
    expect_refused(&w, MICA_ERR_LIMIT, "tensor 't': the path of the external data is too long");
    w.opset = 13;
    bytes sparse = {0};
    put_message(&w.graph, 15, &sparse);
    ow_output(&w, "t");
    expect_refused(&w, MICA_ERR_UNSUPPORTED, "sparse initialisers");
    w.opset = 13;
    ow_input(&w, "x", DIMS(1, (INT64_C(1) << 31) + 1));
    ow_output(&w, "x");
    expect_refused(&w, MICA_ERR_LIMIT, "input 'x': dimension 1 is too large");
}
END_TEST

/* Halves that are no numbers come through as they are. */
START_TEST(halves_beyond_numbers) {
    onnx_writer w = {.opset = 13};
    graph g;
    bytes t = ow_tensor("t", ONNX_FLOAT16, DIMS(3));
    put_blob(&t, 9, "\x00\x7c\x00\xfc\x01\x7e", 6);
    put_message(&w.graph, 5, &t);
    ow_output(&w, "t");
    import(&g, &w);
    const double *x = find_value(&g, "t")->real;
    ck_assert(x[0] > 0x1p200 && x[1] < -0x1p200 && x[2] != x[2]);
    graph_free(&g);
}
END_TEST

/* --- models and subgraphs --- */

START_TEST(opsets_that_disagree) {
    onnx_writer w = {0};
    bytes second = {0};
    one_relu(&w, "x", "y");
    bytes model = ow_finish(&w);
    put_text(&second, 1, "ai.onnx");
    put_int(&second, 2, 14);
    put_message(&model, 8, &second);
    expect_refused_bytes(model.p, model.n, MICA_ERR_FORMAT, "declares two opsets of the default domain");
    free(model.p);
}
END_TEST

START_TEST(too_many_outputs) {
    enum { OUTPUTS = 4097 };
    char *outputs = malloc(OUTPUTS * 8), *at = outputs;
    onnx_writer w = {.opset = 13};
    for (int i = 0; i < OUTPUTS; i++)
        at += sprintf(at, "%so%d", i ? " " : "", i);
    ow_input(&w, "x", DIMS(1, OUTPUTS));
    ow_attr_int(&w, "axis", 1);
    ow_node(&w, "Split", "x", outputs);
    ow_output(&w, "o0");
    free(outputs);
    expect_refused(&w, MICA_ERR_LIMIT, "node 'n0' (Split) has more than 4096 outputs");
}
END_TEST

/* An If whose branches are `body`, read by the front end as far as the import goes. */
static void with_branch(onnx_writer *w, onnx_writer *body) {
    onnx_writer other = {.opset = 13};
    *w = (onnx_writer){.opset = 13};
    ow_input(w, "x", DIMS(1, 4));
    ow_ints(w, "c", DIMS(1), (int64_t[]){1});
    ow_node(&other, "Neg", "x", "q");
    ow_output(&other, "q");
    ow_attr_graph(w, "then_branch", body);
    ow_attr_graph(w, "else_branch", &other);
    ow_node(w, "If", "c", "y");
    ow_output(w, "y");
}

START_TEST(subgraphs) {
    onnx_writer w, body = {.opset = 13};
    ow_node(&body, "Relu", "x", "p");
    ow_output(&body, "absent");
    with_branch(&w, &body);
    expect_refused(&w, MICA_ERR_FORMAT, "nothing computes the output 'absent' of a subgraph");
    ow_input(&body, "i", DIMS(1));
    ow_input(&body, "i", DIMS(1));
    with_branch(&w, &body);
    expect_refused(&w, MICA_ERR_FORMAT, "inputs of a subgraph: the value 'i' is defined twice");
    ow_node(&body, "Relu", "nowhere", "p");
    with_branch(&w, &body);
    expect_refused(&w, MICA_ERR_FORMAT, "reads 'nowhere', which nothing computes");
}
END_TEST

/* Enough nodes that the list of a subgraph grows, twice. */
START_TEST(long_subgraphs) {
    enum { NODES = 40 };
    onnx_writer w, body = {.opset = 13};
    graph g;
    ow_node(&body, "Neg", "x", "p0");
    for (int i = 1; i < NODES; i++) {
        char in[16], out[16];
        (void)snprintf(in, sizeof in, "p%d", i - 1);
        (void)snprintf(out, sizeof out, "p%d", i);
        ow_node(&body, "Relu", in, out);
    }
    ow_output(&body, "p39");
    with_branch(&w, &body);
    import(&g, &w);
    const graph_attr *a = graph_attr_find(&g.node[0], "then_branch");
    ck_assert(a && a->body->n_nodes == NODES);
    for (int i = 1; i < NODES; i++)
        ck_assert_uint_eq(a->body->node[i].in[0], a->body->node[i - 1].out[0]);
    graph_free(&g);
}
END_TEST

int main(void) {
    Suite *s = suite_create("refusals");
    TCase *t = tcase_create("refusals");
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    tcase_add_test(t, names);
    tcase_add_test(t, attributes);
    tcase_add_test(t, strings_are_their_lengths);
    tcase_add_test(t, tensors);
    tcase_add_test(t, halves_beyond_numbers);
    tcase_add_test(t, opsets_that_disagree);
    tcase_add_test(t, too_many_outputs);
    tcase_add_test(t, subgraphs);
    tcase_add_test(t, long_subgraphs);
    suite_add_tcase(s, t);
    const int code = suite_run(s);
    import_folder_remove();
    return code;
}
