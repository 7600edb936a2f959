/* Readers of files that run out of memory: they end with a message and leave nothing behind (run with
 * sanitizers). */
#include "circuit_samples.h"
#include "cli/user_values.h"
#include "failing_memory.h"
#include "import_kit.h"
#include "io/tensor_file.h"
#include "io/whole_file.h"
#include "mica/arguments.h"
#include "mica/float_model.h"
#include "reference/float_file.h"

static const char *put_bytes(const char *name, const void *data, size_t n) {
    write_file(in_folder(name), data, n);
    return in_folder(name);
}

/* --- tensors --- */

static const tensor_spec specs[] = {{.name = "a", .batched = true, .rank = 1, .dim = {2}},
                                    {.name = "b", .batched = true, .rank = 1, .dim = {1}}};

typedef struct files {
    const char *const *args;
    size_t n_args;
    uint32_t n_specs;
} files;

static bool read_items(void *ctx, mica_status *st) {
    const files *f = ctx;
    tensor_items t;
    const bool ok = tensor_items_read(&t, specs, f->n_specs, "input", f->args, f->n_args, st);
    if (ok)
        tensor_items_free(&t);
    return ok;
}

static const char npy_of_two[] =
    "\x93NUMPY\x01\x00\x3a\x00{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}  \n\1\2";
static const char pb_of_one[] = "\x08\x01\x10\x06\x2a\x01\x05";

START_TEST(tensors) {
    char a[600], b[600];
    (void)mkdir(in_folder("sub"), 0700);
    (void)put_bytes("sub/input_0.npy", npy_of_two, sizeof npy_of_two - 1);
    (void)put_bytes("sub/input_1.pb", pb_of_one, sizeof pb_of_one - 1);
    (void)snprintf(a, sizeof a, "a=%s", in_folder("sub/input_0.npy"));
    (void)snprintf(b, sizeof b, "b=%s", in_folder("sub/input_1.pb"));
    const char *named[] = {a, b}, *whole[] = {in_folder("sub")};
    ck_assert_uint_gt(memory_runs_out(read_items, &(files){named, 2, 2}, MEMORY_OR_FORMAT), 8);
    ck_assert_uint_gt(memory_runs_out(read_items, &(files){whole, 1, 2}, MEMORY_OR_FORMAT), 8);
    const char *json[] = {put_bytes("free.onnx.json", "{\"input_data\": [[1, 2]]}", 24)};
    ck_assert_uint_gt(memory_runs_out(read_items, &(files){json, 1, 1}, MEMORY_OR_FORMAT), 8);
    (void)unlink(json[0]);
    (void)unlink(in_folder("sub/input_0.npy"));
    (void)unlink(in_folder("sub/input_1.pb"));
}
END_TEST

/* --- models --- */

static bool import_file(void *ctx, mica_status *st) {
    graph g;
    const bool ok = onnx_import(&g, ctx, NULL, 0, st);
    if (ok)
        graph_free(&g);
    return ok;
}

/* Every type of attribute, a subgraph, several outputs, initialisers of reals and of integers. */
static void save_model(const char *path) {
    static const float f[64] = {1, 2, 3};
    onnx_writer w = {.opset = 13}, then_branch = {.opset = 13}, else_branch = {.opset = 13};
    ow_input(&w, "x", DIMS(-1, 4));
    ow_floats(&w, "m", DIMS(4, 3), f);
    ow_ints(&w, "s", DIMS(2), (int64_t[]){0, -1});
    ow_attr_float(&w, "alpha", 0.5f);
    ow_attr_int(&w, "transB", 0);
    ow_node(&w, "Gemm", "x m", "d");
    ow_attr_ints(&w, "value_ints", 1, (int64_t[]){1});
    ow_node(&w, "Constant", "", "c");
    ow_attr_float(&w, "value_float", 1.5f);
    ow_node(&w, "Constant", "", "r");
    ow_node(&w, "Reshape", "d s", "e");
    ow_node(&w, "Relu", "e", "then");
    ow_node(&then_branch, "Relu", "e", "p");
    ow_output(&then_branch, "p");
    ow_node(&else_branch, "Neg", "e", "q");
    ow_output(&else_branch, "q");
    ow_attr_graph(&w, "then_branch", &then_branch);
    ow_attr_graph(&w, "else_branch", &else_branch);
    ow_node(&w, "If", "c", "y");
    ow_attr_int(&w, "axis", 1);
    ow_node(&w, "Split", "y", "u v");
    ow_output(&w, "u");
    ow_output(&w, "v");
    ow_save(&w, path);
}

