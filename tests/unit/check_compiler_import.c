/* ONNX import: every element type in both forms, free dimensions, the batch axis, and hostile files, which
 * must be refused with a message that names what is wrong and must never be read out of bounds (run with
 * sanitizers).
 */
#define _GNU_SOURCE
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect.h"
#include "onnx_types.h"
#include "onnx_writer.h"
#include "ops/ops.h"
#include "passes.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DIMS(...)                                                                                            \
    (uint32_t) COUNT(((int64_t[]){__VA_ARGS__})), (int64_t[]) {                                              \
        __VA_ARGS__                                                                                          \
    }

static char folder[] = "/tmp/mica-import-XXXXXX";

static const char *in_folder(const char *name) {
    static char path[8][512];
    static unsigned next;
    next = (next + 1) % 8;
    (void)snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

static void import(graph *g, onnx_writer *w) {
    mica_status st = {0};
    ow_save(w, in_folder("m.onnx"));
    ck_assert_msg(onnx_import(g, in_folder("m.onnx"), NULL, 0, &st), "%s", st.message);
}

static void expect_refused_bytes(const void *data, size_t n, mica_code code, const char *word) {
    mica_status st = {0};
    graph g;
    write_file(in_folder("m.onnx"), data, n);
    bool ok = onnx_import(&g, in_folder("m.onnx"), NULL, 0, &st);
    ck_assert_msg(!ok, "imported, expected: %s", word);
    ck_assert_msg(st.code == code && strstr(st.message, word), "code %d '%s'; expected %d '%s'", (int)st.code,
                  st.message, (int)code, word);
}

static void expect_refused(onnx_writer *w, mica_code code, const char *word) {
    bytes model = ow_finish(w);
    expect_refused_bytes(model.p, model.n, code, word);
    free(model.p);
}

/* Imports, infers, and expects inference to fail. */
static void expect_not_inferred(onnx_writer *w, mica_code code, const char *word) {
    mica_status st = {0};
    graph g;
    import(&g, w);
    ck_assert_msg(!graph_infer_shapes(&g, &st), "inferred, expected: %s", word);
    ck_assert_msg(st.code == code && strstr(st.message, word), "code %d '%s'; expected %d '%s'", (int)st.code,
                  st.message, (int)code, word);
    graph_free(&g);
}

static const graph_value *find_value(const graph *g, const char *name) {
    for (uint32_t v = 0; v < g->n_values; v++)
        if (!strcmp(g->value[v].name, name))
            return &g->value[v];
    ck_abort_msg("no value '%s'", name);
    return NULL;
}

/* --- Tensors
 * ------------------------------------------------------------------------------------------------------ */

/* Three elements of each type, as raw bytes and in their typed field. */
static const struct {
    int type;
    const char *raw;
    size_t raw_size;
    unsigned field; /* of TensorProto */
    int64_t typed[3];
    size_t n_typed;
    double value[3];
} elements[] = {
    {ONNX_UINT8, "\x00\x7f\xff", 3, 5, {0, 127, 255}, 3, {0, 127, 255}},
    {ONNX_INT8, "\x00\x7f\x80", 3, 5, {0, 127, -128}, 3, {0, 127, -128}},
    {ONNX_UINT16, "\x01\x00\xff\x00\xff\xff", 6, 5, {1, 255, 65535}, 3, {1, 255, 65535}},
    {ONNX_INT16, "\x01\x00\xff\xff\x00\x80", 6, 5, {1, -1, -32768}, 3, {1, -1, -32768}},
    {ONNX_INT32,
     "\x01\0\0\0\xff\xff\xff\xff\x00\x00\x00\x80",
     12,
     5,
     {1, -1, INT32_MIN},
     3,
     {1, -1, INT32_MIN}},
    {ONNX_INT64,
     "\x01\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\x01\0\0\0",
     24,
     7,
     {1, -1, INT64_C(1) << 32},
     3,
     {1, -1, 0x1p32}},
    {ONNX_BOOL, "\x00\x01\x01", 3, 5, {0, 1, 1}, 3, {0, 1, 1}},
    {ONNX_UINT32,
     "\x01\0\0\0\xff\xff\xff\xff\x00\x00\x00\x80",
     12,
     11,
     {1, 0xffffffff, 0x80000000},
     3,
     {1, 0xffffffff, 0x80000000}},
    {ONNX_UINT64,
     "\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0",
     24,
     11,
     {1, 2, INT64_C(1) << 32},
     3,
     {1, 2, 0x1p32}},
    {ONNX_FLOAT16, "\x00\x3c\x01\x80\xff\x7b", 6, 5, {0x3c00, 0x8001, 0x7bff}, 3, {1, -0x1p-24, 65504}},
    {ONNX_BFLOAT16, "\x80\x3f\x00\xc0\x49\x40", 6, 5, {0x3f80, 0xc000, 0x4049}, 3, {1, -2, 3.140625}},
    {ONNX_UINT4, "\xf1\x08", 2, 5, {0xf1, 0x08}, 2, {1, 15, 8}},
    {ONNX_INT4, "\xf1\x08", 2, 5, {0xf1, 0x08}, 2, {1, -1, -8}},
};

static void expect_elements(const bytes *tensor, int type, const double *value) {
    onnx_writer w = {.opset = 21};
    graph g;
    put_blob(&w.graph, 5, tensor->p, tensor->n);
    ow_output(&w, "t");
    import(&g, &w);
    const graph_value *v = find_value(&g, "t");
    ck_assert_int_eq(v->onnx_dtype, type);
    ck_assert_int_eq(v->dtype, onnx_type_float(type) ? DTYPE_FLOAT : DTYPE_INT);
    ck_assert(v->rank == 1 && v->dim[0] == 3 && graph_is_const(v));
    for (int i = 0; i < 3; i++) {
        double x = v->real ? v->real[i] : (double)v->integer[i];
        ck_assert_msg(x == value[i], "type %d element %d: %g, expected %g", type, i, x, value[i]);
    }
    graph_free(&g);
}

START_TEST(element_types) {
    for (size_t c = 0; c < COUNT(elements); c++) {
        bytes raw = ow_tensor("t", elements[c].type, DIMS(3)),
              typed = ow_tensor("t", elements[c].type, DIMS(3));
        bytes packed = ow_tensor("t", elements[c].type, DIMS(3)), list = {0};
        put_blob(&raw, 9, elements[c].raw, elements[c].raw_size);
        for (size_t i = 0; i < elements[c].n_typed; i++) {
            put_int(&typed, elements[c].field, elements[c].typed[i]);
            put_varint(&list, (uint64_t)elements[c].typed[i]);
        }
        put_message(&packed, elements[c].field, &list);
        expect_elements(&raw, elements[c].type, elements[c].value);
        expect_elements(&typed, elements[c].type, elements[c].value);
        expect_elements(&packed, elements[c].type, elements[c].value);
        free(raw.p);
        free(typed.p);
        free(packed.p);
    }
}
END_TEST

START_TEST(float_types) {
    static const float f[3] = {1, -2.5f, 0x1p-140f};
    static const double d[3] = {1, -2.5, 0x1p-1040}, fd[3] = {1, -2.5, 0x1p-140};
    static const struct {
        int type;
        unsigned field;
        const void *data;
        size_t size;
        const double *value;
    } forms[] = {
        {ONNX_FLOAT, 4, f, sizeof f, fd},
        {ONNX_FLOAT, 9, f, sizeof f, fd},
        {ONNX_DOUBLE, 10, d, sizeof d, d},
        {ONNX_DOUBLE, 9, d, sizeof d, d},
    };
    for (size_t c = 0; c < COUNT(forms); c++) {
        bytes t = ow_tensor("t", forms[c].type, DIMS(3));
        put_blob(&t, forms[c].field, forms[c].data, forms[c].size);
        expect_elements(&t, forms[c].type, forms[c].value);
        free(t.p);
    }
}
END_TEST

START_TEST(bad_tensors) {
    static const struct {
        int type;
        uint32_t rank;
        int64_t dim[9];
        size_t raw; /* bytes of raw data */
        mica_code code;
        const char *word;
    } cases[] = {
        {ONNX_FLOAT, 1, {-1}, 4, MICA_ERR_FORMAT, "negative"},
        {ONNX_FLOAT, 2, {INT64_MAX, INT64_MAX}, 4, MICA_ERR_LIMIT, "2^31"},
        {ONNX_FLOAT, 2, {INT64_C(1) << 33, 0}, 0, MICA_ERR_LIMIT, "2^31"},
        {ONNX_FLOAT, 3, {1 << 16, 1 << 16, 1 << 16}, 4, MICA_ERR_LIMIT, "2^31"},
        {ONNX_FLOAT, 1, {1 << 30}, 4, MICA_ERR_FORMAT, "raw data"},
        {ONNX_FLOAT, 1, {2}, 7, MICA_ERR_FORMAT, "raw data"},
        {ONNX_INT4, 1, {3}, 3, MICA_ERR_FORMAT, "raw data"},
        {ONNX_FLOAT, 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, 4, MICA_ERR_LIMIT, "9 dimensions"},
        {ONNX_STRING, 1, {1}, 1, MICA_ERR_UNSUPPORTED, "element type 8"},
        {17, 1, {1}, 1, MICA_ERR_UNSUPPORTED, "element type 17"},
        {0, 1, {1}, 1, MICA_ERR_UNSUPPORTED, "element type 0"},
        {-5, 1, {1}, 1, MICA_ERR_UNSUPPORTED, "element type -5"},
    };
    static const uint8_t zeros[16];
    for (size_t c = 0; c < COUNT(cases); c++) {
        onnx_writer w = {.opset = 13};
        bytes t = ow_tensor("weights", cases[c].type, cases[c].rank, cases[c].dim);
        put_blob(&t, 9, zeros, cases[c].raw);
        put_message(&w.graph, 5, &t);
        ow_output(&w, "weights");
        bytes model = ow_finish(&w);
        expect_refused_bytes(model.p, model.n, cases[c].code, cases[c].word);
        expect_refused_bytes(model.p, model.n, cases[c].code, "weights");
        free(model.p);
    }
    onnx_writer w = {.opset = 13};
    bytes t = ow_tensor("typed", ONNX_FLOAT, DIMS(3));
    put_f32(&t, 4, 1);
    put_message(&w.graph, 5, &t);
    ow_output(&w, "typed");
    expect_refused(&w, MICA_ERR_FORMAT, "number of elements");
    w.opset = 13;
    t = ow_tensor("huge", ONNX_UINT64, DIMS(1));
    put_blob(&t, 9, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    put_message(&w.graph, 5, &t);
    ow_output(&w, "huge");
    expect_refused(&w, MICA_ERR_UNSUPPORTED, "2^63");
}
END_TEST

/* --- External data
 * ------------------------------------------------------------------------------------------------ */

static bytes external_model(const char *location, const char *offset, const char *length) {
    static const char *const keys[] = {"location", "offset", "length"};
    const char *values[] = {location, offset, length};
    onnx_writer w = {.opset = 13};
    bytes t = ow_tensor("w", ONNX_FLOAT, DIMS(2));
    for (int i = 0; i < 3; i++)
        if (values[i]) {
            bytes entry = {0};
            put_text(&entry, 1, keys[i]);
            put_text(&entry, 2, values[i]);
            put_message(&t, 13, &entry);
        }
    put_int(&t, 14, 1);
    put_message(&w.graph, 5, &t);
    ow_output(&w, "w");
    return ow_finish(&w);
}

/* The digest of a model covers its external data, and how it is cut. */
START_TEST(digest_of_external_data) {
    static const float data[4] = {1, 2, 3, 4}, changed[4] = {1, 2, 3, 5};
    static const struct {
        const char *offset;
        const float *data;
        bool same;
    } cases[] = {{"0", data, true}, {"4", data, false}, {"0", data, true}, {"8", changed, false}};
    uint8_t first[32];
    for (size_t c = 0; c < COUNT(cases); c++) {
        bytes model = external_model("data.bin", cases[c].offset, "8");
        mica_status st = {0};
        graph g;
        write_file(in_folder("m.onnx"), model.p, model.n);
        write_file(in_folder("data.bin"), cases[c].data, sizeof data);
        ck_assert_msg(onnx_import(&g, in_folder("m.onnx"), NULL, 0, &st), "%s", st.message);
        if (c == 0)
            memcpy(first, g.digest, sizeof first);
        ck_assert_int_eq(memcmp(first, g.digest, sizeof first) == 0, cases[c].same);
        graph_free(&g);
        free(model.p);
    }
    /* the file is the same; only its data differs */
    bytes model = external_model("data.bin", "0", "8");
    static const float other[4] = {7, 2, 3, 4};
    mica_status st = {0};
    graph g;
    write_file(in_folder("m.onnx"), model.p, model.n);
    write_file(in_folder("data.bin"), other, sizeof other);
    ck_assert(onnx_import(&g, in_folder("m.onnx"), NULL, 0, &st));
    ck_assert(memcmp(first, g.digest, sizeof first) != 0);
    graph_free(&g);
    free(model.p);
}
END_TEST

START_TEST(external_data) {
    static const float data[4] = {1, 2, 3, 4};
    static const struct {
        const char *location, *offset, *length;
        double first;
    } good[] = {{"data.bin", NULL, NULL, 1}, {"data.bin", "8", "8", 3}, {"sub/../data.bin", "4", NULL, 2}};
    static const struct {
        const char *location, *offset, *length, *word;
    } bad[] = {
        {NULL, "0", "8", "without a location"},
        {"missing.bin", NULL, NULL, "not a file in the model's folder"},
        {"../outside.bin", NULL, NULL, "not a file in the model's folder"},
        {"link.bin", NULL, NULL, "not a file in the model's folder"},
        {"/etc/passwd", NULL, NULL, "not a file in the model's folder"},
        {"data.bin", "12", NULL, "too few"},
        {"data.bin", "18446744073709551615", NULL, "too few"},
        {"data.bin", "99999999999999999999", NULL, "malformed"},
        {"data.bin", "-1", NULL, "malformed"},
        {"data.bin", "0x1", NULL, "malformed"},
        {"data.bin", "0", "4", "does not match the shape"},
        {"data.bin", "0", "1000000000000", "does not match the shape"},
    };
    char outside[600], link[600];
    (void)snprintf(outside, sizeof outside, "%s/../mica-outside-%d.bin", folder, (int)getpid());
    (void)snprintf(link, sizeof link, "%s", in_folder("link.bin"));
    write_file(in_folder("data.bin"), data, sizeof data);
    write_file(outside, data, sizeof data);
    ck_assert_int_eq(symlink(outside, link), 0);
    ck_assert_int_eq(mkdir(in_folder("sub"), 0700), 0);
    for (size_t c = 0; c < COUNT(good); c++) {
        bytes model = external_model(good[c].location, good[c].offset, good[c].length);
        mica_status st = {0};
        graph g;
        write_file(in_folder("m.onnx"), model.p, model.n);
        ck_assert_msg(onnx_import(&g, in_folder("m.onnx"), NULL, 0, &st), "%s", st.message);
        ck_assert_double_eq(find_value(&g, "w")->real[0], good[c].first);
        graph_free(&g);
        free(model.p);
    }
    for (size_t c = 0; c < COUNT(bad); c++) {
        bytes model = external_model(bad[c].location, bad[c].offset, bad[c].length);
        expect_refused_bytes(model.p, model.n, MICA_ERR_FORMAT, bad[c].word);
        free(model.p);
    }
    bytes model = external_model("sub", NULL, NULL);
    expect_refused_bytes(model.p, model.n, MICA_ERR_IO, "not a regular file");
    free(model.p);
    unlink(outside);
}
END_TEST

/* --- Graph structure
 * ---------------------------------------------------------------------------------------------- */

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
    ow_node(&w, "NonZero", "a", "b");
    ow_node(&w, "NonZero", "b", "c");
    put_text(&inner, 4, "Relu");
    put_message(&branch, 1, &inner);
    put_text(&a, 1, "then_branch");
    put_message(&a, 6, &branch);
    put_int(&a, 20, 5);
    put_message(&w.attributes, 5, &a);
    ow_node(&w, "Unique", "c", "d");
    ow_output(&w, "d");
    expect_not_inferred(
        &w, MICA_ERR_UNSUPPORTED,
        "unsupported operators: com.example.Gelu (1 node, 'n0'), NonZero (2 nodes, first 'n1'), Unique (1 node");
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

/* --- Dimensions and the batch axis
 * -------------------------------------------------------------------------------- */

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

/* --- Hostile bytes
 * ------------------------------------------------------------------------------------------------ */

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
        ck_assert(model.n <= sizeof copy);
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
    expect_refused_bytes(model.p, model.n, MICA_ERR_FORMAT, "not an ONNX model");
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

/* --- Inspection and the zoo
 * --------------------------------------------------------------------------------------- */

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
    static const char *const words[] = {"parameters  18",
                                        "MACs        648",
                                        "[B,1,6,6]",
                                        "Conv",
                                        "NonZero",
                                        "not supported: 1 of 4 nodes (1 more depend on them)",
                                        "node 'n2' (NonZero, [1,2,6,6]): the operator is not supported"};
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
    tcase_add_test(t, element_types);
    tcase_add_test(t, float_types);
    tcase_add_test(t, bad_tensors);
    tcase_add_test(t, external_data);
    tcase_add_test(t, digest_of_external_data);
    tcase_add_test(t, opsets);
    tcase_add_test(t, broken_graphs);
    tcase_add_test(t, bad_nodes);
    tcase_add_test(t, unsupported_operators);
    tcase_add_test(t, initialiser_as_input);
    tcase_add_test(t, free_dimensions);
    tcase_add_test(t, bad_bindings);
    tcase_add_test(t, batch_axis);
    tcase_add_test(t, no_batch_axis);
    tcase_add_test(t, hostile_bytes);
    tcase_add_test(t, deep_nesting);
    tcase_add_test(t, other_files);
    tcase_add_test(t, inspection);
    tcase_add_test(t, zoo_models);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    static const char *const files[] = {"m.onnx", "h.onnx", "i.onnx", "free.onnx", "data.bin", "link.bin"};
    for (size_t i = 0; i < COUNT(files); i++)
        unlink(in_folder(files[i]));
    rmdir(in_folder("sub"));
    rmdir(folder);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
