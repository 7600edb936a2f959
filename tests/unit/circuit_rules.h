/* One broken circuit per rule: what every test of the validator shares. */
#ifndef MICA_TESTS_CIRCUIT_RULES_H
#define MICA_TESTS_CIRCUIT_RULES_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "circuit_samples.h"

enum { GEMM, LINEAR_ONLY, CONV, ELEMENTWISE, LISTED, PORTS }; /* indices of samples[] */

static inline mica_tensor *tensor_of(kit *k, mica_tensor_kind kind, unsigned n) {
    for (uint32_t t = 0; t < k->c.n_tensors; t++) {
        if (k->tensor[t].kind == kind && n-- == 0)
            return &k->tensor[t];
    }
    abort();
}

static inline mica_linear *linear_of(kit *k, unsigned n) {
    return &k->linear[tensor_of(k, MICA_TENSOR_LINEAR, n)->def];
}

typedef struct mutation {
    void (*apply)(kit *);
    int sample;           /* of circuit_samples.h; -1: apply builds the circuit */
    const char *fragment; /* of the message */
} mutation;

/* The circuit is valid, and after the mutation refused with this message. */
static inline void check_mutation(const mutation *m) {
    kit k;
    mica_status st = {0};
    if (m->sample >= 0) {
        samples[m->sample].build(&k);
        ck_assert_msg(mica_circuit_validate(&k.c, &st), "%s: %s", samples[m->sample].name, st.message);
    }
    m->apply(&k);
    ck_assert_msg(!mica_circuit_validate(&k.c, &st), "accepted, should have said '%s'", m->fragment);
    ck_assert_msg(strstr(st.message, m->fragment) != NULL, "'%s' instead of '%s'", st.message, m->fragment);
    ck_assert(st.code == MICA_ERR_FORMAT || st.code == MICA_ERR_RANGE || st.code == MICA_ERR_LIMIT);
    kit_free(&k);
}

#endif