START_TEST(onnx) {
    save_model(in_folder("m.onnx"));
    ck_assert_uint_gt(memory_runs_out(import_file, (void *)(uintptr_t)in_folder("m.onnx"), MEMORY_OR_FORMAT),
                      50);
}
END_TEST

/* The pool of a graph takes memory in large pieces: a file of large tensors makes it take many. */
START_TEST(large_onnx) {
    enum { N = 40000 };
    float *f = calloc(N, sizeof *f);
    onnx_writer w = {.opset = 13};
    ow_input(&w, "x0", DIMS(1, N));
    for (int i = 0; i < 8; i++) {
        char name[16], in[32], out[16];
        (void)snprintf(name, sizeof name, "w%d", i);
        (void)snprintf(in, sizeof in, "x%d w%d", i, i);
        (void)snprintf(out, sizeof out, "x%d", i + 1);
        ow_floats(&w, name, DIMS(1, N), f);
        ow_node(&w, "Add", in, out);
    }
    ow_output(&w, "x8");
    ow_save(&w, in_folder("h.onnx"));
    free(f);
    ck_assert_uint_gt(memory_runs_out(import_file, (void *)(uintptr_t)in_folder("h.onnx"), MEMORY_OR_FORMAT),
                      50);
}
END_TEST

typedef struct blob {
    uint8_t *bytes;
    size_t size;
} blob;

static bool read_float(void *ctx, mica_status *st) {
    const blob *b = ctx;
    mica_float_model *m = mica_float_read(b->bytes, b->size, st);
    mica_float_free(m);
    return m != NULL;
}

START_TEST(float_model) {
    graph g;
    mica_status st = {0};
    blob b;
    ck_assert_msg(onnx_import(&g, MICA_MODELS "/lenet5/lenet5.onnx", NULL, 0, &st), "%s", st.message);
    ck_assert(float_file_write(&g, &b.bytes, &b.size, &st));
    graph_free(&g);
    ck_assert_uint_gt(memory_runs_out(read_float, &b, MEMORY_ONLY), 10);
    free(b.bytes);
}
END_TEST

/* --- command lines --- */

typedef struct request {
    mica_arguments list;
} request;

static bool parse_arguments(void *ctx, mica_status *st) {
    static const mica_option option = {"item",   0, MICA_OPTION_LIST, offsetof(request, list), 0, 0, "ITEM",
                                       "a list", 0};
    static const mica_command command = {"thing", "usage: thing\n", &option, 1, NULL};
    char *argv[] = {"thing", "--item", "a", "--item", "b", NULL};
    request r = {0};
    int operands;
    (void)ctx;
    const bool ok = mica_arguments_parse(&command, &r, 5, argv, &operands, st);
    mica_arguments_free(&command, &r);
    return ok;
}

START_TEST(arguments) {
    ck_assert_uint_eq(memory_runs_out(parse_arguments, NULL, MEMORY_ONLY), 2);
}
END_TEST

static bool quantise_and_compare(void *ctx, mica_status *st) {
    const mica_circuit *c = &((kit *)ctx)->c;
    const char *args[] = {in_folder("five.json")};
    mica_statement s;
    user_inputs user;
    user_difference d;
    if (!user_statement_create(&s, c, args, 1, &user, st))
        return false;
    const bool ok = user_compare(&d, c, &s, false, args, 1, st) && !d.differs;
    user_inputs_free(&user);
    mica_statement_free(&s, c);
    return ok;
}

START_TEST(users_values) {
    kit k;
    build_gemm(&k);
    ck_assert(kit_finish(&k, 40));
    (void)put_bytes("five.json", "{\"input_data\": [[1, 2, 3, 4, 5]]}", 33);
    ck_assert_uint_gt(memory_runs_out(quantise_and_compare, &k, MEMORY_OR_FORMAT), 20);
    (void)unlink(in_folder("five.json"));
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("memory");
    TCase *t = tcase_create("memory");
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    tcase_set_timeout(t, 300);
    tcase_add_test(t, tensors);
    tcase_add_test(t, onnx);
    tcase_add_test(t, large_onnx);
    tcase_add_test(t, float_model);
    tcase_add_test(t, arguments);
    tcase_add_test(t, users_values);
    suite_add_tcase(s, t);
    const int code = suite_run(s);
    import_folder_remove();
    return code;
}
