/* Readers of tensors: well-formed files of every kind, and hostile ones that must be refused with a message.
 */
#define _GNU_SOURCE
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/tensor_file.h"
#include "io/whole_file.h"
#include "suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char folder[] = "/tmp/mica-tensor-XXXXXX";

static const char *in_folder(const char *name) {
    static char path[128][256];
    static unsigned next;
    next = (next + 1) % 128;
    (void)snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

static const char *put(const char *name, const void *bytes, size_t size) {
    mica_status st = {0};
    const char *path = in_folder(name);
    ck_assert_msg(whole_file_write(path, bytes, size, &st), "%s", st.message);
    return path;
}

/* A .npy file of `version` with the given header text and data. */
static const char *put_npy(const char *name, int version, const char *header, const void *data, size_t size) {
    uint8_t file[4096];
    size_t length = strlen(header);
    size_t at = version == 1 ? 10 : 12;
    ck_assert(at + length + size <= sizeof file);
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (uint8_t)version;
    file[7] = 0;
    for (size_t i = 8; i < at; i++)
        file[i] = (uint8_t)(length >> 8 * (i - 8));
    memcpy(file + at, header, length);
    if (size > 0)
        memcpy(file + at + length, data, size);
    return put(name, file, at + length + size);
}

static void expect_values(const char *path, const double *value, size_t n) {
    mica_status st = {0};
    tensor_data t;
    ck_assert_msg(tensor_file_read(&t, path, &st), "%s", st.message);
    ck_assert_uint_eq(t.count, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(t.value[i] == value[i], "%s[%zu]: %g, expected %g", path, i, t.value[i], value[i]);
    tensor_data_free(&t);
}

static void expect_refused(const char *path, mica_code code, const char *word) {
    mica_status st = {0};
    tensor_data t;
    ck_assert_msg(!tensor_file_read(&t, path, &st), "%s was read", path);
    ck_assert_msg(st.code == code, "%s: code %d, message %s", path, (int)st.code, st.message);
    ck_assert_msg(strstr(st.message, word) != NULL, "'%s' is not in: %s", word, st.message);
    ck_assert_ptr_eq(t.value, NULL);
}

START_TEST(npy_types) {
    static const struct {
        const char *descr;
        const char *data;
        size_t size;
        double value[2];
    } cases[] = {
        {"<f4", "\x00\x00\x80\x3f\x00\x00\x20\xc0", 8, {1, -2.5}},
        {">f4", "\x3f\x80\x00\x00\xc0\x20\x00\x00", 8, {1, -2.5}},
        {"<f8", "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\x04\xc0", 16, {1, -2.5}},
        {">f8", "\x3f\xf0\0\0\0\0\0\0\xc0\x04\0\0\0\0\0\0", 16, {1, -2.5}},
        {"<f2", "\x00\x3c\x01\x80", 4, {1, -0x1p-24}},
        {">f2", "\x7b\xff\xc1\x00", 4, {65504, -2.5}},
        {"|i1", "\x7f\x80", 2, {127, -128}},
        {"|u1", "\x7f\x80", 2, {127, 128}},
        {"|b1", "\x01\x00", 2, {1, 0}},
        {"<i2", "\xff\x7f\x00\x80", 4, {32767, -32768}},
        {">u2", "\x7f\xff\x80\x00", 4, {32767, 32768}},
        {"<i4", "\x01\x00\x00\x00\xff\xff\xff\xff", 8, {1, -1}},
        {"<u4", "\x01\x00\x00\x00\xff\xff\xff\xff", 8, {1, 4294967295.0}},
        {">i8", "\0\0\0\0\0\0\0\x01\xff\xff\xff\xff\xff\xff\xff\xfe", 16, {1, -2}},
        {"<u8", "\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80", 16, {1, 0x1p63}},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int version = 1; version <= 3; version++) {
            char header[128];
            (void)snprintf(header, sizeof header,
                           "{'descr': '%s', 'fortran_order': False, 'shape': (1, 2), }   \n", cases[i].descr);
            expect_values(put_npy("types.npy", version, header, cases[i].data, cases[i].size), cases[i].value,
                          2);
        }
}
END_TEST

START_TEST(npy_every_half) {
    /* against the definition: (-1)^s 2^(e-15) (1 + m/1024), subnormals 2^-14 m/1024 */
    for (unsigned bits = 0; bits < 65536; bits += 37) {
        unsigned e = bits >> 10 & 31, m = bits & 1023;
        uint8_t data[2] = {(uint8_t)bits, (uint8_t)(bits >> 8)};
        const char *path =
            put_npy("half.npy", 1, "{'descr':'<f2','fortran_order':False,'shape':()}", data, 2);
        if (e == 31) {
            expect_refused(path, MICA_ERR_FORMAT, m ? "not a number" : "infinite");
            continue;
        }
        double value = e == 0 ? m / 1024.0 * pow(2, -14) : (1 + m / 1024.0) * pow(2, (int)e - 15);
        value = bits & 0x8000 ? -value : value;
        expect_values(path, &value, 1);
    }
}
END_TEST

START_TEST(npy_refused) {
    static const struct {
        const char *header;
        size_t size;
        mica_code code;
        const char *word;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", 8, MICA_ERR_UNSUPPORTED, "Fortran"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", 8, MICA_ERR_UNSUPPORTED, "<c8"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8, MICA_ERR_UNSUPPORTED, "|O"},
        {"{'descr': '<f1', 'fortran_order': False, 'shape': (8,), }", 8, MICA_ERR_UNSUPPORTED, "<f1"},
        {"{'descr': '<U8', 'fortran_order': False, 'shape': (1,), }", 8, MICA_ERR_UNSUPPORTED, "<U8"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8, MICA_ERR_UNSUPPORTED,
         "structured"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 8, MICA_ERR_FORMAT, "more"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 8, MICA_ERR_FORMAT, "fewer"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", 0, MICA_ERR_FORMAT, "empty"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 8, MICA_ERR_FORMAT, "shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (999999999,999999999,999999999), }", 8,
         MICA_ERR_FORMAT, "more"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 8, MICA_ERR_FORMAT,
         "shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,2), }", 8, MICA_ERR_FORMAT,
         "axes"},
        {"{'descr': '<f4', 'fortran_order': False, }", 8, MICA_ERR_FORMAT, "lacks"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 8, MICA_ERR_FORMAT,
         "descr"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,", 8, MICA_ERR_FORMAT, "malformed"},
        {"{'descr': '<f4", 8, MICA_ERR_UNSUPPORTED, "dtype"},
        {"", 8, MICA_ERR_FORMAT, "malformed"},
    };
    static const uint8_t zero[8];
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_refused(put_npy("refused.npy", 1, cases[i].header, zero, cases[i].size), cases[i].code,
                       cases[i].word);
    expect_refused(put("short.npy", "\x93NUMPY\x01", 7), MICA_ERR_FORMAT, "damaged");
    expect_refused(put("long.npy", "\x93NUMPY\x02\x00\xff\xff\xff\xff", 12), MICA_ERR_FORMAT, "damaged");
    expect_refused(put("version.npy", "\x93NUMPY\x04\x00\x00\x00\x00\x00", 12), MICA_ERR_FORMAT, "version");
    expect_refused(put("empty.npy", "", 0), MICA_ERR_UNSUPPORTED, "TensorProto");
    expect_refused(in_folder("absent.npy"), MICA_ERR_IO, "No such file");
    expect_refused(folder, MICA_ERR_IO, "directory");
}
END_TEST

/* Every truncation and every changed byte of a good file is read or refused, never worse (for the
 * sanitizers). */
START_TEST(npy_mutations) {
    const char *header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }   \n";
    mica_status st = {0};
    uint8_t *file;
    size_t size;
    ck_assert(
        whole_file_read(put_npy("good.npy", 1, header, "\0\0\x80\x3f\0\0\0\0", 8), 4096, &file, &size, &st));
    for (size_t i = 0; i < size; i++) {
        tensor_data t;
        mica_status a = {0}, b = {0};
        ck_assert(!tensor_file_read(&t, put("cut.npy", file, i), &a));
        file[i] ^= 0x15;
        if (tensor_file_read(&t, put("changed.npy", file, size), &b))
            tensor_data_free(&t);
        file[i] ^= 0x15;
    }
    free(file);
}
END_TEST

