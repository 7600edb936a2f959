/* Reasons: the first one stays, and every verdict has a name of its own. */
#include "mica/status.h"

#include <check.h>
#include <string.h>

#include "suite.h"

START_TEST(first_error_stays) {
    mica_status st = {0};
    ck_assert(!mica_fail(&st, MICA_ERR_IO, "file %d", 1));
    ck_assert(!mica_fail(&st, MICA_ERR_MEMORY, "later"));
    ck_assert_int_eq(st.code, MICA_ERR_IO);
    ck_assert_str_eq(st.message, "file 1");
    ck_assert(!mica_fail(NULL, MICA_ERR_IO, "nobody asks"));
}
END_TEST

START_TEST(first_rejection_stays) {
    mica_verdict v = {.layer = 7, .round = 7};
    ck_assert(!mica_reject(&v, MICA_REJECT_MERKLE, 1, 2, "path %u", 3));
    ck_assert(!mica_reject(&v, MICA_REJECT_OPENING, 4, 5, "later"));
    ck_assert_int_eq(v.code, MICA_REJECT_MERKLE);
    ck_assert_uint_eq(v.layer, 1);
    ck_assert_uint_eq(v.round, 2);
    ck_assert_str_eq(v.detail, "path 3");
}
END_TEST

START_TEST(verdicts_are_named) {
    static const mica_verdict_code codes[] = {
        MICA_VERDICT_UNSET,      MICA_REJECT_MALFORMED,  MICA_REJECT_STATEMENT,
        MICA_REJECT_SECURITY,    MICA_REJECT_POW,        MICA_REJECT_LOGUP_ROOT,
        MICA_REJECT_LOGUP_ROUND, MICA_REJECT_LOGUP_LEAF, MICA_REJECT_LINEAR,
        MICA_REJECT_CONTRACT,    MICA_REJECT_PLACEMENT,  MICA_REJECT_PUBLIC,
        MICA_REJECT_MERKLE,      MICA_REJECT_OPENING,    MICA_ACCEPT};
    enum { N = sizeof codes / sizeof *codes };
    for (int i = 0; i < N; i++) {
        ck_assert_str_ne(mica_verdict_name(codes[i]), "unknown");
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(mica_verdict_name(codes[i]), mica_verdict_name(codes[j]));
    }
    ck_assert_str_eq(mica_verdict_name(MICA_ACCEPT), "accepted");
    ck_assert_str_eq(mica_verdict_name((mica_verdict_code)12345), "unknown");
}
END_TEST

int main(void) {
    Suite *s = suite_create("status");
    TCase *t = tcase_create("status");
    tcase_add_test(t, first_error_stays);
    tcase_add_test(t, first_rejection_stays);
    tcase_add_test(t, verdicts_are_named);
    suite_add_tcase(s, t);
    return suite_run(s);
}
