/* Size of the proof part, from the plan alone. */
#ifndef MICA_PROTOCOL_PROOF_SIZE_H
#define MICA_PROTOCOL_PROOF_SIZE_H

#include "plan/plan.h"

/* Upper bound in bytes; *expected is the mean over query sets (everything else is fixed). */
size_t proof_bytes(const plan *p, size_t *expected);

#endif
