/* Inputs that become constants (--const): forms of their values, what freezing does to a graph, the record,
 * and audits. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "driver.h"
#include "file_read.h"
#include "onnx_writer.h"
#include "passes/constants.h"
#include "suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DIMS(...)                                                                                            \
    (uint32_t) COUNT(((int64_t[]){__VA_ARGS__})), (int64_t[]) {                                              \
        __VA_ARGS__                                                                                          \
    }
#define INT64 7

/* --- values --- */

static bool read_one(constant_set *s, const char *item, bool recorded, mica_status *st) {
    const constant_source from = {.item = &item, .n = 1, .recorded = recorded};
    return constants_read(s, &from, st);
}

START_TEST(canonical_forms) {
    static const struct {
        const char *given, *text;
        uint32_t rank;
    } cases[] = {{"k=3", "k=3", 0},
                 {"k=-0.5", "k=-0.5", 0},
                 {"k=0.1", "k=0.10000000000000001", 0},
                 {"k=true", "k=1", 0},
                 {"k=[ 1, 2 ]", "k=[1,2]", 1},
                 {"k=[[1,2],[3,4],[5,6]]", "k=[[1,2],[3,4],[5,6]]", 2},
                 {"k=[]", "k=empty[0]", 1},
                 {"k=empty[2,0,4]", "k=empty[2,0,4]", 3},
                 {"a b=1e3", "a b=1000", 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        mica_status st = {0};
        constant_set s, again;
        ck_assert_msg(read_one(&s, cases[i].given, false, &st), "%s: %s", cases[i].given, st.message);
        ck_assert_str_eq(s.at[0].text, cases[i].text);
        ck_assert_uint_eq(s.at[0].rank, cases[i].rank);
        ck_assert_msg(read_one(&again, s.at[0].text, true, &st), "%s: %s", s.at[0].text, st.message);
        ck_assert_str_eq(again.at[0].text, cases[i].text);
        ck_assert(again.at[0].count == s.at[0].count &&
                  memcmp(again.at[0].value, s.at[0].value, s.at[0].count * sizeof(double)) == 0);
        constants_free(&s);
        constants_free(&again);
    }
}
END_TEST

START_TEST(values_that_are_none) {
    static const struct {
        const char *item, *words;
        bool recorded;
    } cases[] = {{"k", "expected NAME=VALUE", false},
                 {"=3", "expected NAME=VALUE", false},
                 {"k=", "expected NAME=VALUE", false},
                 {"k=[1,[2]]", "not a tensor", false},
                 {"k=[[[[[[[[[1]]]]]]]]]", "at most 8 axes", false},
                 {"k=[1,", "not a number", false},
                 {"k={}", "not a tensor", false},
                 {"k=\"3\"", "not a tensor", false},
                 {"k=/nowhere/k.npy", "No such file", false},
                 {"k=empty[2]", "a shape with a 0", false},
                 {"k=empty[-1,0]", "a shape with a 0", false},
                 {"k=digest:00", "too large for the record", true},
                 {"k=/etc/hostname", "has no value", true}}; /* a record makes nobody read files */
    for (size_t i = 0; i < COUNT(cases); i++) {
        mica_status st = {0};
        constant_set s;
        ck_assert_msg(!read_one(&s, cases[i].item, cases[i].recorded, &st), "%s is taken", cases[i].item);
        ck_assert_msg(strstr(st.message, cases[i].words) != NULL, "%s: %s", cases[i].item, st.message);
    }
}
END_TEST

START_TEST(names_meet_once) {
    const char *twice[] = {"k=3", "k=4"}, *other[] = {"j=3"}, *same[] = {"k=[7]"};
    mica_status st = {0};
    constant_set s;
    const constant_source both = {.item = twice, .n = 2},
                          unknown = {.item = twice, .n = 1, .given = other, .n_given = 1},
                          replaced = {.item = twice, .n = 1, .given = same, .n_given = 1};
    ck_assert(!constants_read(&s, &both, &st) && strstr(st.message, "twice"));
    st = (mica_status){0};
    ck_assert(!constants_read(&s, &unknown, &st) && strstr(st.message, "no constant of that name"));
    st = (mica_status){0};
    ck_assert(constants_read(&s, &replaced, &st));
    ck_assert_str_eq(s.at[0].text, "k=[7]");
    constants_free(&s);
}
END_TEST

/* --- graphs --- */

static char model[] = "/tmp/mica-const-XXXXXX", parameters[] = "/tmp/mica-const-vk-XXXXXX";

/* y = x[:, :k] w */
static void save_model(void) {
    onnx_writer w = {.opset = 13};
    ow_input(&w, "x", DIMS(1, 12));
    ow_port(&w, 11, "k", INT64, 1, (int64_t[]){1});
    ow_input(&w, "w", DIMS(-1, 9));
    ow_output(&w, "y");
    ow_ints(&w, "zero", DIMS(1), (int64_t[]){0});
    ow_ints(&w, "one", DIMS(1), (int64_t[]){1});
    ow_node(&w, "Slice", "x zero k one", "part");
    ow_node(&w, "MatMul", "part w", "y");
    ow_save(&w, model);
}

static void set_up(void) {
    (void)close(mkstemp(model));
    (void)close(mkstemp(parameters));
    save_model();
}

static void tear_down(void) {
    (void)unlink(model);
    (void)unlink(parameters);
    (void)memcpy(model + strlen(model) - 6, "XXXXXX", 6);
    (void)memcpy(parameters + strlen(parameters) - 6, "XXXXXX", 6);
}

START_TEST(refusals_name_the_remedy) {
    graph g;
    mica_status st = {0};
    ck_assert_msg(onnx_import(&g, model, NULL, 0, &st), "%s", st.message);
    ck_assert(!graph_infer_shapes(&g, &st));
    ck_assert_msg(strstr(st.message, "input 2 ('k') decides the output's shape") &&
                      strstr(st.message, "--const k=FILE"),
                  "%s", st.message);
    graph_free(&g);
}
END_TEST

START_TEST(freezing) {
    static const struct {
        const char *name, *words;
        double x;
        uint32_t rank;
        int64_t dim;
    } bad[] = {{"q", "it has 'x', 'k', 'w'", 1, 0, 0},
               {"k", "element 0 is 1.5", 1.5, 1, 1},
               {"k", "dimension 0 of the input is 1, of the data 2", 1, 1, 2},
               {"x", "2 dimensions, the data has 1", 1, 1, 12}};
    const double element[12] = {1}, three = 3;
    graph g;
    mica_status st = {0};
    for (size_t i = 0; i < COUNT(bad); i++) {
        const double x[12] = {bad[i].x};
        ck_assert(onnx_import(&g, model, NULL, 0, &st));
        ck_assert(!graph_freeze_input(&g, bad[i].name, bad[i].rank, &bad[i].dim, x, &st));
        ck_assert_msg(strstr(st.message, bad[i].words) != NULL, "%s", st.message);
        graph_free(&g);
        st = (mica_status){0};
    }
    ck_assert(onnx_import(&g, model, NULL, 0, &st) && !g.batched);
    ck_assert(graph_freeze_input(&g, "k", 0, NULL, &three, &st)); /* one element in any form */
    ck_assert_uint_eq(g.n_inputs, 2);
    ck_assert(g.batched && g.n_free_dims == 1); /* only k had no batch axis */
    ck_assert(graph_freeze_input(&g, "x", 2, (int64_t[]){1, 12}, element, &st));
    ck_assert_uint_eq(g.n_inputs, 1);
    ck_assert_str_eq(g.value[g.input[0]].name, "w");
    graph_free(&g);
}
END_TEST

/* --- records and audits --- */

static void compile_with(const char *const *items, size_t n) {
    compile_request r = {.model = model, .output = parameters, .security_bits = 80, .quiet = true};
    compilation c = {.request = &r, .name = "net"};
    sample_set samples = {0};
    mica_status st = {0};
    r.constant.item = malloc(n * sizeof *r.constant.item);
    for (r.constant.n = 0; r.constant.n < n; r.constant.n++)
        r.constant.item[r.constant.n] = items[r.constant.n];
    ck_assert_msg(options_finish(&r, &st) && compile_parameters(&c, &samples, &st), "%s", st.message);
    ck_assert(file_write(parameters, c.vk_bytes, c.vk_size, &st));
    compilation_free(&c);
    options_free(&r);
}

/* A constant of 10 x 9 elements x + index in a file. */
static void save_weights(const char *path, double x) {
    char list[2000] = "[";
    for (int i = 0; i < 90; i++)
        (void)snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s%.17g%s", i ? "," : "",
                       i % 9 ? "" : "[", x + i, i % 9 == 8 ? "]" : "");
    (void)snprintf(list + strlen(list), sizeof list - strlen(list), "]");
    write_file(path, list, strlen(list));
}