START_TEST(protobuf) {
    static const struct {
        const char *what;
        const char *bytes;
        size_t size;
        size_t n;
        double value[3];
    } cases[] = {
        {"raw float", "\x08\x02\x10\x01\x4a\x08\0\0\x80\x3f\0\0\x20\xc0", 14, 2, {1, -2.5}},
        {"packed float", "\x08\x02\x10\x01\x22\x08\0\0\x80\x3f\0\0\x20\xc0", 14, 2, {1, -2.5}},
        {"unpacked float", "\x08\x01\x10\x01\x25\0\0\x80\x3f", 9, 1, {1}},
        {"two axes", "\x08\x01\x08\x02\x10\x06\x2a\x02\x05\x07", 10, 2, {5, 7}},
        {"raw int64", "\x08\x01\x10\x07\x4a\x08\xff\xff\xff\xff\xff\xff\xff\xff", 14, 1, {-1}},
        {"int64", "\x08\x02\x10\x07\x3a\x02\x03\x04", 8, 2, {3, 4}},
        {"uint8 in int32", "\x08\x02\x10\x02\x2a\x02\x03\x04", 8, 2, {3, 4}},
        {"half in int32", "\x08\x01\x10\x0a\x2a\x02\x80\x78", 8, 1, {1}},
        {"raw bfloat16", "\x08\x01\x10\x10\x4a\x02\x80\x3f", 8, 1, {1}},
        {"raw double", "\x08\x01\x10\x0b\x4a\x08\0\0\0\0\0\0\x04\xc0", 14, 1, {-2.5}},
        {"scalar", "\x10\x09\x4a\x01\x01", 5, 1, {1}},
        {"double", "\x08\x01\x10\x0b\x52\x08\0\0\0\0\0\0\x04\xc0", 14, 1, {-2.5}},
        {"uint32 in uint64", "\x08\x01\x10\x0c\x5a\x05\xff\xff\xff\xff\x0f", 11, 1, {4294967295.0}},
        {"uint64", "\x08\x02\x10\x0d\x5a\x02\x03\x04", 8, 2, {3, 4}},
        {"bool in int32", "\x08\x02\x10\x09\x2a\x02\x00\x07", 8, 2, {0, 1}},
        {"bfloat16 in int32", "\x08\x01\x10\x10\x2a\x03\x80\x80\x03", 9, 1, {-2}},
        {"raw uint4", "\x08\x03\x10\x15\x4a\x02\xf1\x08", 8, 3, {1, 15, 8}},
        {"raw int4", "\x08\x03\x10\x16\x4a\x02\xf1\x08", 8, 3, {1, -1, -8}},
        {"int4 in int32", "\x08\x02\x10\x16\x2a\x02\xf1\x01", 8, 2, {1, -1}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ck_assert_msg(cases[i].n > 0, "%s", cases[i].what);
        expect_values(put("t.pb", cases[i].bytes, cases[i].size), cases[i].value, cases[i].n);
    }
}
END_TEST

START_TEST(protobuf_refused) {
    expect_refused(put("t.pb", "\x08\x03\x10\x01\x4a\x08\0\0\x80\x3f\0\0\x20\xc0", 14), MICA_ERR_FORMAT,
                   "3 elements");
    expect_refused(put("t.pb", "\x08\x01\x10\x01\x4a\x03\0\0\x80", 9), MICA_ERR_FORMAT, "whole number");
    expect_refused(put("t.pb", "\x08\x01\x10\x01\x4a\x04\0\0\x80\x7f", 10), MICA_ERR_FORMAT, "infinite");
    expect_refused(put("t.pb", "\x08\x01\x10\x08\x32\x01x", 7), MICA_ERR_UNSUPPORTED, "data_type 8");
    expect_refused(put("t.pb", "\x08\x01\x10\x01\x70\x01\x6a\x00", 8), MICA_ERR_UNSUPPORTED, "outside");
    expect_refused(put("t.pb", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x01", 13), MICA_ERR_LIMIT,
                   "negative");
    expect_refused(put("t.pb", "\x08\x80\x80\x80\x80\x08\x08\x80\x80\x80\x80\x08\x10\x01", 14),
                   MICA_ERR_LIMIT, "elements");
    expect_refused(put("t.pb", "\x4a\xff\xff\xff\xff\x7f", 6), MICA_ERR_FORMAT, "neither");
    expect_refused(put("t.pb", "hello, world", 12), MICA_ERR_FORMAT, "neither");
    expect_refused(put("t.pb", "\x08\x03\x10\x16\x4a\x01\xf1", 7), MICA_ERR_FORMAT, "holds 1 pairs");
    expect_refused(
        put("t.pb", "\x08\1\x08\1\x08\1\x08\1\x08\1\x08\1\x08\1\x08\1\x08\1\x08\1\x08\1\x10\2\x2a\1\1", 27),
        MICA_ERR_LIMIT, "11 axes");
}
END_TEST

static const tensor_spec image = {.name = "image", .batched = true, .rank = 2, .dim = {1, 2}};
static const tensor_spec other = {.name = "other", .batched = false, .rank = 1, .dim = {3}};

static void expect_items(const tensor_spec *spec, uint32_t n, const char *const *args, size_t n_args,
                         uint64_t items, const double *first) {
    mica_status st = {0};
    tensor_items t;
    ck_assert_msg(tensor_items_read(&t, spec, n, "input", args, n_args, &st), "%s", st.message);
    ck_assert_uint_eq(t.items, items);
    for (uint64_t i = 0; i < items * tensor_spec_cells(&t.spec[0]); i++)
        ck_assert_msg(t.value[0][i] == first[i], "value %llu", (unsigned long long)i);
    tensor_items_free(&t);
}

static void expect_items_refused(const tensor_spec *spec, uint32_t n, const char *const *args, size_t n_args,
                                 const char *word) {
    mica_status st = {0};
    tensor_items t;
    ck_assert(!tensor_items_read(&t, spec, n, "input", args, n_args, &st));
    ck_assert_msg(strstr(st.message, word) != NULL, "'%s' is not in: %s", word, st.message);
}

static const char *put_text(const char *name, const char *text) {
    return put(name, text, strlen(text));
}

static const char *put_u8(const char *name, const char *shape, const char *data, size_t size) {
    char header[128];
    (void)snprintf(header, sizeof header, "{'descr': '|u1', 'fortran_order': False, 'shape': (%s), }", shape);
    return put_npy(name, 1, header, data, size);
}

START_TEST(json_items) {
    const double one[] = {1, 2}, three[] = {1, 2, 3, 4, 5, 6.5};
    const char *a[] = {put_text("a.json", "{\"input_data\": [[1, 2.0]], \"output_data\": 3}")};
    expect_items(&image, 1, a, 1, 1, one);
    const char *b[] = {put_text("b.json", "{\"input_data\": [[1, 2, 3, 4, 5, 6.5]]}")};
    expect_items(&image, 1, b, 1, 3, three);
    const char *c[] = {a[0], put_text("c.json", "{\"input_data\": [[3, 4, 5, 6.5]]}")};
    expect_items(&image, 1, c, 2, 3, three);
    const tensor_spec both[] = {image, other};
    const char *d[] = {put_text("d.json", "{\"input_data\": [[1, 2, 3, 4], [1, 2, 3, 4, 5, 6]]}")};
    expect_items(both, 2, d, 1, 2, three);
}
END_TEST

START_TEST(json_refused) {
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"{\"input_data\": [[1, 2, 3]]}", "[B,1,2]"},
        {"{\"input_data\": [[1, \"2\"]]}", "not a number"},
        {"{\"input_data\": [[[1, 2]]]}", "flat"},
        {"{\"input_data\": [1, 2]}", "list of numbers"},
        {"{\"input_data\": []}", "expected"},
        {"{\"input_data\": [[1, 2], [3]]}", "2 lists"},
        {"{\"input_data\": [[1, 1e999]]}", "JSON"},
        {"{\"input_data\": [[1, NaN]]}", "JSON"},
        {"{\"data\": [[1, 2]]}", "input_data"},
        {"[[1, 2]]", "input_data"},
        {"", "JSON"},
        {"{\"input_data\": [[1, 2]], \"input_data\": [[1, 2]]}", "duplicate"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *path = put_text("refused.json", cases[i].text);
        expect_items_refused(&image, 1, &path, 1, cases[i].word);
    }
    char *deep = malloc(100001);
    ck_assert_ptr_nonnull(deep);
    memset(deep, '[', 100000);
    deep[100000] = 0;
    const char *path = put_text("deep.json", deep);
    free(deep);
    expect_items_refused(&image, 1, &path, 1, "depth");
}
END_TEST

START_TEST(npy_items) {
    const double value[] = {1, 2, 3, 4};
    const char *fits[][2] = {{"1, 1, 2", "1"}, {"1, 2", "1"}, {"2, 1, 2", "2"}, {"2, 1, 1, 2", "2"}};
    for (size_t i = 0; i < COUNT(fits); i++) {
        uint64_t items = (uint64_t)(fits[i][1][0] - '0');
        const char *path = put_u8("items.npy", fits[i][0], "\1\2\3\4", (size_t)items * 2);
        expect_items(&image, 1, &path, 1, items, value);
    }
    const char *unfit[] = {"2", "2, 2", "1, 2, 2", "1, 1, 1, 1, 2, 1", "2, 1", "2, 2, 1, 2"};
    const size_t size[] = {2, 4, 4, 2, 2, 8};
    for (size_t i = 0; i < COUNT(unfit); i++) {
        const char *path = put_u8("items.npy", unfit[i], "\1\2\3\4\5\6\7\10", size[i]);
        expect_items_refused(&image, 1, &path, 1, "takes shape [B,1,2]");
    }
}
END_TEST

START_TEST(named_and_folders) {
    const tensor_spec both[] = {image, other};
    const double value[] = {1, 2, 3, 4};
    char a[300], b[300];
    const char *image_path = put_u8("image.npy", "2, 1, 2", "\1\2\3\4", 4);
    (void)snprintf(a, sizeof a, "image=%s", image_path);
    (void)snprintf(b, sizeof b, "1=%s", put_u8("other.npy", "2, 3", "\1\2\3\4\5\6", 6));
    const char *args[] = {b, a};
    expect_items(both, 2, args, 2, 2, value);
    expect_items_refused(both, 2, args, 1, "\"image\" is missing");
    const char *twice[] = {a, a};
    expect_items_refused(both, 2, twice, 2, "given twice");
    expect_items_refused(both, 2, &image_path, 1, "NAME=FILE");
    (void)snprintf(b, sizeof b, "other=%s", put_u8("other.npy", "3", "\1\2\3", 3));
    expect_items_refused(both, 2, args, 2, "items");

    ck_assert_int_eq(mkdir(in_folder("cases"), 0700), 0);
    const char *cases = in_folder("cases");
    expect_items_refused(both, 2, &cases, 1, "case_*");
    for (int i = 0; i < 12; i++) {
        char name[64], pixels[2] = {(char)i, (char)(i + 1)};
        (void)snprintf(name, sizeof name, "cases/test_data_set_%d", i);
        ck_assert_int_eq(mkdir(in_folder(name), 0700), 0);
        (void)snprintf(name, sizeof name, "cases/test_data_set_%d/input_0.npy", i);
        (void)put_u8(name, "1, 1, 2", pixels, 2);
        (void)snprintf(name, sizeof name, "cases/test_data_set_%d/input_1.pb", i);
        (void)put(name, "\x08\x03\x10\x06\x2a\x03\x05\x07\x09", 9);
    }
    double ordered[24]; /* 10 after 9, not after 1 */
    for (int i = 0; i < 24; i++) {
        const int pixel = i / 2 + i % 2;
        ordered[i] = pixel;
    }
    expect_items(both, 2, &cases, 1, 12, ordered);
    const char *one = in_folder("cases/test_data_set_3");
    expect_items(both, 2, &one, 1, 1, ordered + 6);
    expect_items_refused(&image, 1, &one, 1, "only 1 input");
    ck_assert_int_eq(unlink(in_folder("cases/test_data_set_3/input_1.pb")), 0);
    expect_items_refused(both, 2, &cases, 1, "no input_1.npy");
}
END_TEST

START_TEST(arguments_are_named) {
    const tensor_spec both[] = {image, other};
    const char *absent[] = {"picture=absent.npy"};
    expect_items_refused(both, 2, absent, 1,
                         "no input of the model has that name; it has \"image\", \"other\"");
    expect_items_refused(both, 2, NULL, 0, "no input is given");
}
END_TEST

START_TEST(calibration_resolves_free_dimensions) {
    const tensor_spec free_spec = {.name = "x", .batched = true, .rank = 2, .dim = {-1, 2}};
    mica_status st = {0}, second = {0};
    tensor_items t;
    const char *path = put_u8("stack.npy", "2, 3, 2", "\0\1\2\3\4\5\6\7\10\11\12\13", 12);
    ck_assert_msg(calibration_read(&t, &free_spec, 1, path, &st), "%s", st.message);
    ck_assert_uint_eq(t.items, 2);
    ck_assert_int_eq(t.spec[0].dim[0], 3);
    for (int i = 0; i < 12; i++)
        ck_assert(t.value[0][i] == i);
    tensor_items_free(&t);
    const char *args[] = {path, put_u8("four.npy", "4, 2", "\0\1\2\3\4\5\6\7", 8)};
    ck_assert(!tensor_items_read(&t, &free_spec, 1, "input", args, 2, &second));
    ck_assert_msg(strstr(second.message, "[B,3,2]") != NULL, "%s", second.message);
}
END_TEST

START_TEST(refusals_show_free_dimensions) {
    const tensor_spec free_spec = {.name = "x", .batched = true, .rank = 2, .dim = {-1, 2}};
    const char *path = put_u8("three.npy", "1, 5, 3", "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16", 15);
    expect_items_refused(&free_spec, 1, &path, 1,
                         "\"x\" takes shape [B,?,2] (B >= 1 items), the file holds [1,5,3]");
}
END_TEST

/* A member of a folder that is no regular file is not opened, which for a pipe might take forever; a folder
 * whose members' paths are too long is refused. */
START_TEST(hostile_folders) {
    mica_status st = {0};
    tensor_items t;
    ck_assert_int_eq(mkdir(in_folder("pipe"), 0700), 0);
    ck_assert_int_eq(mkfifo(in_folder("pipe/input_0.npy"), 0600), 0);
    const char *pipe = in_folder("pipe");
    ck_assert(!tensor_items_read(&t, &image, 1, "input", &pipe, 1, &st));
    ck_assert_int_eq(st.code, MICA_ERR_IO);
    ck_assert_msg(strstr(st.message, "input_0.npy: is not a regular file") != NULL, "%s", st.message);

    char deep[4095] = "";
    ck_assert_int_eq(mkdir(in_folder("deep"), 0700), 0);
    ck_assert_int_eq(mkdir(in_folder("deep/case_1"), 0700), 0);
    (void)snprintf(deep, sizeof deep, "%s", in_folder("deep"));
    while (strlen(deep) + 2 < sizeof deep)
        memcpy(deep + strlen(deep), "/.", 3);
    const char *path = deep;
    mica_status long_st = {0};
    ck_assert(!tensor_items_read(&t, &image, 1, "input", &path, 1, &long_st));
    ck_assert_int_eq(long_st.code, MICA_ERR_IO);
    ck_assert_msg(strstr(long_st.message, "path too long") != NULL, "%s", long_st.message);
}
END_TEST

/* A free dimension is not filled by no elements. */
START_TEST(nothing_is_no_item) {
    const tensor_spec free_spec = {.name = "x", .batched = true, .rank = 2, .dim = {-1, 2}};
    mica_status st = {0};
    tensor_items t;
    ck_assert(!calibration_read(&t, &free_spec, 1, put_u8("none.npy", "0, 2", "", 0), &st));
    ck_assert_int_eq(st.code, MICA_ERR_FORMAT);
}
END_TEST

START_TEST(writing_replaces_whole_files) {
    mica_status st = {0}, second = {0}, third = {0};
    uint8_t *bytes;
    size_t size;
    (void)put("w", "first", 5);
    (void)put("w", "second", 6);
    ck_assert(whole_file_read(in_folder("w"), 6, &bytes, &size, &st));
    ck_assert(size == 6 && memcmp(bytes, "second", 7) == 0);
    free(bytes);
    ck_assert(!whole_file_read(in_folder("w"), 5, &bytes, &size, &st));
    ck_assert_int_eq(st.code, MICA_ERR_LIMIT);
    ck_assert(!whole_file_write(in_folder("no/such/folder"), "x", 1, &second));
    ck_assert_int_eq(second.code, MICA_ERR_IO);
    ck_assert(!whole_file_write(folder, "x", 1, &third));
    ck_assert_int_eq(third.code, MICA_ERR_IO);
}
END_TEST

int main(void) {
    if (!mkdtemp(folder))
        return 1;
    Suite *s = suite_create("tensor_file");
    TCase *tc = tcase_create("readers");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, npy_types);
    tcase_add_test(tc, npy_every_half);
    tcase_add_test(tc, npy_refused);
    tcase_add_test(tc, npy_mutations);
    tcase_add_test(tc, protobuf);
    tcase_add_test(tc, protobuf_refused);
    tcase_add_test(tc, json_items);
    tcase_add_test(tc, json_refused);
    tcase_add_test(tc, npy_items);
    tcase_add_test(tc, named_and_folders);
    tcase_add_test(tc, arguments_are_named);
    tcase_add_test(tc, calibration_resolves_free_dimensions);
    tcase_add_test(tc, refusals_show_free_dimensions);
    tcase_add_test(tc, hostile_folders);
    tcase_add_test(tc, nothing_is_no_item);
    tcase_add_test(tc, writing_replaces_whole_files);
    suite_add_tcase(s, tc);
    const int code = suite_run(s);
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return code == 0 && system(command) == 0 ? 0 : 1; /* NOLINT(cert-env33-c): a fixed path of our own */
}
