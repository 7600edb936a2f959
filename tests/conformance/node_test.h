/* One operator test: compiled with its own input as the only calibration sample, proved, verified, compared.
 */
#ifndef MICA_TESTS_NODE_TEST_H
#define MICA_TESTS_NODE_TEST_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_PORTS 32

/* SETTLED: equal, and constant once shapes are known, so that there is nothing to prove. */
typedef enum outcome { OUTCOME_PASS, OUTCOME_SETTLED, OUTCOME_REFUSED, OUTCOME_WRONG, OUTCOMES } outcome;

/* Errors are relative to the output's range (its magnitude, if it is constant); 0 for integers. */
typedef struct result {
    outcome outcome;
    double mean, largest;
    double promised; /* largest error that the compiler's accuracy report states */
    double lo, hi;   /* of the inputs */
    uint64_t lookups, cells, rows,
        elements;       /* committed cells but for the multiplicities of `rows`; of the outputs */
    char constant[512]; /* names of the inputs that were constants, '\n' behind each */
    char message[1280];
} result;

typedef struct node_test {
    const char *folder, *name, *file;
    bool integer, half;     /* exact; or some tensor holds half-precision floats */
    bool frozen[MAX_PORTS]; /* input k of the test is a constant of the model that `file` names */
} node_test;

/* In a process of its own. */
result node_test_run(const node_test *t);

#endif
