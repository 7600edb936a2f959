/* The soundness budget of a plan, line by line (docs/soundness.md). */
#ifndef MICA_PROTOCOL_BUDGET_H
#define MICA_PROTOCOL_BUDGET_H

#include "plan/plan.h"
#include "soundness/soundness.h"

void budget_make(const plan *p, soundness_budget *b);

/* Whether every line has at least `bits` bits; otherwise rejects and names the first that has not. */
bool budget_meets(const plan *p, uint32_t bits, mica_verdict *verdict);

#endif
