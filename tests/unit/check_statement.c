/* Between real numbers and the integers of a port, and statements that cannot be. */
#include "mica/statement.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

enum { LO = -5, HI = 9 };

/* One port on a tensor [2, 3] whose axes the user knows as [3, 2]. */
typedef struct instance {
    mica_circuit c;
    mica_tensor tensor;
    mica_port port;
} instance;

static void build(instance *k, int32_t mantissa, int32_t exponent, bool exact) {
    *k = (instance){
        .tensor = {.kind = MICA_TENSOR_INPUT, .rank = 2, .dim = {2, 3}, .lo = LO, .hi = HI},
        .port = {
            .name = "x", .mantissa = mantissa, .exponent = exponent, .axis_order = {1, 0}, .exact = exact}};
    k->c = (mica_circuit){
        .max_batch = 4, .n_tensors = 1, .tensor = &k->tensor, .n_inputs = 1, .input = &k->port};
}

static int32_t first_of(const instance *k, double value, uint64_t *saturated) {
    const double values[6] = {value, 1, 2, 3, 4, 5};
    int32_t cells[6];
    mica_status st = {0};
    ck_assert_msg(mica_port_quantise(&k->c, &k->port, values, cells, saturated, &st), "%s", st.message);
    return cells[0];
}

START_TEST(ties_go_away_from_zero) {
    static const struct {
        double value;
        int32_t cell;
        uint64_t outside;
    } cases[] = {{0.5, 1, 0},       {-0.5, -1, 0},      {0.4999, 0, 0},   {-1.5, -2, 0},
                 {9.4999, 9, 0},    {9.5, 9, 1},        {-5.4999, -5, 0}, {-5.5, -5, 1},
                 {INFINITY, HI, 1}, {-INFINITY, LO, 1}, {1e300, HI, 1},   {-0.0, 0, 0}};
    instance k;
    build(&k, 1, 0, false);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t outside = 0;
        ck_assert_msg(first_of(&k, cases[i].value, &outside) == cases[i].cell, "case %zu", i);
        ck_assert_uint_eq(outside, cases[i].outside);
    }
    ck_assert_int_eq(first_of(&k, 100, NULL), HI);
}
END_TEST

START_TEST(scales_in_both_directions) {
    instance k;
    build(&k, 3, -2, false);
    ck_assert_int_eq(first_of(&k, 3 * 0.75, NULL), 3);
    build(&k, 3, 5, false);
    ck_assert_int_eq(first_of(&k, -2 * 96.0, NULL), -2);
    const int32_t cells[6] = {1, -1, 2, 0, 0, 0};
    double values[6];
    mica_port_dequantise(&k.c, &k.port, cells, values);
    ck_assert(values[0] == 96 && values[2] == -96 && values[4] == 192);
}
END_TEST

/* The user's [3, 2] is the tensor's [2, 3], transposed. */
START_TEST(axes_are_reordered) {
    static const double values[6] = {0, 1, 2, 3, 4, 5};
    static const int32_t expected[6] = {0, 2, 4, 1, 3, 5};
    instance k;
    int32_t cells[6];
    double back[6];
    mica_status st = {0};
    build(&k, 1, 0, false);
    ck_assert(mica_port_quantise(&k.c, &k.port, values, cells, NULL, &st));
    ck_assert_mem_eq(cells, expected, sizeof cells);
    mica_port_dequantise(&k.c, &k.port, cells, back);
    ck_assert_mem_eq(back, values, sizeof back);
}
END_TEST

static void expect_refused(const instance *k, double value, const char *words) {
    const double values[6] = {0, 1, value, 0, 0, 0};
    int32_t cells[6];
    mica_status st = {0};
    ck_assert(!mica_port_quantise(&k->c, &k->port, values, cells, NULL, &st));
    ck_assert_int_eq(st.code, MICA_ERR_RANGE);
    ck_assert_msg(strstr(st.message, words) != NULL, "%s", st.message);
}

START_TEST(what_is_no_value_is_refused) {
    instance k;
    build(&k, 1, 0, false);
    expect_refused(&k, NAN, "'x': value 2 is not a number");
    build(&k, 1, 0, true);
    expect_refused(&k, 10, "'x': value 2 is 10, but an index is in [-5, 9]");
    expect_refused(&k, -6, "value 2 is -6");
    expect_refused(&k, NAN, "value 2 is");
    ck_assert_int_eq(first_of(&k, 9, NULL), 9);
}
END_TEST

START_TEST(batches_have_bounds) {
    instance k;
    mica_statement s;
    mica_status none = {0}, many = {0}, st = {0};
    build(&k, 1, 0, false);
    ck_assert(!mica_statement_create(&s, &k.c, 0, &none));
    ck_assert_int_eq(none.code, MICA_ERR_LIMIT);
    ck_assert(!mica_statement_create(&s, &k.c, 5, &many));
    ck_assert_str_eq(many.message, "a batch of 5; these parameters allow 1 to 4");
    ck_assert(mica_statement_create(&s, &k.c, 4, &st));
    ck_assert_int_eq(s.input[0][23], 0);
    mica_statement_free(&s, &k.c);
}
END_TEST

int main(void) {
    Suite *s = suite_create("statement");
    TCase *t = tcase_create("statement");
    tcase_add_test(t, ties_go_away_from_zero);
    tcase_add_test(t, scales_in_both_directions);
    tcase_add_test(t, axes_are_reordered);
    tcase_add_test(t, what_is_no_value_is_refused);
    tcase_add_test(t, batches_have_bounds);
    suite_add_tcase(s, t);
    return suite_run(s);
}
