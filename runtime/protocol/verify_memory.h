/* What a verifier takes, for those who verify beside something else. */
#ifndef MICA_PROTOCOL_VERIFY_MEMORY_H
#define MICA_PROTOCOL_VERIFY_MEMORY_H

#include "plan/plan.h"

/* Bytes of the verifier's workspace. */
size_t verify_workspace(const plan *p);

#endif