START_TEST(records_and_audits) {
    char file[64], other[64], item[96], other_item[96];
    mica_status st = {0};
    audit_result a;
    (void)snprintf(file, sizeof file, "%s.json", model);
    (void)snprintf(other, sizeof other, "%s-2.json", model);
    (void)snprintf(item, sizeof item, "w=%s", file);
    (void)snprintf(other_item, sizeof other_item, "w=%s", other);
    save_weights(file, 0.5);
    save_weights(other, 1.5);
    compile_with((const char *[]){"k=10", item}, 2);
    const char *one[] = {item}, *two[] = {other_item};
    audit_request what = {.model = model, .vk = parameters};
    ck_assert(!audit_run(&a, &what, &st));
    ck_assert_msg(strstr(st.message, "too large for the record") != NULL, "%s", st.message);
    st = (mica_status){0};
    what.constants = (mica_arguments){one, 1};
    ck_assert_msg(audit_run(&a, &what, &st), "%s", st.message);
    ck_assert(a.confirmed);
    what.constants = (mica_arguments){two, 1};
    ck_assert_msg(audit_run(&a, &what, &st), "%s", st.message);
    ck_assert(!a.confirmed);
    (void)unlink(file);
    (void)unlink(other);
}
END_TEST

int main(void) {
    Suite *s = suite_create("constants");
    TCase *t = tcase_create("constants");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, canonical_forms);
    tcase_add_test(t, values_that_are_none);
    tcase_add_test(t, names_meet_once);
    tcase_add_test(t, refusals_name_the_remedy);
    tcase_add_test(t, freezing);
    tcase_add_test(t, records_and_audits);
    suite_add_tcase(s, t);
    return suite_run(s);
}
