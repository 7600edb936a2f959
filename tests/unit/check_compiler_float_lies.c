/* Float model files that are well-formed byte for byte and lie about their graph: each is refused by name.
 * The files are written by the writer itself, from a graph that is changed in one place. */
#define _GNU_SOURCE
#include "reference/float_file.h"

#include "import_kit.h"

/* Of make_graph: values in the order of the file, one node after the other. */
enum { SHAPE, FACTOR, X, PRODUCT, Y, PICKED, VALUES };
enum { MUL, RESHAPE, POOL, NODES };

static const double factor[] = {0.1, -2.5, 1e-300};
static const int64_t wanted[] = {1, 1, -1};

static const char *const names[] = {"shape", "factor", "x", "product", "y", "picked"};
static uint32_t outputs[] = {PICKED, GRAPH_NO_VALUE};

/* x[1,3] * factor, reshaped to [1,1,3] and pooled: a constant that single precision does not hold, one of
 * integers, a node with an absent output. */
static void make_graph(graph *g) {
    onnx_writer w = {.opset = 13};
    bytes t = ow_tensor("factor", ONNX_DOUBLE, DIMS(3));
    ow_port(&w, 11, "x", ONNX_DOUBLE, DIMS(1, 3));
    ow_ints(&w, "shape", DIMS(3), wanted);
    put_blob(&t, 9, factor, sizeof factor);
    put_message(&w.graph, 5, &t);
    ow_node(&w, "Mul", "x factor", "product");
    ow_node(&w, "Reshape", "product shape", "y");
    ow_attr_ints(&w, "kernel_shape", 1, (int64_t[]){2});
    ow_node(&w, "MaxPool", "y", "picked");
    ow_output(&w, "picked");
    import(g, &w);
    ck_assert_uint_eq(g->n_values, VALUES);
    ck_assert_uint_eq(g->n_nodes, NODES);
    for (unsigned i = 0; i < VALUES; i++)
        ck_assert_str_eq(g->value[i].name, names[i]);
    g->node[POOL].out = outputs;
    g->node[POOL].n_out = 2;
}

static bool reads(const graph *g, graph *again, mica_status *st) {
    uint8_t *file, *exact;
    size_t size;
    mica_status written = {0};
    ck_assert_msg(float_file_write(g, &file, &size, &written), "%s", written.message);
    exact = malloc(size); /* so that a sanitizer sees overreads */
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, file, size);
    const bool ok = float_file_read(again, exact, size, st);
    free(exact);
    free(file);
    return ok;
}

START_TEST(elements_are_kept) {
    graph g, again;
    mica_status st = {0};
    make_graph(&g);
    ck_assert_msg(reads(&g, &again, &st), "%s", st.message);
    ck_assert_mem_eq(again.value[FACTOR].real, factor, sizeof factor);
    ck_assert_mem_eq(again.value[SHAPE].integer, wanted, sizeof wanted);
    ck_assert_uint_eq(again.node[POOL].n_out, 2);
    ck_assert_uint_eq(again.node[POOL].out[1], GRAPH_NO_VALUE);
    ck_assert_msg(graph_infer_shapes(&again, &st), "%s", st.message);
    ck_assert_int_eq(again.value[PICKED].dim[2], 2);
    graph_free(&again);
    graph_free(&g);
}
END_TEST

static graph_free_dim free_dims[GRAPH_MAX_RANK + 1];
static uint32_t ids[2];
static graph_attr attribute;

