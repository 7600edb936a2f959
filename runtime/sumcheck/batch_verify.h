/* The verifier's side of a batched sumcheck. */
#ifndef MICA_SUMCHECK_BATCH_VERIFY_H
#define MICA_SUMCHECK_BATCH_VERIFY_H

#include "protocol/walk.h"

/* Reads the rounds of an EVENT_CONTRACT or EVENT_PLACEMENT. Leaves w->final_claim open: an EVENT_FINAL checks
 * it. */
bool batch_reduce(walk *w, const plan_event *e);

#endif
