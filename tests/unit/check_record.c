/* The record of verifier parameters: lines in and out, and what is refused. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mica/record.h"
#include "suite.h"

START_TEST(lines_come_back) {
    mica_record r = {0}, copy;
    mica_record_line line;
    mica_status st = {0};
    size_t at = 0;
    ck_assert(mica_record_add(&r, "mica", "0.1.0", &st));
    ck_assert(mica_record_add(&r, "option-dim", "a b=3", &st));
    ck_assert(mica_record_add(&r, "option-dim", "", &st));
    ck_assert(mica_record_add(&r, "range", "1 2 x\ny\x7f", &st));
    ck_assert_str_eq(r.text, "mica 0.1.0\noption-dim a b=3\noption-dim \nrange 1 2 x?y?\n");
    ck_assert(mica_record_read(&copy, r.text, r.size, &st));
    ck_assert_uint_eq(copy.size, r.size);
    ck_assert_mem_eq(copy.text, r.text, r.size + 1);
    ck_assert(mica_record_next(&copy, &at, &line));
    ck_assert_str_eq(line.key, "mica");
    ck_assert_uint_eq(line.size, 5);
    ck_assert(mica_record_next(&copy, &at, &line) && mica_record_next(&copy, &at, &line));
    ck_assert_uint_eq(line.size, 0);
    ck_assert(mica_record_next(&copy, &at, &line));
    ck_assert_str_eq(line.key, "range");
    ck_assert(!mica_record_next(&copy, &at, &line));
    mica_record_free(&copy);
    mica_record_free(&r);
}
END_TEST

START_TEST(empty_is_a_record) {
    mica_record r;
    mica_record_line line;
    mica_status st = {0};
    size_t at = 0;
    ck_assert(mica_record_read(&r, "", 0, &st));
    ck_assert(!mica_record_next(&r, &at, &line));
    mica_record_free(&r);
}
END_TEST

/* Every text stands in a buffer of its own size, so that a sanitizer sees overreads. */
START_TEST(malformed_is_refused) {
    static const char *const text[] = {
        "\n",        "a",
        "a\n",       "a b",
        "A b\n",     " b\n",
        "a b\n\n",   "a b\nc",
        "a b\x01\n", "a b\x7f\n",
        "a_b c\n",   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b\n" /* a key of 49 bytes */};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        const size_t size = strlen(text[i]);
        char *exact = malloc(size);
        mica_record r;
        mica_status st = {0};
        memcpy(exact, text[i], size);
        ck_assert_msg(!mica_record_read(&r, exact, size, &st), "text %zu", i);
        ck_assert_int_eq(st.code, MICA_ERR_FORMAT);
        ck_assert_ptr_null(r.text);
        free(exact);
    }
    mica_record r;
    mica_status st = {0};
    ck_assert(!mica_record_read(&r, "a b\0c\n", 6, &st));
}
END_TEST

START_TEST(size_is_bounded) {
    enum { SIZE = MICA_RECORD_MAX_BYTES + 1 };
    char *text = malloc(SIZE);
    mica_record r;
    mica_status st = {0}, largest = {0};
    memset(text, 'x', SIZE);
    memcpy(text, "a ", 2);
    text[SIZE - 1] = '\n';
    ck_assert(!mica_record_read(&r, text, SIZE, &st));
    ck_assert_int_eq(st.code, MICA_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(st.message, "more than"));
    text[SIZE - 2] = '\n';
    ck_assert(mica_record_read(&r, text, SIZE - 1, &largest));
    mica_record_free(&r);
    free(text);
}
END_TEST

START_TEST(growth_is_bounded) {
    mica_record r = {0};
    mica_status st = {0};
    char *value = malloc(MICA_RECORD_MAX_BYTES);
    memset(value, 'x', MICA_RECORD_MAX_BYTES);
    value[MICA_RECORD_MAX_BYTES - 3] = 0; /* "a ", the value and a newline are all that fits */
    ck_assert(mica_record_add(&r, "a", value, &st));
    ck_assert_uint_eq(r.size, MICA_RECORD_MAX_BYTES);
    ck_assert(!mica_record_add(&r, "a", "", &st));
    ck_assert_int_eq(st.code, MICA_ERR_LIMIT);
    mica_record_free(&r);
    free(value);
}
END_TEST

int main(void) {
    Suite *s = suite_create("record");
    TCase *t = tcase_create("record");
    tcase_add_test(t, lines_come_back);
    tcase_add_test(t, empty_is_a_record);
    tcase_add_test(t, malformed_is_refused);
    tcase_add_test(t, size_is_bounded);
    tcase_add_test(t, growth_is_bounded);
    suite_add_tcase(s, t);
    return suite_run(s);
}
