/* What is tried on a proof and its parameters. Each function is one kind of attack; `sample` bounds the
 * number of attempts, 0 for every one that there is. */
#ifndef MICA_TESTS_TAMPER_ATTACKS_H
#define MICA_TESTS_TAMPER_ATTACKS_H

#include "tamper/subject.h"

typedef struct attack {
    const char *name;
    void (*run)(subject *s, tally *t, size_t sample);
} attack;

extern const attack attacks[];
extern const unsigned n_attacks;

#endif
