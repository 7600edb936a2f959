/* Mutations of circuits as circuits: related fields change together, so that more of them are still valid. */
#ifndef MICA_TESTS_FUZZ_CIRCUIT_MUTATE_H
#define MICA_TESTS_FUZZ_CIRCUIT_MUTATE_H

#include "mica/circuit.h"

/* Changes one property of c in place. */
void circuit_mutate(mica_circuit *c, uint64_t *random);

#endif
