/* Tensors of ONNX files: every element type in both forms, external data, and what is refused. */
#define _GNU_SOURCE
#include "import_kit.h"

/* --- Tensors --- */

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

/* --- External data --- */

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

int main(void) {
    Suite *s = suite_create("tensors");
    TCase *t = tcase_create("tensors");
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    tcase_set_timeout(t, 120);
    tcase_add_test(t, element_types);
    tcase_add_test(t, float_types);
    tcase_add_test(t, bad_tensors);
    tcase_add_test(t, external_data);
    tcase_add_test(t, digest_of_external_data);
    suite_add_tcase(s, t);
    const int code = suite_run(s);
    import_folder_remove();
    return code;
}