static void opset_old(graph *g) {
    g->opset = 6;
}
static void opset_new(graph *g) {
    g->opset = 22;
}
static void dimension_negative(graph *g) {
    g->value[X].dim[0] = -2;
}
static void dimension_huge(graph *g) {
    g->value[X].dim[0] = GRAPH_MAX_ELEMENTS + 1;
}
static void value_huge(graph *g) {
    g->value[X].dim[0] = g->value[X].dim[1] = 1 << 16;
}
static void type_unknown(graph *g) {
    g->value[X].dtype = (graph_dtype)2;
}
static void integers_called_real(graph *g) {
    g->value[SHAPE].dtype = DTYPE_FLOAT;
}
static void reals_called_integer(graph *g) {
    g->value[FACTOR].dtype = DTYPE_INT;
}
static void name_with_control_character(graph *g) {
    g->value[X].name = "x\n";
}
static void input_constant(graph *g) {
    g->input[0] = FACTOR;
}
static void input_twice(graph *g) {
    ids[0] = ids[1] = X;
    g->input = ids;
    g->n_inputs = 2;
}
static void input_without_type(graph *g) {
    g->value[X].onnx_dtype = 0;
}
static void input_without_shape(graph *g) {
    g->value[X].has_shape = false;
}
static void input_without_batch(graph *g) {
    g->batched = true;
    g->value[X].rank = 0;
}
static void input_missing(graph *g) {
    g->input[0] = VALUES;
}
static void free_dim_of(graph *g, graph_free_dim d) {
    free_dims[0] = d;
    g->free_dim = free_dims;
    g->n_free_dims = 1;
}
static void free_dim_of_constant(graph *g) {
    free_dim_of(g, (graph_free_dim){.value = FACTOR});
}
static void free_dim_of_result(graph *g) {
    free_dim_of(g, (graph_free_dim){.value = PRODUCT});
}
static void free_dim_of_nothing(graph *g) {
    free_dim_of(g, (graph_free_dim){.value = VALUES});
}
static void free_dim_beyond_rank(graph *g) {
    free_dim_of(g, (graph_free_dim){.value = X, .axis = 2});
}
static void free_dim_negative(graph *g) {
    free_dim_of(g, (graph_free_dim){.value = X, .size = -1});
}
static void free_dim_huge(graph *g) {
    free_dim_of(g, (graph_free_dim){.value = X, .size = GRAPH_MAX_ELEMENTS + 1});
}
static void free_dims_many(graph *g) {
    free_dim_of(g, (graph_free_dim){.value = X});
    g->n_free_dims = GRAPH_MAX_RANK + 1;
}
static void dimension_unsized(graph *g) {
    free_dim_of(g, (graph_free_dim){.value = X, .axis = 1});
    g->value[X].dim[0] = -1;
}
static void reads_later(graph *g) {
    g->node[MUL].in[0] = Y;
}
static void reads_nothing(graph *g) {
    g->node[MUL].in[0] = VALUES;
}
static void computes_constant(graph *g) {
    g->node[MUL].out[0] = FACTOR;
}
static void computes_twice(graph *g) {
    g->node[RESHAPE].out[0] = PRODUCT;
}
static void computes_nothing(graph *g) {
    g->node[POOL].n_out = 0;
}
static void output_uncomputed(graph *g) {
    g->node[POOL].removed = true; /* the writer leaves it out */
}
static void output_absent(graph *g) {
    g->output[0] = GRAPH_NO_VALUE;
}
static void attribute_of(graph *g, graph_attr a) {
    attribute = a;
    attribute.name = "a";
    g->node[MUL].attr = &attribute;
    g->node[MUL].n_attrs = 1;
}
static void attribute_of_value(graph *g) {
    attribute_of(g, (graph_attr){.type = ATTR_TENSOR, .tensor = X});
}
static void attribute_of_nothing(graph *g) {
    attribute_of(g, (graph_attr){.type = ATTR_TENSOR, .tensor = VALUES});
}
static void attribute_without_tensor(graph *g) {
    attribute_of(g, (graph_attr){.type = ATTR_TENSOR, .tensor = GRAPH_NO_VALUE});
}
static void attribute_of_graph(graph *g) {
    attribute_of(g, (graph_attr){.type = ATTR_GRAPH, .tensor = GRAPH_NO_VALUE});
}

static const struct {
    void (*tell)(graph *);
    const char *said;
} lies[] = {
    {opset_old, "its header is out of range"},
    {opset_new, "its header is out of range"},
    {dimension_negative, "a dimension is out of range"},
    {dimension_huge, "a dimension is out of range"},
    {value_huge, "a value has more than 2^31 elements"},
    {type_unknown, "a type does not exist"},
    {integers_called_real, "the elements of a constant do not have its type"},
    {reals_called_integer, "the elements of a constant do not have its type"},
    {name_with_control_character, "a text is too long or has control characters"},
    {input_constant, "an input is a constant, is listed twice, or has no type"},
    {input_twice, "an input is a constant, is listed twice, or has no type"},
    {input_without_type, "an input is a constant, is listed twice, or has no type"},
    {input_without_shape, "an input is a constant, is listed twice, or has no type"},
    {input_without_batch, "an input has no batch axis"},
    {input_missing, "a value does not exist"},
    {free_dim_of_constant, "a free dimension is not one of an input"},
    {free_dim_of_result, "a free dimension is not one of an input"},
    {free_dim_of_nothing, "a free dimension is not one of an input"},
    {free_dim_beyond_rank, "a free dimension is not one of an input"},
    {free_dim_negative, "a free dimension is not one of an input"},
    {free_dim_huge, "a free dimension is not one of an input"},
    {free_dims_many, "more free dimensions than dimensions"},
    {dimension_unsized, "a dimension of an input has no size"},
    {reads_later, "a node reads what no earlier one computes"},
    {reads_nothing, "a value does not exist"},
    {computes_constant, "a value is computed twice"},
    {computes_twice, "a value is computed twice"},
    {computes_nothing, "a node has no output"},
    {output_uncomputed, "nothing computes an output"},
    {output_absent, "a value does not exist"},
    {attribute_of_value, "an attribute's tensor is not a constant"},
    {attribute_of_nothing, "an attribute's tensor is not a constant"},
    {attribute_without_tensor, "an attribute has no tensor"},
    {attribute_of_graph, "an attribute's type does not exist"},
};

START_TEST(lies_are_named) {
    graph g, again;
    mica_status st = {0};
    char expected[128];
    (void)snprintf(expected, sizeof expected, "the float model is malformed: %s", lies[_i].said);
    make_graph(&g);
    lies[_i].tell(&g);
    ck_assert_msg(!reads(&g, &again, &st), "read, expected: %s", expected);
    ck_assert_int_eq(st.code, MICA_ERR_FORMAT);
    ck_assert_str_eq(st.message, expected);
    graph_free(&g);
}
END_TEST

int main(void) {
    Suite *s = suite_create("float lies");
    TCase *t = tcase_create("lies");
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    tcase_add_test(t, elements_are_kept);
    tcase_add_loop_test(t, lies_are_named, 0, (int)COUNT(lies));
    suite_add_tcase(s, t);
    const int code = suite_run(s);
    import_folder_remove();
    return code;
}
