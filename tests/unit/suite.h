/* The end of every test's main. */
#ifndef MICA_TESTS_SUITE_H
#define MICA_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Runs the suite as the environment says (CK_RUN_CASE, CK_VERBOSITY, ...) and releases it. Returns the exit
 * code: 0 if every test has passed. */
static inline int suite_run(Suite *s) {
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}

/* How many changes a test of hostile bytes makes of each sample: `usual`, unless MICA_TEST_MUTATIONS says. */
static inline unsigned suite_mutations(unsigned usual) {
    const char *n = getenv("MICA_TEST_MUTATIONS");
    return n ? (unsigned)strtoul(n, NULL, 10) : usual;
}

#endif
